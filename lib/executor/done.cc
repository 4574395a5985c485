// How a run's end is told: Done, RunResult and the calls of RunContext that reach back into the
// library. What happens with the answer is the dispatcher's.
#include <utility>

#include "absl/strings/string_view.h"
#include "base/assert.h"
#include "scheduled/executor.h"

namespace scheduled {
namespace {

RunResult Dropped() {
  RunResult result(absl::AbortedError("dropped without an answer"));
  result.error_type = "dropped";
  return result;
}

}  // namespace

RunResult RunResult::Snooze(absl::Duration wait, std::string_view why) {
  RunResult result(absl::UnavailableError(absl::string_view(why.data(), why.size())));
  result.retryable = true;
  result.retry_after = wait;
  result.uncounted = true;
  return result;
}

Done& Done::operator=(Done&& other) noexcept {
  if (this == &other) return *this;
  Callback mine = std::exchange(callback_, std::exchange(other.callback_, nullptr));
  if (mine) std::move(mine)(Dropped());
  return *this;
}

Done::~Done() {
  if (callback_) std::exchange(callback_, nullptr)(Dropped());
}

void Done::operator()(RunResult result) {
  SCHEDULED_ASSERT(callback_, "a run is answered exactly once");
  std::exchange(callback_, nullptr)(std::move(result));
}

absl::Status RunContext::Extend(absl::Duration more) const {
  if (more <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("a deadline is extended by a positive duration");
  }
  if (!control) return absl::FailedPreconditionError("nothing keeps the time of this run");
  return control->Extend(more);
}

absl::Time RunContext::CurrentDeadline() const {
  return control ? deadline + control->extended() : deadline;
}

}  // namespace scheduled
