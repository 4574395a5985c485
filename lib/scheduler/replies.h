// How outcomes leave the dispatch lane: the host's completions go to the completions lane, and
// callers that wait are woken, once for all that ended together. Calls of one tick share one post
// and one wake-up. Dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_REPLIES_H_
#define SCHEDULED_LIB_SCHEDULER_REPLIES_H_

#include <utility>
#include <vector>

#include "base/runtime.h"

namespace scheduled {

class Replies {
 public:
  Replies(Runtime* runtime, Lane* dispatch, Lane* completions)
      : runtime_(*runtime), dispatch_(*dispatch), completions_(*completions) {}

  // A completion of the host's.
  void Add(Task completion) {
    completions_due_.push_back(std::move(completion));
    FlushSoon();
  }
  // A caller that waits in Runtime::Await has its outcome.
  void WakeSoon() {
    wake_ = true;
    FlushSoon();
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
