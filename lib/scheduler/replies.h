// How outcomes leave the dispatch lane: the host's completions go to the completions lane, and
// callers that wait are woken, once for all that ended together. Calls of one tick share one post
// and one wake-up. Dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_REPLIES_H_
#define SCHEDULED_LIB_SCHEDULER_REPLIES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "base/runtime.h"
#include "scheduled/completion.h"

namespace scheduled {

// Who is told the outcome of a call: the host, on the completions lane, or a caller that waits, at
// once on the dispatch lane.
enum class ReplyTo : uint8_t { kHost, kWaiter };

class Replies {
 public:
  Replies(Runtime* runtime, Lane* dispatch, Lane* completions)
      : runtime_(*runtime), dispatch_(*dispatch), completions_(*completions) {}

  // Tells `done` what it is called with, where `to` says. May be made on any thread.
  template <typename T>
  Completion<T> Via(ReplyTo to, Completion<T> done) {
    return [this, to, done = std::move(done)](T outcome) mutable {
      if (to == ReplyTo::kWaiter) {
        std::move(done)(std::move(outcome));
        wake_ = true;
      } else {
        completions_due_.push_back(
            [done = std::move(done), outcome = std::move(outcome)]() mutable {
              std::move(done)(std::move(outcome));
            });
      }
      FlushSoon();
    };
  }

 private:
  void FlushSoon() {
    if (std::exchange(flush_posted_, true)) return;
    dispatch_.Post([this] {
      flush_posted_ = false;
      if (!completions_due_.empty()) {
        completions_.Post([batch = std::exchange(completions_due_, {})]() mutable {
          for (Task& completion : batch) std::move(completion)();
        });
      }
      if (std::exchange(wake_, false)) runtime_.Wake();
    });
  }

  Runtime& runtime_;
  Lane& dispatch_;
  Lane& completions_;
  std::vector<Task> completions_due_;
  bool wake_ = false;
  bool flush_posted_ = false;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_REPLIES_H_
