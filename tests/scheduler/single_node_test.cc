// One node, from a create to its recorded end, in virtual time: retries, timeouts, capacity,
// restarts and the drain.
#include <catch2/catch.hpp>

#include "scheduler/world.h"

namespace scheduled::test {
namespace {

TEST_CASE("a job that is due in a second runs then, and is completed") {
  World world;
  const absl::StatusOr<JobInfo> created = world.Schedule(Work("a"));
  INFO(created.status().ToString());
  REQUIRE(created.ok());
  CHECK(created->status == JobStatus::kPending);
  CHECK(created->next_run_at == kBegin + absl::Seconds(1));

  world.Run(absl::Milliseconds(990));
  CHECK(world.seen().empty());
  world.Run(absl::Milliseconds(20));
  REQUIRE(world.seen().size() == 1);
  const RunContext& run = *world.seen()[0].run;
  CHECK(run.job_id == JobId("a"));
  CHECK(run.attempt == 1);
  CHECK(run.delivery == 1);
  CHECK(run.due == kBegin + absl::Seconds(1));
  CHECK(world.seen()[0].started == run.due);
  CHECK(run.late_by == absl::ZeroDuration());
  CHECK(run.fencing_token.value > 0);

  const absl::StatusOr<JobInfo> info = world.Get("a");
  REQUIRE(info.ok());
  CHECK(info->status == JobStatus::kCompleted);
  CHECK(info->attempt_count == 1);
  const std::vector<Attempt> attempts = world.Attempts("a");
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].status == JobStatus::kCompleted);
  CHECK(attempts[0].run_id == run.run_id);
  CHECK(attempts[0].node == NodeId("n1"));
}

TEST_CASE("a job whose time is past runs at once, marked late") {
  World world;
  world.Run(absl::Seconds(10));
  REQUIRE(world.Schedule(Job::At(kBegin).Id("a").Executor("work")).ok());
  world.Run(absl::Milliseconds(1));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].run->due == kBegin);
  CHECK(world.seen()[0].run->late_by >= absl::Seconds(10));
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a run is claimed just ahead of its time, and what is due later stays where it is") {
  World world;
  REQUIRE(world.Schedule(Work("a", absl::Seconds(10))).ok());
  REQUIRE(world.Schedule(Work("b", absl::Seconds(11))).ok());
  const Dispatcher& dispatcher = world.node(1).node().leader()->dispatcher();
  world.Run(absl::Milliseconds(9940));
  CHECK(dispatcher.runs() == 0);
  world.Run(absl::Milliseconds(20));
  CHECK(dispatcher.runs() == 1);
  CHECK(world.seen().empty());
}

TEST_CASE("the noop executor is always there") {
  World world;
  REQUIRE(world.Schedule(Job::In(absl::Seconds(1)).Id("a")).ok());
  world.Run(absl::Seconds(2));
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("many jobs of one instant all start at it") {
  World world;
  std::vector<Job> jobs;
  for (int i = 0; i < 50; ++i) jobs.push_back(Work("job-" + std::to_string(i)));
  REQUIRE(world.ScheduleBatch(world.leader(), std::move(jobs)).ok());
  world.Run(absl::Seconds(2));
  REQUIRE(world.seen().size() == 50);
  for (const SeenRun& seen : world.seen()) CHECK(seen.started == kBegin + absl::Seconds(1));
}

// --- Retries ------------------------------------------------------------------------------------

TEST_CASE(
    "a failed attempt is tried again after its wait, with the same run id and a larger token") {
  World world;
  world.OnWork(
      [](const SeenRun& seen, Done done) { done(seen.run->attempt < 3 ? Fails() : RunResult()); });
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 5, .jitter = 0})).ok());
  world.Run(absl::Seconds(10));
  REQUIRE(world.seen().size() == 3);
  CHECK(world.seen()[1].started == kBegin + absl::Seconds(2));
  CHECK(world.seen()[2].started == kBegin + absl::Seconds(4));
  for (size_t i = 1; i < 3; ++i) {
    CHECK(world.seen()[i].run->run_id == world.seen()[0].run->run_id);
    CHECK(world.seen()[i].run->attempt == static_cast<int>(i) + 1);
    CHECK(world.seen()[i].run->fencing_token > world.seen()[i - 1].run->fencing_token);
    CHECK(world.seen()[i].run->due == kBegin + absl::Seconds(1));
  }
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  CHECK(world.Attempts("a").size() == 3);
}

