// What the executors of this folder have in common: the bounds of their options, and how a drain
// waits. No state.
#ifndef SCHEDULED_LIB_EXECUTOR_EXECUTOR_RULES_H_
#define SCHEDULED_LIB_EXECUTOR_EXECUTOR_RULES_H_

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace scheduled {

// The leader sends no more than this to a node, whatever an executor offers.
inline constexpr int kMaxCapacity = 4096;

// kInvalidArgument names field, value and bounds.
inline absl::Status CheckWithin(absl::string_view field, int value, int least, int most) {
  if (least <= value && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it needs to be ", least, " to ", most));
}

// Waits until `quiet` holds, or `patience` is over by a steady clock: a step of the wall clock
// neither ends nor prolongs a drain, nor does a clock that a test moves by hand.
template <typename Quiet>
void AwaitQuiet(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                absl::Duration patience, Quiet quiet) {
  if (patience == absl::InfiniteDuration()) return changed.wait(lock, quiet);
  const absl::Duration bounded = std::clamp(patience, absl::ZeroDuration(), absl::Hours(24));
  changed.wait_for(lock, absl::ToChronoNanoseconds(bounded), quiet);
}

}  // namespace scheduled

#endif  // SCHEDULED_LIB_EXECUTOR_EXECUTOR_RULES_H_
