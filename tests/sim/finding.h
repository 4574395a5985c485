// How a simulation says that something is wrong: it reports and ends the process. A finding may
// come up anywhere, under any of the product's own frames, so nothing is unwound; seeds run in
// processes that may end (campaign.h). Process-wide, as the library's own assertion hook is.
#ifndef SCHEDULED_TESTS_SIM_FINDING_H_
#define SCHEDULED_TESTS_SIM_FINDING_H_

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

namespace scheduled::sim {

// Called once, with what is wrong. Must not return.
using FindingHandler = std::function<void(std::string_view what)>;

// Also takes over failed assertions of the library. The handler of the seed that runs.
void SetFindingHandler(FindingHandler handler);

// Something that must not be was seen.
[[noreturn]] void Found(std::string_view what);

// Found(what) unless `condition`. `what` is a text, or something that makes it when it is called:
// most conditions hold.
template <typename What>
inline void Require(bool condition, What&& what) {
  if (condition) [[likely]] {
    return;
  }
  if constexpr (std::is_invocable_v<What>) {
    Found(what());
  } else {
    Found(what);
  }
}

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_FINDING_H_