TEST_CASE("a job whose attempts are used up has failed") {
  World world;
  world.OnWork([](const SeenRun&, Done done) { done(Fails()); });
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 2})).ok());
  world.Run(absl::Seconds(10));
  CHECK(world.seen().size() == 2);
  CHECK(world.StatusOf("a") == JobStatus::kFailed);
  CHECK(world.Attempts("a").back().error_message == "it failed");
}

TEST_CASE("an error that cannot get better is not tried again") {
  World world;
  world.OnWork([](const SeenRun&, Done done) { done(Fails(absl::StatusCode::kInvalidArgument)); });
  REQUIRE(world.Schedule(Work("a")).ok());
  world.Run(absl::Seconds(10));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kFailed);
}

TEST_CASE("a snooze waits as long as it asks and uses up no attempt") {
  World world;
  int calls = 0;
  world.OnWork([&calls](const SeenRun&, Done done) {
    done(++calls <= 4 ? RunResult::Snooze(absl::Seconds(3)) : RunResult());
  });
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 1})).ok());
  world.Run(absl::Seconds(30));
  REQUIRE(world.seen().size() == 5);
  CHECK(world.seen()[4].run->attempt == 1);
  CHECK(world.seen()[4].started >= kBegin + absl::Seconds(13));
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a failed job runs again with fresh attempts when it is redriven") {
  World world;
  bool healthy = false;
  world.OnWork([&healthy](const SeenRun&, Done done) { done(healthy ? RunResult() : Fails()); });
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 1})).ok());
  world.Run(absl::Seconds(2));
  REQUIRE(world.StatusOf("a") == JobStatus::kFailed);
  healthy = true;
  REQUIRE(world.Do(JobVerb::kRedrive, "a").ok());
  world.Run(absl::Seconds(1));
  CHECK(world.seen().size() == 2);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

// --- Time ---------------------------------------------------------------------------------------

TEST_CASE("a run that is over its time is told to stop, recorded as timed out and retried") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world
              .Schedule(Work("a")
                            .Timeout(absl::Seconds(5))
                            .Retry({.max_attempts = 2, .initial = absl::Seconds(10), .jitter = 0}))
              .ok());
  world.Run(absl::Milliseconds(1500));
  REQUIRE(world.seen().size() == 1);
  CHECK_FALSE(world.seen()[0].run->cancelled());
  CHECK(world.seen()[0].run->deadline == kBegin + absl::Seconds(6));
  world.Run(absl::Seconds(5));
  CHECK(world.seen()[0].run->cancelled());
  REQUIRE(world.Attempts("a").size() == 1);
  CHECK(world.Attempts("a")[0].status == JobStatus::kTimeout);
  CHECK(world.Attempts("a")[0].error_type == "timeout");
  CHECK(world.StatusOf("a") == JobStatus::kPending);

  // What the executor says afterwards is dropped.
  world.kept().at("a")(absl::OkStatus());
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("a") == JobStatus::kPending);
  world.Run(absl::Seconds(20));
  CHECK(world.seen().size() == 2);
  CHECK(world.StatusOf("a") == JobStatus::kTimeout);
  world.kept().clear();
}

TEST_CASE("a run that extends its time goes on until the later deadline") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a").Timeout(absl::Seconds(5)).Retry({.max_attempts = 1})).ok());
  world.Run(absl::Seconds(3));
  REQUIRE(world.seen().size() == 1);
  REQUIRE(world.seen()[0].run->Extend(absl::Seconds(5)).ok());
  world.Run(absl::Seconds(6));  // 9 s: past the first deadline
  CHECK(world.StatusOf("a") == JobStatus::kInProgress);
  world.Run(absl::Seconds(3));
  CHECK(world.StatusOf("a") == JobStatus::kTimeout);
  CHECK(absl::IsFailedPrecondition(world.seen()[0].run->Extend(absl::Seconds(1))));
  world.kept().clear();
}

