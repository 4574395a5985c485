// Replace and delete: what becomes of the runs and the history of the job that was.
#include <catch2/catch.hpp>

#include "base/codec.h"
#include "jobs/limits.h"
#include "jobs/world.h"
#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled::jobs {
// --- Replace ------------------------------------------------------------------------------------

TEST_CASE("a replace gets a new revision and is conditional on the old one") {
  OpenWorld world;
  const uint64_t first = world.Create("a").jobs(0).revision();
  REQUIRE(world.Replace("a", {.if_match = first + 1}).reason() == "revision");
  REQUIRE(world.Replace("a", {.seen_revision = first + 1}).reason() == "stale");
  const pb::Answer answer = world.Replace("a", {.if_match = first});
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.jobs(0).revision() > first);
  REQUIRE(world.Record("a")->definition.payload() == "replaced");
  REQUIRE(world.Replace("a", {.if_match = first}).code() == kAborted);
}

TEST_CASE("a replace that keeps the schedule keeps cursor and runs, and moves them to its queue") {
  OpenWorld world;
  world.CreateRecurring("r", 30 * kSecond);
  const JobRecord before = *world.Record("r");
  world.Replace(
      "r", {.keeps_schedule = true, .queue = "other", .priority = 2, .type = JobType::kRecurring});
  const JobRecord after = *world.Record("r");
  REQUIRE(after.schedule.cursor_us() == before.schedule.cursor_us());
  REQUIRE(after.schedule.runs(0).run() == before.schedule.runs(0).run());
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Slots()[0].queue == "other");
  REQUIRE(world.Slots()[0].priority == 2);
  REQUIRE(world.Claim("r").outcome() == pb::ClaimAnswer::CLAIMED);
}

TEST_CASE("rule 5: a replace that keeps the schedule puts what was withdrawn back into slots") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::Answer answer =
      world.Replace("a", {.keeps_schedule = true, .withdrawn = world.InFlight("a")});
  REQUIRE(answer.inflight().empty());
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("a retry after a replace waits in the new queue") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  REQUIRE(world.Replace("a", {.keeps_schedule = true, .queue = "other"}).inflight_size() == 1);
  world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond});
  REQUIRE(world.Slots()[0].queue == "other");
}

TEST_CASE("a replace that changes the schedule records what waited as skipped") {
  OpenWorld world;
  world.Create("a");
  world.Replace("a", {.due_in = 500 * kSecond});
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Slots()[0].ready_us == world.now + 500 * kSecond);
  REQUIRE(world.Record("a")->schedule.cursor_us() == world.now + 500 * kSecond);
  REQUIRE(world.Attempts("a")[0].status == JobStatus::kSkipped);
  REQUIRE(world.Attempts("a")[0].error_type == "replaced");
}

TEST_CASE("the finish of an older schedule's run is recorded and decides nothing") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  REQUIRE(world.Replace("a", {}).inflight_size() == 1);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  SECTION("it fails: no retry, and the job waits on") {
    world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond});
    REQUIRE(world.Slots().size() == 1);
    REQUIRE(world.Status("a") == JobStatus::kPending);
    REQUIRE(world.Attempts("a")[0].status == JobStatus::kFailed);
  }
  SECTION("its node dies: it is not run again") {
    world.CloseSession("n1", {.taken = world.InFlight("a")});
    REQUIRE(world.Slots().size() == 1);
    REQUIRE(world.Attempts("a")[0].error_type == "node_lost");
  }
  SECTION("the job ends without waiting for it") {
    world.Claim("a");
    const std::vector<pb::RunRef> runs = world.InFlight("a");
    REQUIRE(runs.size() == 2);
    world.FinishRun(runs[1], {});
    REQUIRE(world.Status("a") == JobStatus::kCompleted);
    world.FinishRun(runs[0], {.status = JobStatus::kFailed});
    REQUIRE(world.Status("a") == JobStatus::kCompleted);
  }
}

TEST_CASE("a replace brings a finished, cancelled or paused job under the new schedule") {
  OpenWorld world;
  world.Create("a");
  SECTION("finished") {
    world.RunOnce("a");
    world.Replace("a", {});
    REQUIRE(world.Status("a") == JobStatus::kPending);
  }
  SECTION("cancelled") {
    world.Cancel("a");
    world.Replace("a", {});
    REQUIRE(world.Status("a") == JobStatus::kPending);
  }
  SECTION("cancelled, while its run still ends") {
    world.Claim("a");
    world.Cancel("a");
    world.Replace("a", {});
    REQUIRE(world.Status("a") == JobStatus::kPending);
    world.Finish("a", {.status = JobStatus::kCancelled});
    REQUIRE(world.Status("a") == JobStatus::kPending);
  }
  SECTION("paused") {
    world.Pause("a");
    world.Replace("a", {});
    REQUIRE(world.Status("a") == JobStatus::kPaused);
    REQUIRE(world.Record("a")->schedule.runs_size() == 1);
    world.Resume("a");
  }
  world.RunOnce("a");
  REQUIRE(world.Status("a") == JobStatus::kCompleted);
}

