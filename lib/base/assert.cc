// The failing end of an assertion, and the probe sink. The two hooks are the only mutable globals
// of the library: they belong to the test harness of a process, not to a scheduler in it.
#include "base/assert.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace scheduled {
namespace {

std::atomic<AssertHandler> assert_handler{nullptr};
std::atomic<ProbeSink> probe_sink{nullptr};

}  // namespace

void AssertFailed(const char* expression, const char* file, int line, std::string_view what) {
  if (AssertHandler handler = assert_handler.load()) handler(expression, file, line, what);
  std::fprintf(stderr, "scheduled: assertion failed at %s:%d: %.*s (%s)\n", file, line,
               static_cast<int>(what.size()), what.data(), expression);
  std::abort();
}

void SetAssertHandler(AssertHandler handler) { assert_handler.store(handler); }

void SetProbeSink(ProbeSink sink) { probe_sink.store(sink); }

void Probe(const char* name) {
  if (ProbeSink sink = probe_sink.load(std::memory_order_relaxed)) sink(name);
}

}  // namespace scheduled