TEST_CASE("an executor that never answers keeps its room until it does") {
  World world;
  std::vector<Done> stuck;
  world.node(1).Serve(
      "narrow", [&stuck](const SeenRun&, Done done) { stuck.push_back(std::move(done)); }, 1);
  const auto narrow = [](const char* id) {
    return Job::In(absl::Seconds(1))
        .Id(id)
        .Executor("narrow")
        .Timeout(absl::Seconds(5))
        .Retry({.max_attempts = 1});
  };
  REQUIRE(world.Schedule(narrow("a")).ok());
  REQUIRE(world.Schedule(narrow("b")).ok());
  world.Run(absl::Seconds(20));
  CHECK(stuck.size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kTimeout);
  CHECK(world.StatusOf("b") == JobStatus::kPending);
  stuck[0](absl::OkStatus());
  world.Run(absl::Seconds(1));
  CHECK(stuck.size() == 2);
  CHECK(world.StatusOf("b") == JobStatus::kInProgress);
  stuck.clear();
}

TEST_CASE("a wall clock that is set forward fires what became due, and nothing twice") {
  World world;
  REQUIRE(world.Schedule(Work("a", absl::Minutes(30))).ok());
  world.Run(absl::Seconds(1));
  world.node(1).runtime().StepWall(absl::Hours(1));
  world.Run(absl::Milliseconds(1));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].run->late_by > absl::Minutes(29));
  world.node(1).runtime().StepWall(-absl::Hours(1));
  world.Run(absl::Hours(1));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a wall clock that is set back makes jobs wait for their time by it") {
  World world;
  REQUIRE(world.Schedule(Work("a", absl::Seconds(10))).ok());
  world.Run(absl::Milliseconds(9970));  // claimed and held
  world.node(1).runtime().StepWall(-absl::Hours(1));
  world.Run(absl::Minutes(59));
  CHECK(world.seen().empty());
  world.Run(absl::Minutes(2));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].started == kBegin + absl::Seconds(10));
}

TEST_CASE("what was held when the clock was set back takes no room from what is due before it") {
  World world;
  int runs = 0;
  world.node(1).Serve(
      "narrow",
      [&runs](const SeenRun&, Done done) {
        ++runs;
        done(absl::OkStatus());
      },
      1);
  REQUIRE(world.Schedule(Job::In(absl::Seconds(10)).Id("a").Executor("narrow")).ok());
  world.Run(absl::Milliseconds(9970));
  world.node(1).runtime().StepWall(-absl::Hours(1));
  REQUIRE(world.Schedule(Job::In(absl::Seconds(5)).Id("b").Executor("narrow")).ok());
  world.Run(absl::Seconds(6));
  CHECK(runs == 1);
  CHECK(world.StatusOf("b") == JobStatus::kCompleted);
  CHECK(world.StatusOf("a") == JobStatus::kPending);
}

// --- Executors and room -------------------------------------------------------------------------

TEST_CASE("runs for an executor that no node knows wait until it is there") {
  World world;
  REQUIRE(world.Schedule(Job::In(absl::Seconds(1)).Id("a").Executor("later")).ok());
  REQUIRE(world.Schedule(Work("b")).ok());
  world.Run(absl::Seconds(10));
  CHECK(world.StatusOf("a") == JobStatus::kPending);
  CHECK(world.StatusOf("b") == JobStatus::kCompleted);  // and hold up nobody else
  bool ran = false;
  world.node(1).Serve("later", [&ran](const SeenRun&, Done done) {
    ran = true;
    done(absl::OkStatus());
  });
  world.Run(absl::Milliseconds(10));
  CHECK(ran);
}

TEST_CASE("an executor gets no more runs at once than it takes, and the next as one ends") {
  World world;
  std::vector<Done> going;
  world.node(1).Serve(
      "narrow", [&going](const SeenRun&, Done done) { going.push_back(std::move(done)); }, 3);
  std::vector<Job> jobs;
  for (int i = 0; i < 10; ++i) {
    jobs.push_back(Job::In(absl::Seconds(1)).Id("job-" + std::to_string(i)).Executor("narrow"));
  }
  REQUIRE(world.ScheduleBatch(world.leader(), std::move(jobs)).ok());
  world.Run(absl::Seconds(2));
  CHECK(going.size() == 3);
  going[0](absl::OkStatus());
  world.Run(absl::Milliseconds(1));
  CHECK(going.size() == 4);
  for (size_t i = 1; i < going.size(); ++i) {
    going[i](absl::OkStatus());
    world.Run(absl::Milliseconds(1));
  }
  CHECK(going.size() == 10);
  going.clear();
}

// --- The process --------------------------------------------------------------------------------