// --- Delete -------------------------------------------------------------------------------------

TEST_CASE("a delete removes the job with its history") {
  OpenWorld world;
  world.CreateRecurring("r");
  world.CreateRecurring("other");
  for (int i = 0; i < 10; ++i) {
    world.Advance(kSecond);
    world.RunOnce("r", i % 2 == 0 ? JobStatus::kCompleted : JobStatus::kFailed);
    world.RunOnce("other");
  }
  REQUIRE(world.Delete("r").code() == 0);
  REQUIRE_FALSE(world.Exists("r"));
  REQUIRE(world.RowsIn(kRunsTag) == 10);
  REQUIRE(world.RowsIn(kDoneTag) == 10);
  REQUIRE(world.Counters().jobs() == 1);
  REQUIRE(world.Counters().total_deleted() == 1);
}

TEST_CASE("a delete names what still runs; its finish is dropped, counted, and its row removed") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const std::vector<pb::RunRef> runs = world.InFlight("a");
  REQUIRE(world.Delete("a").inflight_size() == 1);
  REQUIRE(world.RowsIn(kInflightTag) == 1);
  SECTION("finished") {
    REQUIRE(world.FinishRun(runs[0], {}).outcome() == pb::FinishAnswer::STALE);
    REQUIRE(world.Counters().dropped_finishes() == 1);
  }
  SECTION("put back") { world.PutBack(runs); }
  SECTION("its node dies") { world.CloseSession("n1", {.taken = runs}); }
  SECTION("finished after the id was taken again") {
    world.Create("a");
    REQUIRE(world.Status("a") == JobStatus::kPending);
    world.FinishRun(runs[0], {});
    REQUIRE(world.Status("a") == JobStatus::kPending);
    REQUIRE(world.Slots().size() == 1);
    world.Delete("a");
  }
  REQUIRE(world.RowsIn(kInflightTag) == 0);
  REQUIRE(world.Slots().empty());
  REQUIRE(world.RowsIn(kQueuesTag) == 0);
}

TEST_CASE("a delete of a cancelled job leaves no trace, though its run still ends") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  world.Cancel("a");
  world.Advance(kSecond);
  world.Delete("a");
  REQUIRE(world.Done().empty());
}

TEST_CASE("a job under a deleted one's id does not inherit its history") {
  OpenWorld world;
  world.Create("a");
  world.Delete("a");
  // What a delete left behind because there was too much of it.
  TableBatch batch(world.store);
  batch.Put(EncodeDeliveryKey({.job_id = "a", .run = 2, .attempt = 1, .delivery = 1}),
            pb::RunRow().SerializeAsString());
  PutApplied(batch, {.index = world.last_index, .term = world.term});
  REQUIRE(world.store.Apply(batch).ok());
  world.Create("a");
  REQUIRE(world.RowsIn(kRunsTag) == 1);
  REQUIRE(world.Attempts("a").empty());
  world.RunOnce("a");
  REQUIRE(world.Attempts("a").size() == 1);
}

TEST_CASE("a delete takes so much history at once, that of live runs first") {
  OpenWorld world;
  world.CreateRecurring("r");
  for (const char* id : {"b", "c", "d"}) world.Create(id);  // run numbers in between
  world.Trigger("r");
  world.Claim("r");
  const uint64_t live = world.InFlight("r").front().run();
  world.Finish("r", {.status = JobStatus::kFailed, .retry_in = kSecond});
  TableBatch batch(world.store);
  for (uint32_t i = 1; i <= kMaxDeletedHistory + 100; ++i) {
    batch.Put(EncodeDeliveryKey({.job_id = "r", .run = live - 1, .attempt = i, .delivery = 1}),
              pb::RunRow().SerializeAsString());
  }
  PutApplied(batch, {.index = world.last_index, .term = world.term});
  REQUIRE(world.store.Apply(batch).ok());
  REQUIRE(world.Delete("r").code() == 0);
  REQUIRE(world.RowsIn(kRunsTag) == 101);
  REQUIRE(world.store.Scan(RunsFrom("r", live), PrefixEnd(RunsPrefix("r")), 9)->empty());
}

}  // namespace scheduled::jobs
