// A scheduler that is closed while calls are under way: each of them gets its answer, at whatever
// step it was. In virtual time, where every step can be tried.
#include <catch2/catch.hpp>
#include <map>

#include "base/virtual_loop.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

const absl::Time kBegin = absl::FromUnixSeconds(1767225600);

// A scheduler, and how often each call's completion was called.
struct Closing {
  Closing() {
    Options options;
    options.clock = clock;
    scheduler = *Scheduler::Open(std::move(options));
    for (const char* id : {"cancel", "pause", "resume", "trigger", "replace", "delete", "old"}) {
      REQUIRE(scheduler->Schedule(Pending(id)).ok());
    }
    REQUIRE(scheduler->Pause(JobId("resume")).ok());
  }

  static Job Pending(std::string id) {
    return Job::In(absl::Hours(1)).Id(std::move(id)).Executor("noop");
  }

  template <typename T>
  Completion<T> Answer(const std::string& call) {
    answers[call] = 0;
    return [this, call](T value) {
      ++answers[call];
      CheckMayBe(value);
    };
  }
  template <typename T>
  void CheckMayBe(const absl::StatusOr<T>& value) {
    CheckMayBe(value.status());
  }
  void CheckMayBe(const absl::Status& status) {
    INFO(status.ToString());
    CHECK((status.ok() || absl::IsUnavailable(status) || absl::IsUnknown(status)));
  }

  void BeginEveryCall() {
    using Info = absl::StatusOr<JobInfo>;
    scheduler->Cancel(JobId("cancel"), "", Answer<Info>("cancel"));
    scheduler->Pause(JobId("pause"), Answer<Info>("pause"));
    scheduler->Resume(JobId("resume"), Answer<Info>("resume"));
    scheduler->Trigger(JobId("trigger"), Answer<Info>("trigger"));
    scheduler->Replace(Job::In(absl::Hours(2)).Id("replace"), std::nullopt,
                       Answer<Info>("replace"));
    scheduler->Delete(JobId("delete"), Answer<absl::Status>("delete"));
    scheduler->Get(JobId("old"), Consistency::kLinearizable, Answer<Info>("get"));
    scheduler->Get(JobId("old"), Consistency::kStale, Answer<Info>("stale get"));
    scheduler->Schedule(Pending("new"), Answer<Info>("schedule"));
    std::vector<Job> batch;
    batch.push_back(Pending("old"));
    batch.push_back(Pending("newer"));
    scheduler->ScheduleBatch(std::move(batch),
                             Answer<absl::StatusOr<std::vector<JobInfo>>>("batch"));
  }

  // One event of those that are due now; false if there is none.
  bool Step() {
    VirtualLoop& loop = clock->loop();
    const std::optional<MonoTime> next = loop.next_event_time();
    if (!next || *next > loop.now()) return false;
    return loop.RunOne();
  }

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kBegin);
  std::map<std::string, int> answers;
  std::unique_ptr<Scheduler> scheduler;
};

TEST_CASE("at whatever step a scheduler is closed, every call in flight is answered, once") {
  int steps = 0;
  for (bool all_done = false; !all_done; ++steps) {
    Closing closing;
    closing.BeginEveryCall();
    for (int i = 0; i < steps && !all_done; ++i) all_done = !closing.Step();
    closing.scheduler.reset();
    INFO("closed after step " << steps);
    REQUIRE(closing.answers.size() == 10);
    for (const auto& [call, answers] : closing.answers) {
      INFO(call);
      CHECK(answers == 1);
    }
  }
  CHECK(steps > 20);
}

TEST_CASE("a completion that calls again while its scheduler is closed is answered too") {
  Closing closing;
  int answers = 0;
  closing.scheduler->Cancel(JobId("cancel"), "", [&](absl::StatusOr<JobInfo>) {
    closing.scheduler->Pause(JobId("pause"), [&](absl::StatusOr<JobInfo>) {
      ++answers;
      closing.scheduler->Get(JobId("old"), Consistency::kLinearizable,
                             [&](absl::StatusOr<JobInfo>) { ++answers; });
    });
  });
  // The pointer stays where it is until the destructor is done.
  Scheduler* const scheduler = closing.scheduler.get();
  delete scheduler;
  CHECK(answers == 2);
  static_cast<void>(closing.scheduler.release());
}

}  // namespace
}  // namespace scheduled
