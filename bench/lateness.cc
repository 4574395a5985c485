// Lateness: the moment at which Executor::Run is entered less the due time.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "absl/time/clock.h"
#include "benches.h"
#include "open.h"

namespace scheduled::bench {
namespace {

// Notes when each run was entered, and ends it at once.
class Stopwatch : public Executor {
 public:
  void Run(std::shared_ptr<const RunContext> run, Done done) override {
    const absl::Time now = absl::Now();
    {
      std::lock_guard lock(mutex_);
      lateness_.Add(now - run->due);
      early_ += now < run->due;
      last_ = now;
      if (++count_ == awaited_) reached_.notify_all();
    }
    done(absl::OkStatus());
  }
  int capacity() const override { return 4096; }

  void WaitFor(uint64_t count, const std::string& what) {
    std::unique_lock lock(mutex_);
    awaited_ = count;
    while (
        !reached_.wait_for(lock, std::chrono::milliseconds(200), [&] { return count_ >= count; })) {
      Progress(what, count_, count);
    }
  }
  void Reset() {
    std::lock_guard lock(mutex_);
    lateness_ = {};
    count_ = 0;
  }
  Samples lateness() {
    std::lock_guard lock(mutex_);
    return lateness_;
  }
  uint64_t early() const { return early_; }
  absl::Time last() const { return last_; }

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  Samples lateness_;
  uint64_t count_ = 0;
  uint64_t awaited_ = 0;
  uint64_t early_ = 0;
  absl::Time last_;
};

}  // namespace

Report Lateness(const Common& common, const LatenessOptions& options) {
  const ScratchFolder scratch(common.dir);
  const std::unique_ptr<Scheduler> scheduler = OpenNode(scratch.path() + "/node");
  auto owned = std::make_unique<Stopwatch>();
  Stopwatch& stopwatch = *owned;
  Must(scheduler->Register("stopwatch", std::move(owned)));
  const auto at = [](absl::Time time) { return Job::At(time).Executor("stopwatch"); };
  Report report("lateness: a callback executor with room for 4,096");

  const auto warm = static_cast<uint64_t>(options.per_second);
  absl::Time start = absl::Now() + absl::Milliseconds(300);
  Fill(
      *scheduler, warm, [&](uint64_t) { return at(start); }, "warm-up");
  stopwatch.WaitFor(warm, "warm-up");
  stopwatch.Reset();

  const auto many = static_cast<uint64_t>(options.at_one_instant);
  const absl::Time instant = absl::Now() + absl::Seconds(2);
  Fill(
      *scheduler, many, [&](uint64_t) { return at(instant); }, "one instant");
  stopwatch.WaitFor(many, "one instant");
  report.Add(fmt::format("{} at one instant, lateness", many), stopwatch.lateness());
  report.Add(fmt::format("{} at one instant, last one started after", many),
             absl::ToDoubleMilliseconds(stopwatch.last() - instant), "ms");
  stopwatch.Reset();

  const auto spread = static_cast<uint64_t>(options.per_second) * options.seconds;
  start = absl::Now() + absl::Seconds(2);
  Fill(
      *scheduler, spread,
      [&](uint64_t n) { return at(start + absl::Seconds(1) * n / options.per_second); }, "spread");
  stopwatch.WaitFor(spread, "spread");
  report.Add(fmt::format("{}/s for {} s, lateness", options.per_second, options.seconds),
             stopwatch.lateness());
  report.Add("started early", static_cast<double>(stopwatch.early()), "runs");
  return report;
}

Report Drain(const Common& common, const DrainOptions& options) {
  const ScratchFolder scratch(common.dir);
  const std::unique_ptr<Scheduler> scheduler = OpenNode(scratch.path() + "/node");
  // Runs for a name that nobody knows wait; the clock runs from the moment that it is known.
  Fill(
      *scheduler, options.jobs,
      [](uint64_t) { return Job::In(absl::ZeroDuration()).Executor("stopwatch"); }, "fill");
  auto owned = std::make_unique<Stopwatch>();
  Stopwatch& stopwatch = *owned;
  const absl::Time begun = absl::Now();
  Must(scheduler->Register("stopwatch", std::move(owned)));
  stopwatch.WaitFor(options.jobs, "drain");
  while (scheduler->counts().completed < options.jobs) std::this_thread::yield();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begun);
  Report report(
      fmt::format("drain: {} due no-op jobs, each claim and finish durable", options.jobs));
  report.Add("drained", static_cast<double>(options.jobs) / seconds, "jobs/s");
  return report;
}

}  // namespace scheduled::bench
