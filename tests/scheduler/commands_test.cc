// Commands on a job against each place where its run can stand: pending, held, running, between two
// attempts (dispatch.md, rules 4 to 6).
#include <catch2/catch.hpp>

#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// One job, brought to where its run stands as the name says; the executor keeps what it gets.
struct Stage {
  explicit Stage(const std::string& where) {
    if (where == "running") {
      world.OnWork(world.KeepDone());
    } else if (where == "between attempts") {
      world.OnWork([](const SeenRun& seen, Done done) {
        done(seen.run->attempt == 1 ? Fails() : RunResult());
      });
    }
    REQUIRE(world
                .Schedule(Work("a", absl::Seconds(10))
                              .Retry({.max_attempts = 3, .initial = absl::Seconds(5), .jitter = 0}))
                .ok());
    if (where == "held") world.Run(absl::Milliseconds(9970));
    if (where == "running" || where == "between attempts") world.Run(absl::Milliseconds(10'500));
    if (where == "held") {
      REQUIRE(world.node(1).node().leader()->dispatcher().runs() == 1);
      REQUIRE(world.seen().empty());
    }
    begun = world.seen().size();
  }
  ~Stage() { world.kept().clear(); }
  bool RanSince() { return world.seen().size() > begun; }

  World world;
  size_t begun = 0;
};

TEST_CASE("a cancelled job does not run, wherever its run stood") {
  for (const char* where : {"pending", "held", "between attempts"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      REQUIRE(stage.world.Do(JobVerb::kCancel, "a").ok());
      stage.world.Run(absl::Minutes(1));
      CHECK_FALSE(stage.RanSince());
      CHECK(stage.world.StatusOf("a") == JobStatus::kCancelled);
      CHECK(stage.world.node(1).node().leader()->dispatcher().runs() == 0);
    }
  }
}

TEST_CASE("a run that goes on when its job is cancelled is told to stop, and its end is recorded") {
  Stage stage("running");
  World& world = stage.world;
  REQUIRE(world.Do(JobVerb::kCancel, "a").ok());
  CHECK(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(1)));
  world.kept().at("a")(absl::CancelledError("stopped"));
  world.Run(absl::Minutes(1));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kCancelled);
  REQUIRE(world.Attempts("a").size() == 1);
  CHECK(world.Attempts("a")[0].status == JobStatus::kCancelled);
}

TEST_CASE("a run that fails after its job was cancelled is not tried again") {
  Stage stage("running");
  REQUIRE(stage.world.Do(JobVerb::kCancel, "a").ok());
  stage.world.kept().at("a")(Fails());
  stage.world.Run(absl::Minutes(1));
  CHECK(stage.world.seen().size() == 1);
  CHECK(stage.world.StatusOf("a") == JobStatus::kCancelled);
}

TEST_CASE("a deleted job does not run and is gone, wherever its run stood") {
  for (const char* where : {"pending", "held", "running", "between attempts"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      REQUIRE(stage.world.Do(JobVerb::kDelete, "a").ok());
      CHECK(absl::IsNotFound(stage.world.Get("a").status()));
      if (stage.world.kept().contains("a")) {
        CHECK(stage.world.seen()[0].run->cancelled());
        stage.world.kept().at("a")(absl::OkStatus());
      }
      stage.world.Run(absl::Minutes(1));
      CHECK_FALSE(stage.RanSince());
      CHECK(stage.world.node(1).node().leader()->dispatcher().runs() == 0);
      CHECK(stage.world.node(1).node().worker().IsQuiet());
    }
  }
}

TEST_CASE("a paused job runs only once it is resumed") {
  for (const char* where : {"pending", "held", "between attempts"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      REQUIRE(stage.world.Do(JobVerb::kPause, "a").ok());
      stage.world.Run(absl::Minutes(1));
      CHECK_FALSE(stage.RanSince());
      CHECK(stage.world.StatusOf("a") == JobStatus::kPaused);
      REQUIRE(stage.world.Do(JobVerb::kResume, "a").ok());
      stage.world.Run(absl::Seconds(1));
      CHECK(stage.RanSince());
      CHECK(stage.world.StatusOf("a") == JobStatus::kCompleted);
    }
  }
}

