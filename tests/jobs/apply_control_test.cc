// Cancel, pause, resume, trigger and redrive: commands that meet a job wherever its runs happen to
// stand. Replace and delete: apply_replace_test.cc.
#include <catch2/catch.hpp>

#include "jobs/world.h"

namespace scheduled::jobs {
// --- Cancel -------------------------------------------------------------------------------------

TEST_CASE("a cancelled pending job ends at once and is found in done") {
  OpenWorld world;
  world.Create("a");
  const pb::Answer answer = world.Cancel("a");
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.jobs(0).status() == static_cast<int>(JobStatus::kCancelled));
  REQUIRE(answer.jobs(0).stamp_us() == world.now);
  REQUIRE(answer.inflight().empty());
  REQUIRE(world.Status("a") == JobStatus::kCancelled);
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Done().front().status == JobStatus::kCancelled);
  REQUIRE(world.Attempts("a")[0].status == JobStatus::kCancelled);
  REQUIRE(world.Attempts("a")[0].error_message == "not needed");
  REQUIRE(world.Counters().cancelled() == 1);
}

TEST_CASE("rule 6: a cancel leaves what has started in flight, and its finish is recorded") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::Answer answer = world.Cancel("a");
  REQUIRE(answer.inflight_size() == 1);
  REQUIRE(world.Status("a") == JobStatus::kCancelled);
  REQUIRE(world.Record("a")->schedule.ended_us() == 0);
  world.Advance(kSecond);
  REQUIRE(world.Finish("a").outcome() == pb::FinishAnswer::APPLIED);
  REQUIRE(world.Status("a") == JobStatus::kCancelled);
  REQUIRE(world.Record("a")->schedule.ended_us() == world.now);
  REQUIRE(world.Attempts("a")[0].status == JobStatus::kCompleted);
  REQUIRE(world.Done().size() == 1);
  REQUIRE(world.Counters().total_completed() == 1);
}

TEST_CASE("a cancelled run that fails is not retried") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  world.Cancel("a");
  const pb::FinishAnswer finish =
      world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond});
  REQUIRE(finish.status() == static_cast<int>(JobStatus::kFailed));
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Status("a") == JobStatus::kCancelled);
}

TEST_CASE("rule 5: a cancel takes what the leader withdrew for not started") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::Answer answer = world.Cancel("a", {.withdrawn = world.InFlight("a")});
  REQUIRE(answer.inflight().empty());
  REQUIRE(world.InFlight("a").empty());
  REQUIRE(world.Record("a")->schedule.ended_us() == world.now);
}

TEST_CASE("rule 5: a withdrawn name with another token is ignored") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  pb::RunRef old = world.InFlight("a").front();
  world.PutBack({old});
  world.Claim("a");
  const pb::Answer answer = world.Cancel("a", {.withdrawn = {old}});
  REQUIRE(answer.inflight_size() == 1);
  REQUIRE(answer.inflight(0).token() != old.token());
}

TEST_CASE("rule 5: a refused command names what stays in flight, so that it is taken up again") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const std::vector<pb::RunRef> held = world.InFlight("a");
  SECTION("a replace that does not match") {
    const pb::Answer answer = world.Replace("a", {.if_match = 77, .withdrawn = held});
    REQUIRE(answer.code() == kAborted);
    REQUIRE(answer.inflight_size() == 1);
  }
  SECTION("a cancel of a job that ended") {
    world.Cancel("a");
    const pb::Answer answer = world.Cancel("a", {.withdrawn = held});
    REQUIRE(answer.code() == kPrecondition);
    REQUIRE(answer.inflight_size() == 1);
  }
  SECTION("a pause of a job that was deleted") {
    world.Delete("a");
    const pb::Answer answer = world.Pause("a", {.withdrawn = held});
    REQUIRE(answer.code() == kNotFound);
    REQUIRE(answer.inflight_size() == 1);
    REQUIRE(answer.inflight(0).run() == held[0].run());
  }
  REQUIRE(world.InFlight("a").size() == 1);
}

