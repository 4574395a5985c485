// Runs a host's callback on a pool of threads of its own, with a bounded queue before it. It knows
// nothing of retries, time or the log: a run comes in, its callback's answer goes out.
//
// Run, capacity and Drain may be called from any thread. The callback runs on a pool thread under
// no lock, and so does Done, but for a run that is refused or left over: those are answered on the
// thread that called Run or the destructor.
#ifndef SCHEDULED_LIB_EXECUTOR_CALLBACK_EXECUTOR_H_
#define SCHEDULED_LIB_EXECUTOR_CALLBACK_EXECUTOR_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "scheduled/executor.h"

namespace scheduled {

class CallbackPool final : public Executor {
 public:
  using Callback = std::function<RunResult(const RunContext&)>;

  // Preconditions: a callback; 1 <= threads <= capacity <= kMaxCapacity.
  CallbackPool(Callback callback, int threads, int capacity);
  ~CallbackPool() override;

  void Run(std::shared_ptr<const RunContext> run, Done done) override;
  int capacity() const override { return capacity_; }
  void Drain(absl::Duration patience) override;

 private:
  struct Taken {
    std::shared_ptr<const RunContext> run;
    Done done;
  };

  void Work();
  RunResult Call(const RunContext& run) const;

  const Callback callback_;
  const int capacity_;

  std::mutex mutex_;
  std::condition_variable work_;   // queue_ has a run, or stopping_
  std::condition_variable quiet_;  // unanswered_ fell to 0
  std::deque<Taken> queue_;
  // Runs that take room: queued or in their callback. Falls before a run is answered, since the
  // answer may bring the next run at once.
  int taken_ = 0;
  int unanswered_ = 0;  // taken_ and those whose Done is being called; 0 is what Drain waits for
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_EXECUTOR_CALLBACK_EXECUTOR_H_
