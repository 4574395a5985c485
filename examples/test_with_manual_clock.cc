// How a host tests its own use of the scheduler: with a clock that it moves itself. Nothing sleeps,
// nothing is random, and a week of retries takes a millisecond.
#include <scheduled/scheduler.h>

#include <cstdio>
#include <memory>
#include <vector>

using scheduled::Job;

// The code under test: a handler that fails until the partner's service is back.
class Partner {
 public:
  absl::Status Call() {
    return ++calls_ < 3 ? absl::UnavailableError("not yet") : absl::OkStatus();
  }
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

int main() {
  Partner partner;
  const absl::Time start = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01T00:00:00Z
  auto clock = std::make_shared<scheduled::ManualClock>(start);
  auto scheduler = scheduled::Scheduler::Open({.clock = clock});
  if (!scheduler.ok()) return 1;
  auto known =
      (*scheduler)
          ->Register("call", scheduled::CallbackExecutor([&partner](const scheduled::RunContext&) {
                       return partner.Call();
                     }));
  auto job = (*scheduler)
                 ->Schedule(Job::At(start + absl::Hours(1))
                                .Executor("call")
                                .Retry({.max_attempts = 5,
                                        .initial = absl::Minutes(10),
                                        .maximum = absl::Hours(1),
                                        .jitter = 0}));
  if (!known.ok() || !job.ok()) return 1;

  clock->Advance(absl::Minutes(59));
  if (partner.calls() != 0) return std::puts("it ran too early"), 1;
  clock->Advance(absl::Minutes(1));
  if (partner.calls() != 1) return std::puts("it did not run on time"), 1;
  clock->Advance(absl::Minutes(10));  // first retry
  clock->Advance(absl::Minutes(20));  // second, at twice the wait
  const auto info = (*scheduler)->Get(job->job.id);
  if (!info.ok() || info->status != scheduled::JobStatus::kCompleted || info->attempt_count != 3) {
    return std::puts("it was not retried as the policy says"), 1;
  }
  std::puts("three attempts in half an hour, without waiting for one");
}