TEST_CASE("a run that was going on when the node died is delivered again, the same run") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a")).ok());
  world.Run(absl::Seconds(2));
  REQUIRE(world.seen().size() == 1);
  world.node(1).Crash();
  world.kept().clear();
  world.OnWork(nullptr);
  REQUIRE(world.node(1).Start().ok());
  world.Run(absl::Seconds(1));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->run_id == world.seen()[0].run->run_id);
  CHECK(world.seen()[1].run->attempt == 1);
  CHECK(world.seen()[1].run->delivery == 2);
  CHECK(world.seen()[1].run->fencing_token > world.seen()[0].run->fencing_token);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  CHECK(world.node(1).node().statistics().redelivered == 1);
}

TEST_CASE("a job that kills its node fails after five deliveries") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a")).ok());
  for (int i = 0; i < 5; ++i) {
    world.Run(absl::Seconds(2));
    CHECK(world.seen().size() == static_cast<size_t>(i) + 1);
    world.node(1).Crash();
    world.kept().clear();
    REQUIRE(world.node(1).Start().ok());
  }
  world.Run(absl::Seconds(5));
  CHECK(world.seen().size() == 5);
  CHECK(world.StatusOf("a") == JobStatus::kFailed);
  CHECK(world.Attempts("a").back().error_type == "node_lost");
}

TEST_CASE("a restart without runs in flight forgets nothing that is pending") {
  World world;
  for (int i = 0; i < 20; ++i) REQUIRE(world.Schedule(Work("job-" + std::to_string(i))).ok());
  world.node(1).Crash();
  REQUIRE(world.node(1).Start().ok());
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 20);
}

TEST_CASE("a node that is closed hands back what still runs, and no attempt is used up") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 1})).ok());
  REQUIRE(world.Schedule(Work("b", absl::Milliseconds(2030))).ok());
  world.Run(absl::Seconds(2));  // a runs, b is held
  REQUIRE(world.seen().size() == 1);
  world.node(1).Close();
  CHECK(world.seen()[0].run->cancelled());
  world.kept().clear();
  world.OnWork(nullptr);
  REQUIRE(world.node(1).Start().ok());
  world.Run(absl::Seconds(1));
  REQUIRE(world.seen().size() == 3);
  for (size_t i = 1; i < 3; ++i) {
    CHECK(world.seen()[i].run->attempt == 1);
    CHECK(world.seen()[i].run->delivery == 1);
  }
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  CHECK(world.StatusOf("b") == JobStatus::kCompleted);
}

TEST_CASE("calls that are in flight when a node is closed get an answer") {
  World world;
  auto call = world.BeginSchedule(world.node(1), Work("a"));
  world.node(1).Close();
  REQUIRE(call->has_value());
}

TEST_CASE("lateness and outcomes are counted") {
  World world;
  world.OnWork([](const SeenRun& seen, Done done) {
    done(seen.run->job_id.value == "bad" ? Fails(absl::StatusCode::kNotFound) : RunResult());
  });
  REQUIRE(world.Schedule(Work("good")).ok());
  REQUIRE(world.Schedule(Work("bad")).ok());
  world.Run(absl::Seconds(2));
  const Statistics statistics = world.node(1).node().statistics();
  CHECK(statistics.executed_completed == 1);
  CHECK(statistics.executed_failed == 1);
  CHECK(statistics.lateness_buckets.at(0) == 2);
  CHECK(statistics.last_executed_at == kBegin + absl::Seconds(1));
  CHECK(statistics.elections == 1);
}

TEST_CASE("what ended before the retention is removed, and requests are forgotten") {
  World world(1, [](NodeOptions* options) {
    options->history_retention = absl::Minutes(10);
    options->sweep_interval = absl::Seconds(30);
  });
  REQUIRE(world.Schedule(Work("old")).ok());
  world.Run(absl::Minutes(9));
  CHECK(world.StatusOf("old") == JobStatus::kCompleted);
  REQUIRE(world.Schedule(Work("young")).ok());
  world.Run(absl::Minutes(3));
  CHECK(absl::IsNotFound(world.Get("old").status()));
  CHECK(world.StatusOf("young") == JobStatus::kCompleted);
}

TEST_CASE("an idle node writes nothing to its log") {
  World world;
  world.Run(absl::Minutes(1));
  const LogIndex before = world.node(1).status().last_index;
  world.Run(absl::Hours(2));
  CHECK(world.node(1).status().last_index == before);
}

}  // namespace
}  // namespace scheduled::test