TEST_CASE("a recurring job is cancelled with everything that it has") {
  OpenWorld world;
  world.CreateRecurring("r");
  world.Claim("r");
  world.Trigger("r");
  const pb::Answer answer = world.Cancel("r");
  REQUIRE(answer.inflight_size() == 1);
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Status("r") == JobStatus::kCancelled);
  world.Finish("r");
  REQUIRE(world.Done().size() == 3);
  for (const DoneKey& key : world.Done()) REQUIRE(key.status == JobStatus::kCancelled);
}

TEST_CASE("a job that has ended is not cancelled, paused, resumed or triggered") {
  OpenWorld world;
  world.Create("a");
  SECTION("completed") { world.RunOnce("a"); }
  SECTION("failed") { world.RunOnce("a", JobStatus::kFailed); }
  SECTION("cancelled") { world.Cancel("a"); }
  SECTION("cancelled while it runs") {
    world.Claim("a");
    world.Cancel("a");
  }
  REQUIRE(world.Cancel("a").reason() == "already_ended");
  REQUIRE(world.Pause("a").reason() == "already_ended");
  REQUIRE(world.Resume("a").reason() == "already_ended");
  REQUIRE(world.Trigger("a").reason() == "already_ended");
}

TEST_CASE("commands on no job answer that there is none") {
  World world;
  REQUIRE(world.Cancel("x").code() == kNotFound);
  REQUIRE(world.Pause("x").code() == kNotFound);
  REQUIRE(world.Resume("x").code() == kNotFound);
  REQUIRE(world.Trigger("x").code() == kNotFound);
  REQUIRE(world.Redrive("x").code() == kNotFound);
  REQUIRE(world.Delete("x").code() == kNotFound);
  REQUIRE(world.Replace("x", {}).code() == kNotFound);
  REQUIRE(world.Cancel("").code() == static_cast<int>(absl::StatusCode::kInvalidArgument));
}

// --- Pause and resume ---------------------------------------------------------------------------

TEST_CASE("a paused job's run is held, and resumed at the place that it had") {
  OpenWorld world;
  world.Create("a", {.due_in = 5 * kSecond});
  const std::vector<SlotKey> before = world.Slots();
  REQUIRE(world.Pause("a").jobs(0).status() == static_cast<int>(JobStatus::kPaused));
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Pause("a").code() == 0);
  REQUIRE(world.Counters().paused() == 1);
  REQUIRE(world.Resume("a").jobs(0).status() == static_cast<int>(JobStatus::kPending));
  REQUIRE(world.Slots() == before);
  REQUIRE(world.Resume("a").code() == 0);
}

TEST_CASE("rule 5: a pause takes what the leader withdrew into the schedule") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::Answer answer = world.Pause("a", {.withdrawn = world.InFlight("a")});
  REQUIRE(answer.inflight().empty());
  REQUIRE(world.Record("a")->schedule.runs(0).held());
  world.Resume("a");
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("rule 15: whatever comes back to a paused job is held") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const std::vector<pb::RunRef> runs = world.InFlight("a");
  REQUIRE(world.Pause("a").inflight_size() == 1);
  REQUIRE(world.Status("a") == JobStatus::kPaused);
  SECTION("a retry") {
    REQUIRE(world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond}).status() ==
            static_cast<int>(JobStatus::kPaused));
  }
  SECTION("a claim that is put back") { world.PutBack(runs); }
  SECTION("a run whose node died") { world.CloseSession("n1", {.taken = runs}); }
  SECTION("a claim that a second pause withdraws") { world.Pause("a", {.withdrawn = runs}); }
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Record("a")->schedule.runs(0).held());
  world.Resume("a");
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("what runs goes on under a pause, and a one-time job then ends") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  world.Pause("a");
  world.Finish("a");
  REQUIRE(world.Status("a") == JobStatus::kCompleted);
}

// --- Trigger and redrive ------------------------------------------------------------------------

TEST_CASE("a trigger moves a pending one-time job's run to now") {
  OpenWorld world;
  world.Create("a", {.due_in = 3600 * kSecond});
  const pb::Answer answer = world.Trigger("a");
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.jobs(0).next_due_us() == world.now);
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Slots()[0].ready_us == world.now);
  REQUIRE(world.Record("a")->schedule.runs(0).due_us() == world.now);
  world.Claim("a");
  REQUIRE(world.Trigger("a").reason() == "running");
}

