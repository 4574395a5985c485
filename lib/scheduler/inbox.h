// Hands values from any thread over to one lane, many at a time: the first value that arrives at an
// empty inbox posts one task, and that task takes all that has gathered by then. So a burst of
// calls costs one wake-up of the lane, not one each. Owned by whoever owns the handler.
#ifndef SCHEDULED_LIB_SCHEDULER_INBOX_H_
#define SCHEDULED_LIB_SCHEDULER_INBOX_H_

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/lane.h"

namespace scheduled {

template <typename T>
class Inbox {
 public:
  // `handler` is called on `lane` with what arrived, in the order of arrival. The inbox must not be
  // destroyed before the lane has stopped.
  Inbox(Lane* lane, std::function<void(std::vector<T>)> handler)
      : lane_(lane), handler_(std::move(handler)) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread. False once the inbox is closed; then `value` stays the caller's.
  bool Push(T&& value) {
    bool first;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
      first = values_.empty();
      values_.push_back(std::move(value));
    }
    if (first) lane_->Post([this] { Drain(); });
    return true;
  }

  // Takes nothing more, and hands out what was not drained.
  std::vector<T> Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    return std::exchange(values_, {});
  }

 private:
  void Drain() {
    std::vector<T> taken;
    {
      std::lock_guard lock(mutex_);
      taken.swap(values_);
    }
    if (!taken.empty()) handler_(std::move(taken));
  }

  Lane* const lane_;
  const std::function<void(std::vector<T>)> handler_;
  std::mutex mutex_;
  std::vector<T> values_;  // guarded by mutex_
  bool closed_ = false;    // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_INBOX_H_
