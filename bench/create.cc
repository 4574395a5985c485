// Durable creates: callers in process that each wait for one acknowledgement before the next call.
#include <condition_variable>
#include <mutex>
#include <vector>

#include "absl/time/clock.h"
#include "benches.h"
#include "open.h"

namespace scheduled::bench {
namespace {

class Callers {
 public:
  Callers(Scheduler& scheduler, int batch, uint64_t jobs, const std::function<Job(uint64_t)>& make)
      : scheduler_(scheduler), batch_(static_cast<uint64_t>(batch)), jobs_(jobs), make_(make) {}

  void Run(int callers, const std::string& what, Samples* times) {
    running_ = callers;
    samples_.resize(static_cast<size_t>(callers));
    for (int i = 0; i < callers; ++i) Call(i);
    std::unique_lock lock(mutex_);
    while (
        !ended_.wait_for(lock, std::chrono::milliseconds(200), [this] { return running_ == 0; })) {
      Progress(what, acknowledged_, jobs_);
    }
    if (times) {
      for (const Samples& samples : samples_) times->Merge(samples);
    }
  }

 private:
  // The next call of caller `i`. Called on its own completion, so a caller is never in two at once.
  void Call(int i) {
    const uint64_t first = next_.fetch_add(batch_);
    if (first >= jobs_) {
      std::lock_guard lock(mutex_);
      if (--running_ == 0) ended_.notify_one();
      return;
    }
    const absl::Time begun = absl::Now();
    const auto done = [this, i, begun](const absl::Status& status) {
      Must(status);
      samples_[static_cast<size_t>(i)].Add(absl::Now() - begun);
      acknowledged_ += batch_;
      Call(i);
    };
    if (batch_ == 1) {
      scheduler_.Schedule(make_(first),
                          [done](absl::StatusOr<JobInfo> info) { done(info.status()); });
      return;
    }
    std::vector<Job> jobs;
    for (uint64_t n = first; n < first + batch_; ++n) jobs.push_back(make_(n));
    scheduler_.ScheduleBatch(std::move(jobs), [done](absl::StatusOr<std::vector<JobInfo>> infos) {
      done(infos.status());
    });
  }

  Scheduler& scheduler_;
  const uint64_t batch_;
  const uint64_t jobs_;
  const std::function<Job(uint64_t)>& make_;
  std::atomic<uint64_t> next_{0};
  std::atomic<uint64_t> acknowledged_{0};
  std::vector<Samples> samples_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;
};

}  // namespace

void RunCallers(Scheduler& scheduler, int callers, int batch, uint64_t jobs,
                const std::function<Job(uint64_t)>& make, const std::string& what, Samples* times) {
  Callers(scheduler, batch, jobs, make).Run(callers, what, times);
}

void Fill(Scheduler& scheduler, uint64_t jobs, const std::function<Job(uint64_t)>& make,
          const std::string& what) {
  RunCallers(scheduler, 16, 200, jobs, make, what, nullptr);
}

Report Create(const Common& common, const CreateOptions& options) {
  const ScratchFolder scratch(common.dir);
  const std::unique_ptr<Scheduler> scheduler = OpenNode(scratch.path() + "/node");
  const absl::Time due = absl::Now() + absl::Hours(24);
  const std::string payload(static_cast<size_t>(options.payload), 'x');
  const std::function<Job(uint64_t)> make = [&](uint64_t) { return Job::At(due).Payload(payload); };
  RunCallers(*scheduler, options.callers, options.batch, options.jobs / 10, make, "warm-up",
             nullptr);
  Samples times;
  const absl::Time begun = absl::Now();
  RunCallers(*scheduler, options.callers, options.batch, options.jobs, make, "create", &times);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begun);
  const auto calls = static_cast<double>(times.size());

  Report report(fmt::format("create: {} callers, {} a call, {} jobs of {} bytes", options.callers,
                            options.batch, options.jobs, options.payload));
  report.Add("durable creates", calls * options.batch / seconds, "jobs/s");
  report.Add("acknowledgement", times);
  report.Add("resident memory", ResidentMiB(), "MiB");
  return report;
}

}  // namespace scheduled::bench
