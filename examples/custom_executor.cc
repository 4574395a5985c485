// An executor of one's own: runs shell-like commands on a single worker thread, honours
// cancellation, and answers whenever it is done. It shows what the interface asks for: take the
// run, return at once, call `done` exactly once, from any thread. Usage: custom_executor [data
// directory]
#include <scheduled/scheduler.h>

#include <condition_variable>
#include <cstdio>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/time/clock.h"

namespace {

class WordCounter : public scheduled::Executor {
 public:
  WordCounter() : worker_([this] { Work(); }) {}
  ~WordCounter() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    worker_.join();
    // "Not now" uses up no attempt; a Done that is dropped unanswered would.
    for (auto& [run, done] : queue_) done(scheduled::RunResult::Snooze(absl::ZeroDuration()));
  }

  void Run(std::shared_ptr<const scheduled::RunContext> run, scheduled::Done done) override {
    std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(run), std::move(done));
    wake_.notify_one();
  }
  int capacity() const override { return 8; }

 private:
  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      auto [run, done] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (run->cancelled()) {
        done(absl::CancelledError("cancelled while it was queued"));
      } else {
        done(Count(*run));
      }
      lock.lock();
    }
  }

  static scheduled::RunResult Count(const scheduled::RunContext& run) {
    if (run.payload().empty()) return absl::InvalidArgumentError("nothing to count");
    int words = 1;
    for (const char c : run.payload()) words += c == ' ';
    std::printf("%s: %d words (attempt %d)\n", run.job_id.value.c_str(), words, run.attempt);
    return absl::OkStatus();
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<std::shared_ptr<const scheduled::RunContext>, scheduled::Done>> queue_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace

int main(int argc, char** argv) {
  using scheduled::Job;
  auto scheduler = scheduled::Scheduler::Open({.data_dir = argc > 1 ? argv[1] : "./executor-data"});
  if (!scheduler.ok()) {
    std::fprintf(stderr, "%s\n", scheduler.status().ToString().c_str());
    return 1;
  }
  if (!(*scheduler)->Register("count", std::make_unique<WordCounter>()).ok()) return 1;
  const auto good =
      (*scheduler)
          ->Schedule(Job::In(absl::ZeroDuration()).Executor("count").Payload("to be or not to be"));
  const auto bad = (*scheduler)->Schedule(Job::In(absl::ZeroDuration()).Executor("count"));
  if (!good.ok() || !bad.ok()) return 1;

  // Watch both until they have ended, each in its own way.
  for (const auto& [id, wanted] : {std::pair{good->job.id, scheduled::JobStatus::kCompleted},
                                   std::pair{bad->job.id, scheduled::JobStatus::kFailed}}) {
    auto info = (*scheduler)->Get(id);
    while (info.ok() && !info->completed_at) {
      absl::SleepFor(absl::Milliseconds(10));
      info = (*scheduler)->Get(id);
    }
    if (!info.ok() || info->status != wanted) return 1;
    std::printf("%s ended as %s\n", id.value.c_str(),
                std::string(scheduled::JobStatusName(info->status)).c_str());
  }
}
