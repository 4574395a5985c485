// The library's side of one delivery's RunContext: its cancellation flag and its deadline. Set by
// the worker on the dispatch lane, read by the executor on any thread.
#ifndef SCHEDULED_LIB_SCHEDULER_RUN_CONTROL_H_
#define SCHEDULED_LIB_SCHEDULER_RUN_CONTROL_H_

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "scheduled/executor.h"

namespace scheduled {

// Thread-safe.
class RunControl final : public RunContext::Control {
 public:
  explicit RunControl(MonoTime deadline)
      : first_deadline_(deadline), deadline_nanos_(deadline.nanos) {}

  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }

  absl::Status Extend(absl::Duration more) override {
    std::lock_guard lock(mutex_);
    if (cancelled()) return absl::FailedPreconditionError("the run was told to stop");
    deadline_nanos_.store((MonoTime{deadline_nanos_.load()} + more).nanos);
    return absl::OkStatus();
  }

  absl::Duration extended() const override { return deadline() - first_deadline_; }

  void OnCancel(std::function<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (!cancelled()) {
        callback_ = std::move(callback);
        return;
      }
    }
    callback();
  }

  // True if its time is over by `now`: then it is told to stop, and no Extend that comes later is
  // granted.
  bool ExpireIfDue(MonoTime now) {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      if (deadline() > now) return false;
      if (!cancelled_.exchange(true)) callback = std::exchange(callback_, nullptr);
    }
    if (callback) callback();
    return true;
  }

  // Sets the flag and calls the callback, once.
  void Cancel() {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      if (cancelled()) return;
      cancelled_.store(true, std::memory_order_release);
      callback = std::exchange(callback_, nullptr);
    }
    if (callback) callback();
  }

  // As it stands after extensions.
  MonoTime deadline() const { return MonoTime{deadline_nanos_.load()}; }

 private:
  const MonoTime first_deadline_;
  std::mutex mutex_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> deadline_nanos_;
  std::function<void()> callback_;  // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_RUN_CONTROL_H_