TEST_CASE("a pause lets what runs go on, and what it ends as is recorded") {
  Stage stage("running");
  REQUIRE(stage.world.Do(JobVerb::kPause, "a").ok());
  CHECK_FALSE(stage.world.seen()[0].run->cancelled());
  stage.world.kept().at("a")(absl::OkStatus());
  stage.world.Run(absl::Seconds(1));
  REQUIRE(stage.world.Attempts("a").size() == 1);
  CHECK(stage.world.Attempts("a")[0].status == JobStatus::kCompleted);
}

TEST_CASE("a replace that keeps the schedule keeps the run and gives it the new definition") {
  for (const char* where : {"pending", "held"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      Job job = Work("a", absl::Seconds(10)).Payload("new");
      REQUIRE(stage.world.Replace(job).ok());
      stage.world.Run(absl::Seconds(11));
      REQUIRE(stage.world.seen().size() == 1);
      CHECK(stage.world.seen()[0].run->payload() == "new");
      CHECK(stage.world.seen()[0].started == kBegin + absl::Seconds(10));
    }
  }
}

TEST_CASE("a replace with another schedule moves the run") {
  for (const char* where : {"pending", "held", "between attempts"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      const absl::Time due = stage.world.now() + absl::Seconds(100);
      REQUIRE(stage.world.Replace(Job::At(due).Id("a").Executor("work")).ok());
      stage.world.Run(absl::Seconds(90));
      CHECK_FALSE(stage.RanSince());
      stage.world.Run(absl::Seconds(20));
      REQUIRE(stage.RanSince());
      CHECK(stage.world.seen()[stage.begun].started == due);
      CHECK(stage.world.seen()[stage.begun].run->attempt == 1);
    }
  }
}

TEST_CASE("a replace that keeps the schedule lets what runs go on, and its end is the job's") {
  Stage stage("running");
  World& world = stage.world;
  REQUIRE(world.Replace(Work("a", absl::Seconds(10)).Payload("new")).ok());
  CHECK_FALSE(world.seen()[0].run->cancelled());
  CHECK(world.StatusOf("a") == JobStatus::kInProgress);
  SECTION("it completes") {
    world.kept().at("a")(absl::OkStatus());
    world.Run(absl::Minutes(1));
    CHECK(world.seen().size() == 1);
    CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  }
  SECTION("it fails, and the next attempt has the new definition") {
    world.OnWork(nullptr);
    world.kept().at("a")(Fails());
    world.Run(absl::Minutes(1));
    REQUIRE(world.seen().size() == 2);
    CHECK(world.seen()[1].run->run_id == world.seen()[0].run->run_id);
    CHECK(world.seen()[1].run->attempt == 2);
    CHECK(world.seen()[1].run->payload() == "new");
    CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  }
}

TEST_CASE("a replace with another schedule lets what runs end, which decides nothing then") {
  const bool completes = GENERATE(true, false);
  Stage stage("running");
  World& world = stage.world;
  const absl::Time due = world.now() + absl::Seconds(100);
  REQUIRE(world.Replace(Job::At(due).Id("a").Executor("work")).ok());
  world.OnWork(nullptr);
  world.kept().at("a")(completes ? RunResult() : Fails());
  world.Run(absl::Seconds(90));
  // Recorded, neither the end of the job nor tried again.
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kPending);
  REQUIRE(world.Attempts("a").size() == 1);
  CHECK(world.Attempts("a")[0].status == (completes ? JobStatus::kCompleted : JobStatus::kFailed));
  world.Run(absl::Seconds(20));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].started == due);
  CHECK(world.seen()[1].run->attempt == 1);
  CHECK(world.seen()[1].run->run_id != world.seen()[0].run->run_id);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a replace that keeps the schedule of a job between two attempts keeps the retry") {
  Stage stage("between attempts");
  World& world = stage.world;
  REQUIRE(world.Replace(Work("a", absl::Seconds(10)).Payload("new")).ok());
  world.Run(absl::Minutes(1));
  REQUIRE(world.seen().size() == 2);
  const SeenRun& retried = world.seen()[1];
  CHECK(retried.started - world.seen()[0].started == absl::Seconds(5));
  CHECK(retried.run->run_id == world.seen()[0].run->run_id);
  CHECK(retried.run->attempt == 2);
  CHECK(retried.run->payload() == "new");
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a trigger makes a pending job run now") {
  for (const char* where : {"pending", "between attempts"}) {
    DYNAMIC_SECTION(where) {
      Stage stage(where);
      REQUIRE(stage.world.Do(JobVerb::kTrigger, "a").ok());
      stage.world.Run(absl::Milliseconds(100));
      CHECK(stage.RanSince());
      CHECK(stage.world.StatusOf("a") == JobStatus::kCompleted);
    }
  }
}

