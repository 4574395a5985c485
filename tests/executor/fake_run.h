// Runs for tests of executors: a context with a switch to cancel it, and a place where answers
// arrive and can be waited for. Thread-safe.
#ifndef SCHEDULED_TESTS_EXECUTOR_FAKE_RUN_H_
#define SCHEDULED_TESTS_EXECUTOR_FAKE_RUN_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "scheduled/executor.h"

namespace scheduled {

// What a test waits for at most; it fails then. Nothing depends on the figure.
inline constexpr std::chrono::seconds kPatience{30};

class FakeControl final : public RunContext::Control {
 public:
  bool cancelled() const override {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }
  absl::Status Extend(absl::Duration more) override {
    if (cancelled()) return absl::FailedPreconditionError("cancelled");
    std::lock_guard lock(mutex_);
    extended_ += more;
    return absl::OkStatus();
  }
  absl::Duration extended() const override {
    std::lock_guard lock(mutex_);
    return extended_;
  }
  void OnCancel(std::function<void()> callback) override {
    {
      std::lock_guard lock(mutex_);
      if (!cancelled_) {
        callback_ = std::move(callback);
        return;
      }
    }
    callback();
  }
  void Cancel() {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      callback = std::exchange(callback_, nullptr);
    }
    if (callback) callback();
  }

 private:
  mutable std::mutex mutex_;
  bool cancelled_ = false;
  absl::Duration extended_;
  std::function<void()> callback_;
};

struct FakeRun {
  std::shared_ptr<RunContext> context = std::make_shared<RunContext>();
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();

  explicit FakeRun(Job job = {}) {
    context->job_id = JobId("job-1");
    context->run_id = "0198c0de-1111-8222-8333-444455556666";
    context->due = absl::FromUnixSeconds(1767225600);
    context->deadline = absl::Now() + absl::Minutes(10);
    context->fencing_token = FencingToken(281474976710657);
    context->job = std::make_shared<const Job>(std::move(job));
    context->control = control;
  }
  void Cancel() { control->Cancel(); }
};

// Answers by name.
class Answers {
 public:
  Done For(std::string name) {
    return Done([this, name = std::move(name)](RunResult result) {
      std::lock_guard lock(mutex_);
      answers_.emplace(name, std::move(result));
      arrived_.notify_all();
    });
  }
  // True once `count` answers are here.
  bool Await(size_t count) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, kPatience, [&] { return answers_.size() >= count; });
  }
  // Waits for the answer; an answer that never comes reads as kDataLoss.
  RunResult Of(const std::string& name) {
    std::unique_lock lock(mutex_);
    const auto here = [&] { return answers_.contains(name); };
    if (!arrived_.wait_for(lock, kPatience, here)) return absl::DataLossError("no answer");
    return answers_.at(name);
  }
  size_t count() const {
    std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::string, RunResult> answers_;
};

// Closed until it is opened; for callbacks that should be found running.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // Counts the one who passes, then waits.
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait_for(lock, kPatience, [this] { return open_; });
  }
  bool AwaitArrivals(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return arrived_ >= count; });
  }
  int arrived() const {
    std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_EXECUTOR_FAKE_RUN_H_
