// A scheduler that is closed while calls are under way: each of them gets its answer, at whatever
// step it was. In virtual time, where every step can be tried.
#include <catch2/catch.hpp>
#include <map>

#include "base/virtual_loop.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

const absl::Time kOpenedAt = absl::FromUnixSeconds(1767225600);

// A scheduler, and how often each call's completion was called.
struct Closing {
  Closing() {
    Options options;
    options.clock = clock;
    scheduler = *Scheduler::Open(std::move(options));
    asked = scheduler.get();
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
      CheckMayBe(call, StatusOf(value));
    };
  }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
    return value.status();
  }
  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  void CheckMayBe(const std::string& call, const absl::Status& status) {
    INFO(call << ": " << status.ToString());
    CHECK((status.ok() || absl::IsUnavailable(status) || absl::IsUnknown(status)));
    // "Unavailable" says that nothing was done.
    if (absl::IsUnavailable(status)) CHECK_FALSE(IsDone(call));
    if (absl::IsUnknown(status) && IsDone(call)) ++done_and_unknown;
  }

  // Whether the tables have what the call was to do.
  bool IsDone(const std::string& call) const {
    const auto info = [&](const char* id) { return asked->Get(JobId(id), Consistency::kStale); };
    if (call == "cancel") return info("cancel")->status == JobStatus::kCancelled;
    if (call == "pause") return info("pause")->status == JobStatus::kPaused;
    if (call == "resume") return info("resume")->status == JobStatus::kPending;
    if (call == "trigger") return info("trigger")->next_run_at != kOpenedAt + absl::Hours(1);
    if (call == "replace") return *info("replace")->job.delay == absl::Hours(2);
    if (call == "delete") return absl::IsNotFound(info("delete").status());
    if (call == "schedule") return info("new").ok();
    if (call == "batch") return info("newer").ok();
    return false;
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

  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>(kOpenedAt);
  std::map<std::string, int> answers;
  int done_and_unknown = 0;
  std::unique_ptr<Scheduler> scheduler;
  // The same, also while it is destroyed: its tables are the last to go.
  const Scheduler* asked = nullptr;
};

TEST_CASE(
    "at whatever step a scheduler is closed, every call is answered, once, by what was done") {
  int steps = 0;
  int done_and_unknown = 0;
  for (bool all_done = false; !all_done; ++steps) {
    Closing closing;
    closing.BeginEveryCall();
    for (int i = 0; i < steps && !all_done; ++i) all_done = !closing.Step();
    INFO("closed after step " << steps);
    closing.scheduler.reset();
    done_and_unknown += closing.done_and_unknown;
    REQUIRE(closing.answers.size() == 10);
    for (const auto& [call, answers] : closing.answers) {
      INFO(call);
      CHECK(answers == 1);
    }
  }
  CHECK(steps > 20);
  CHECK(done_and_unknown > 0);
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