TEST_CASE("a trigger moves a retry to now, and leaves its nominal time") {
  OpenWorld world;
  world.Create("a", {.due_in = 0});
  const int64_t due = world.now;
  world.Claim("a");
  world.Advance(kSecond);
  world.Finish("a", {.status = JobStatus::kFailed, .retry_in = 300 * kSecond});
  world.Trigger("a");
  REQUIRE(world.Slots()[0].ready_us == world.now);
  REQUIRE(world.Record("a")->schedule.runs(0).due_us() == due);
}

TEST_CASE("a trigger gives a recurring job a run outside of its schedule") {
  OpenWorld world;
  world.CreateRecurring("r");
  const int64_t cursor = world.Record("r")->schedule.cursor_us();
  REQUIRE(world.Trigger("r").code() == 0);
  REQUIRE(world.Slots().size() == 2);
  // The manual run's claim enters nothing.
  world.RunOnce("r");
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Record("r")->schedule.cursor_us() == cursor);
  world.Pause("r");
  REQUIRE(world.Trigger("r").reason() == "paused");
}

TEST_CASE("a failed job is redriven with fresh attempts") {
  OpenWorld world;
  world.Create("a");
  world.RunOnce("a", JobStatus::kFailed);
  const pb::Answer answer = world.Redrive("a");
  REQUIRE(answer.code() == 0);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  REQUIRE(world.Slots()[0].ready_us == world.now);
  REQUIRE(world.Claim("a").attempt() == 1);
  REQUIRE(world.Redrive("a").reason() == "not_failed");
  world.Finish("a");
  REQUIRE(world.Status("a") == JobStatus::kCompleted);
  REQUIRE(world.Redrive("a").reason() == "not_failed");
  REQUIRE(world.Attempts("a").size() == 2);
}

// --- Requests that come again -------------------------------------------------------------------

TEST_CASE("a retried command is answered as the first time, and applied once") {
  OpenWorld world;
  world.CreateRecurring("r");
  const pb::Answer first = world.Trigger("r", RequestId("t1"));
  world.Advance(kSecond);
  const pb::Answer again = world.Trigger("r", RequestId("t1"));
  REQUIRE(again.jobs(0).stamp_us() == first.jobs(0).stamp_us());
  REQUIRE(world.Slots().size() == 2);
  REQUIRE(world.Trigger("r", RequestId("t2")).code() == 0);
  REQUIRE(world.Slots().size() == 3);
}

TEST_CASE("a retried command of a job that is gone since is still answered") {
  OpenWorld world;
  world.Create("a");
  REQUIRE(world.Cancel("a", {.request_id = RequestId("c")}).code() == 0);
  world.Delete("a", {.request_id = RequestId("d")});
  REQUIRE(world.Cancel("a", {.request_id = RequestId("c")}).code() == 0);
  REQUIRE(world.Delete("a", {.request_id = RequestId("d")}).code() == 0);
  REQUIRE(world.Delete("a", {.request_id = RequestId("e")}).code() == kNotFound);
}

TEST_CASE("a retried command tells what is in flight now, not then") {
  OpenWorld world;
  world.CreateRecurring("r");
  REQUIRE(world.Trigger("r", RequestId("t")).inflight().empty());
  world.Claim("r");
  REQUIRE(world.Trigger("r", RequestId("t")).inflight_size() == 1);
}

TEST_CASE("a refused command is not remembered") {
  OpenWorld world;
  REQUIRE(world.Trigger("a", RequestId("t")).code() == kNotFound);
  world.CreateRecurring("a");
  REQUIRE(world.Trigger("a", RequestId("t")).code() == 0);
}

TEST_CASE("what is remembered of requests is forgotten after ten minutes") {
  OpenWorld world;
  world.CreateRecurring("r");
  world.Trigger("r", RequestId("t"));
  REQUIRE(world.RowsIn(kDedupTag) == 1);
  world.Advance(599 * kSecond);
  REQUIRE(world.SweepDedup(world.now).removed() == 0);
  world.Advance(2 * kSecond);
  REQUIRE(world.SweepDedup(world.now).removed() == 1);
  REQUIRE(world.RowsIn(kDedupTag) == 0);
  REQUIRE(world.RowsIn(kDedupExpiryTag) == 0);
}

}  // namespace scheduled::jobs
