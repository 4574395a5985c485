// Assertions and probes. An assertion states what can never be otherwise; where it fails the
// process stops with the sentence and the place, since to go on would be to guess. Constant-time
// assertions stay in every build. A probe marks a rare path that a test campaign must have taken.
#ifndef SCHEDULED_LIB_BASE_ASSERT_H_
#define SCHEDULED_LIB_BASE_ASSERT_H_

#include <string_view>

namespace scheduled {

// Prints the sentence and the place, then aborts; or calls the handler, if a test set one.
[[noreturn]] void AssertFailed(const char* expression, const char* file, int line,
                               std::string_view what);

// Called before the process aborts, so that a simulator can print its seed. Null removes it. The
// handler may throw to unwind out of a test.
using AssertHandler = void (*)(const char* expression, const char* file, int line,
                               std::string_view what);
void SetAssertHandler(AssertHandler handler);

// Counts that a rare path was taken. `name` must be a literal. Costs nothing unless a sink is set.
using ProbeSink = void (*)(const char* name);
void SetProbeSink(ProbeSink sink);
void Probe(const char* name);

}  // namespace scheduled

// States an invariant: SCHEDULED_ASSERT(commit <= last, "commit is within the log").
#define SCHEDULED_ASSERT(condition, what)                                \
  do {                                                                   \
    if (!(condition)) [[unlikely]] {                                     \
      ::scheduled::AssertFailed(#condition, __FILE__, __LINE__, (what)); \
    }                                                                    \
  } while (false)

#endif  // SCHEDULED_LIB_BASE_ASSERT_H_
