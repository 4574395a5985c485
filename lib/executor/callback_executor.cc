// The pool: threads take runs in the order in which they came. No lock is held over a callback or a
// Done, and nothing that a callback throws gets past Call.
#include "executor/callback_executor.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "executor/executor_rules.h"

namespace scheduled {
namespace {

// What a caller that sends too much is told to wait; it only happens if capacity is disregarded.
constexpr absl::Duration kFullWait = absl::Milliseconds(100);

RunResult CancelledUnstarted() {
  RunResult result(absl::CancelledError("cancelled before it started"));
  result.uncounted = true;
  return result;
}

RunResult Thrown(std::string_view what) {
  RunResult result(absl::InternalError(
      absl::StrCat("the callback threw: ", absl::string_view(what.data(), what.size()))));
  result.error_type = "exception";
  return result;
}

}  // namespace

CallbackPool::CallbackPool(Callback callback, int threads, int capacity)
    : callback_(std::move(callback)), capacity_(capacity) {
  SCHEDULED_ASSERT(callback_, "a callback executor has a callback");
  SCHEDULED_ASSERT(1 <= threads && threads <= capacity && capacity <= kMaxCapacity,
                   "threads and capacity are within their bounds");
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

CallbackPool::~CallbackPool() {
  std::deque<Taken> left;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(queue_);
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  for (Taken& taken : left) {
    taken.done(RunResult::Snooze(absl::ZeroDuration(), "the executor was stopped"));
  }
}

void CallbackPool::Run(std::shared_ptr<const RunContext> run, Done done) {
  {
    std::lock_guard lock(mutex_);
    SCHEDULED_ASSERT(!stopping_, "no run comes during destruction");
    if (taken_ < capacity_) {
      ++taken_;
      ++unanswered_;
      queue_.push_back({std::move(run), std::move(done)});
    }
  }
  if (!done) return work_.notify_one();
  done(RunResult::Snooze(kFullWait, "the executor is full"));
}

void CallbackPool::Drain(absl::Duration patience) {
  std::unique_lock lock(mutex_);
  AwaitQuiet(quiet_, lock, patience, [this] { return unanswered_ == 0; });
}

void CallbackPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Taken taken = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    RunResult result = taken.run->cancelled() ? CancelledUnstarted() : Call(*taken.run);
    lock.lock();
    --taken_;
    lock.unlock();
    taken.done(std::move(result));
    taken = {};
    lock.lock();
    if (--unanswered_ == 0) quiet_.notify_all();
  }
}

RunResult CallbackPool::Call(const RunContext& run) const {
  try {
    return callback_(run);
  } catch (const std::exception& error) {
    return Thrown(error.what());
  } catch (...) {
    return Thrown("something that is no std::exception");
  }
}

absl::StatusOr<std::unique_ptr<Executor>> CallbackExecutor(
    std::function<RunResult(const RunContext&)> callback, CallbackOptions options) {
  if (!callback) return absl::InvalidArgumentError("callback is empty; there is nothing to call");
  if (absl::Status valid = CheckWithin("threads", options.threads, 1, kMaxCapacity); !valid.ok()) {
    return valid;
  }
  if (absl::Status valid = CheckWithin("capacity", options.capacity, 0, kMaxCapacity);
      !valid.ok()) {
    return valid;
  }
  const int capacity = options.capacity == 0 ? options.threads : options.capacity;
  return std::make_unique<CallbackPool>(std::move(callback), std::min(options.threads, capacity),
                                        capacity);
}

}  // namespace scheduled
