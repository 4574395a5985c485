// Where the answers of executors arrive: a Done may be called on any thread, at any time, even
// after the node that started the run is gone. Each Done holds the outbox; the worker closes it.
#ifndef SCHEDULED_LIB_SCHEDULER_RUN_OUTBOX_H_
#define SCHEDULED_LIB_SCHEDULER_RUN_OUTBOX_H_

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/runtime.h"
#include "scheduled/executor.h"
#include "scheduled/types.h"

namespace scheduled {

// Names one delivery within a process.
struct DeliveryId {
  RunNumber run;
  FencingToken token;
  auto operator<=>(const DeliveryId&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const DeliveryId& id) {
    return H::combine(std::move(h), id.run, id.token);
  }
};

struct RunAnswer {
  DeliveryId id;
  RunResult result;
  absl::Time end;
};

// Thread-safe; shared by the worker and every Done that it gave out.
class RunOutbox {
 public:
  // `drain` is called on `lane` when answers wait. With `external`, a run counts as something at
  // work outside of the lanes until it is answered, so that virtual time waits for it.
  RunOutbox(Runtime* runtime, Lane* lane, bool external, std::function<void()> drain)
      : runtime_(runtime), lane_(lane), external_(external), drain_(std::move(drain)) {}

  void Began() {
    if (!external_) return;
    std::lock_guard lock(mutex_);
    if (lane_ == nullptr) return;
    ++outside_;
    runtime_->BeginExternal();
  }

  void Answer(DeliveryId id, RunResult result) {
    std::lock_guard lock(mutex_);
    if (lane_ == nullptr) return;
    answers_.push_back({id, std::move(result), runtime_->clock().WallNow()});
    if (answers_.size() == 1) lane_->Post([drain = drain_] { drain(); });
    if (external_) {
      --outside_;
      runtime_->EndExternal();
    }
  }

  std::vector<RunAnswer> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

  // Nobody listens any more: later answers are dropped.
  void Close() {
    std::lock_guard lock(mutex_);
    lane_ = nullptr;
    answers_.clear();
    for (; outside_ > 0; --outside_) runtime_->EndExternal();
  }

 private:
  std::mutex mutex_;
  Runtime* const runtime_;
  Lane* lane_;  // null once closed
  const bool external_;
  const std::function<void()> drain_;
  std::vector<RunAnswer> answers_;
  int outside_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_RUN_OUTBOX_H_
