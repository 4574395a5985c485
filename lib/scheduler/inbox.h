// Hands values from any thread over to one lane, many at a time: the first value that arrives at an
// empty inbox posts one task, and that task takes all that has gathered by then. So a burst of
// calls costs one wake-up of the lane, not one each. Owned by whoever owns the handler.
//
// What it holds is bounded in bytes, however long the lane stands still: whoever brings a value
// asks for room first, and is told where there is none.
#ifndef SCHEDULED_LIB_SCHEDULER_INBOX_H_
#define SCHEDULED_LIB_SCHEDULER_INBOX_H_

#include <cstddef>
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
  Inbox(Lane* lane, size_t max_bytes, std::function<void(std::vector<T>)> handler)
      : lane_(lane), max_bytes_(max_bytes), handler_(std::move(handler)) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread. Room for a value of so many bytes, until it has been handed over; false if there is
  // none now. An empty inbox has room for any value.
  bool Reserve(size_t bytes) {
    std::lock_guard lock(mutex_);
    if (reserved_ > 0 && reserved_ + bytes > max_bytes_) return false;
    reserved_ += bytes;
    return true;
  }

  // Any thread; once for each Reserve, with its `bytes`. False once the inbox is closed; then
  // `value` stays the caller's.
  bool Push(T&& value, size_t bytes) {
    bool first;
    {
      std::lock_guard lock(mutex_);
      if (closed_) return false;
      first = values_.empty();
      values_.push_back(std::move(value));
      pushed_ += bytes;
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
      reserved_ -= std::exchange(pushed_, 0);
    }
    if (!taken.empty()) handler_(std::move(taken));
  }

  Lane* const lane_;
  const size_t max_bytes_;
  const std::function<void(std::vector<T>)> handler_;
  std::mutex mutex_;
  std::vector<T> values_;  // guarded by mutex_
  size_t reserved_ = 0;    // guarded by mutex_; of values_ and of what is on its way into it
  size_t pushed_ = 0;      // guarded by mutex_; of values_
  bool closed_ = false;    // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_INBOX_H_