TEST_CASE("a refused command changes nothing: what it withdrew starts at its time") {
  Stage stage("held");
  // A replace with a revision that is not the job's is refused after the withdrawal.
  const WriteResult refused = stage.world.Replace(Work("a", absl::Seconds(20)), Revision(999'999));
  CHECK(absl::IsAborted(refused.status()));
  stage.world.Run(absl::Seconds(1));
  REQUIRE(stage.world.seen().size() == 1);
  CHECK(stage.world.seen()[0].started == kBegin + absl::Seconds(10));
}

TEST_CASE("a cancel that is acknowledged right before the due time wins over the start") {
  World world;
  int ran = 0;
  world.OnWork([&ran](const SeenRun&, Done done) {
    ++ran;
    done(absl::OkStatus());
  });
  for (int i = 0; i < 40; ++i) {
    REQUIRE(world.Schedule(Work("job-" + std::to_string(i), absl::Seconds(2))).ok());
  }
  world.Run(absl::Milliseconds(1999));
  std::vector<std::shared_ptr<std::optional<WriteResult>>> calls;
  for (int i = 0; i < 40; ++i) {
    calls.push_back(world.Begin(world.node(1), JobVerb::kCancel, "job-" + std::to_string(i)));
  }
  REQUIRE(world.RunUntil([&] { return calls.back()->has_value(); }));
  world.Run(absl::Seconds(5));
  CHECK(ran == 0);
}

TEST_CASE("commands on one job are carried out one after the other, in their order") {
  World world;
  REQUIRE(world.Schedule(Work("a", absl::Seconds(10))).ok());
  std::vector<std::shared_ptr<std::optional<WriteResult>>> calls;
  for (JobVerb verb : {JobVerb::kPause, JobVerb::kResume, JobVerb::kPause, JobVerb::kResume,
                       JobVerb::kTrigger, JobVerb::kDelete}) {
    calls.push_back(world.Begin(world.node(1), verb, "a"));
  }
  REQUIRE(world.RunUntil([&] { return calls.back()->has_value(); }));
  for (const auto& call : calls) {
    REQUIRE(call->has_value());
    REQUIRE((*call)->ok());
    CHECK((**call)->code() == 0);
  }
  CHECK(absl::IsNotFound(world.Get("a").status()));
}

TEST_CASE("a create under an id that stands for other content is refused") {
  World world;
  REQUIRE(world.Schedule(Work("a")).ok());
  const absl::StatusOr<JobInfo> again = world.Schedule(Work("a"));
  REQUIRE(again.ok());
  const absl::StatusOr<JobInfo> other = world.Schedule(Work("a", absl::Seconds(7)));
  CHECK(absl::IsAlreadyExists(other.status()));
}

TEST_CASE("batches that share ids in different order do not lock each other out") {
  World world;
  const auto batch = [](bool reverse) {
    std::vector<Job> jobs = {Work("a"), Work("b"), Work("c"), Work("d")};
    if (reverse) std::reverse(jobs.begin(), jobs.end());
    return jobs;
  };
  std::vector<std::shared_ptr<std::optional<WriteResult>>> calls;
  for (int i = 0; i < 10; ++i) {
    for (Job& job : batch(i % 2 == 0)) {
      calls.push_back(world.BeginSchedule(world.node(1), std::move(job)));
    }
  }
  REQUIRE(world.ScheduleBatch(world.node(1), batch(false)).ok());
  REQUIRE(world.ScheduleBatch(world.node(1), batch(true)).ok());
  for (const auto& call : calls) CHECK(call->has_value());
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 4);
}

TEST_CASE("commands on a job that does not exist say so") {
  World world;
  for (JobVerb verb : {JobVerb::kDelete, JobVerb::kCancel, JobVerb::kPause, JobVerb::kResume,
                       JobVerb::kTrigger, JobVerb::kRedrive}) {
    CHECK(absl::IsNotFound(world.Do(verb, "nobody").status()));
  }
  CHECK(absl::IsNotFound(world.Replace(Work("nobody")).status()));
}

}  // namespace
}  // namespace scheduled::test
