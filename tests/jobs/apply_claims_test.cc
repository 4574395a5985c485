// Claims, finishes and put-backs: a due run on its way to its end. Numbers in names are rules of
// the dispatch that Apply enforces.
#include <catch2/catch.hpp>

#include "jobs/limits.h"
#include "jobs/world.h"

namespace scheduled::jobs {
namespace {

using ClaimOutcome = pb::ClaimAnswer;
using FinishOutcome = pb::FinishAnswer;

}  // namespace

TEST_CASE("a claim moves a run from slots into flight, with a token") {
  OpenWorld world;
  world.Create("a");
  const pb::ClaimAnswer claim = world.Claim("a");
  REQUIRE(claim.outcome() == ClaimOutcome::CLAIMED);
  REQUIRE(claim.token() == world.last_index.value);
  REQUIRE(claim.attempt() == 1);
  REQUIRE(claim.delivery() == 1);
  REQUIRE(world.Slots().empty());
  REQUIRE(world.InFlight("a").size() == 1);
  REQUIRE(world.Status("a") == JobStatus::kInProgress);
  REQUIRE(world.Counters().in_progress() == 1);
}

TEST_CASE("rule 2: a claim whose row is gone is a no-op") {
  OpenWorld world;
  world.Create("a");
  const pb::ClaimItem item = world.ClaimItemFor("a", {});
  REQUIRE(world.ClaimExactly(item).outcome() == ClaimOutcome::CLAIMED);
  REQUIRE(world.ClaimExactly(item).outcome() == ClaimOutcome::STALE);
  REQUIRE(world.InFlight("a").size() == 1);
}

TEST_CASE("rule 2: a claim for a session that is not open is a no-op") {
  World world;
  const uint64_t session = world.OpenSession("n1");
  world.Create("a");
  REQUIRE(world.Claim("a", {.node = "n2"}).outcome() == ClaimOutcome::NO_SESSION);
  REQUIRE(world.Claim("a", {.session = session + 1}).outcome() == ClaimOutcome::NO_SESSION);
  world.CloseSession("n1", {});
  REQUIRE(world.Claim("a", {.session = session}).outcome() == ClaimOutcome::NO_SESSION);
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("rule 2: the first claim enters the next occurrence, and moves the cursor with it") {
  OpenWorld world;
  world.CreateRecurring("r", 60 * kSecond);
  const int64_t due = world.now + 60 * kSecond;
  REQUIRE(world.Claim("r").outcome() == ClaimOutcome::CLAIMED);
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Slots().front().ready_us == due + 60 * kSecond);
  REQUIRE(world.Record("r")->schedule.cursor_us() == due + 60 * kSecond);
  REQUIRE(world.Status("r") == JobStatus::kInProgress);
}

TEST_CASE("rule 2: a second claim of an occurrence does not enter the next one again") {
  OpenWorld world;
  world.CreateRecurring("r", 60 * kSecond);
  const uint64_t run = world.Record("r")->schedule.runs(0).run();
  world.Claim("r");
  SECTION("after it was put back") { world.PutBack(world.InFlight("r")); }
  SECTION("after its node died") { world.CloseSession("n1", {.taken = world.InFlight("r")}); }
  SECTION("after it failed") { world.Finish("r", {.status = JobStatus::kFailed, .retry_in = 1}); }
  world.OpenSession("n1", 2);
  REQUIRE(world.Slots().size() == 2);
  REQUIRE(world.Slots().front().run == run);
  REQUIRE(world.Claim("r").outcome() == ClaimOutcome::CLAIMED);
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Record("r")->schedule.runs_size() == 2);
}

TEST_CASE("rule 2: a skipped occurrence is recorded, and enters its next as well") {
  OpenWorld world;
  world.CreateRecurring("r", 60 * kSecond);
  world.Claim("r");
  REQUIRE(world.Claim("r", {.skip = true}).outcome() == ClaimOutcome::SKIPPED);
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Record("r")->schedule.runs_size() == 2);
  const std::vector<Attempt> attempts = world.Attempts("r");
  REQUIRE(attempts.size() == 1);
  REQUIRE(attempts[0].status == JobStatus::kSkipped);
  REQUIRE(attempts[0].error_type == "overlap");
  REQUIRE_FALSE(attempts[0].start.has_value());
  REQUIRE(world.Counters().total_skipped() == 1);
  REQUIRE(world.Status("r") == JobStatus::kInProgress);
}

TEST_CASE("a claim for missed occurrences takes the last one's nominal time and their number") {
  OpenWorld world;
  world.CreateRecurring("r", 60 * kSecond);
  const int64_t due = world.now + 60 * kSecond;
  REQUIRE(world.Claim("r", {.missed = 3, .later_by = 180 * kSecond}).outcome() ==
          ClaimOutcome::CLAIMED);
  REQUIRE(world.Record("r")->in_flight[0].row.due_us() == due + 180 * kSecond);
  REQUIRE(world.Slots().front().ready_us == due + 240 * kSecond);
  world.Finish("r");
  REQUIRE(world.Attempts("r")[0].due == absl::FromUnixMicros(due + 180 * kSecond));
}

// The clock by which it was claimed may have been ahead of all others.
TEST_CASE("what was claimed for a later due time is put back for that one") {
  OpenWorld world;
  world.CreateRecurring("r", 60 * kSecond);
  const int64_t due = world.now + 60 * kSecond;
  const uint64_t run = world.Record("r")->schedule.runs(0).run();
  world.Claim("r", {.missed = 3, .later_by = 180 * kSecond});
  SECTION("by its leader") { world.PutBack(world.InFlight("r")); }
  SECTION("as its node died") { world.CloseSession("n1", {.taken = world.InFlight("r")}); }
  SECTION("by a pause") {
    world.Pause("r", {.withdrawn = world.InFlight("r")});
    world.Resume("r");
  }
  const std::vector<SlotKey> slots = world.Slots();
  REQUIRE(slots.size() == 2);
  REQUIRE(slots[0].run == run);
  REQUIRE(slots[0].ready_us == due + 180 * kSecond);
}

TEST_CASE("a claim computed from an older revision, cursor or run is stale") {
  OpenWorld world;
  world.CreateRecurring("r");
  pb::ClaimItem item = world.ClaimItemFor("r", {});
  SECTION("revision") { item.set_revision(item.revision() + 1); }
  SECTION("cursor") { item.set_cursor_us(item.cursor_us() - 1); }
  SECTION("run") { item.set_run(item.run() + 1); }
  SECTION("a nominal time before the run's own") { item.set_due_us(item.due_us() - 1); }
  REQUIRE(world.ClaimExactly(item).outcome() == ClaimOutcome::STALE);
  REQUIRE(world.Slots().size() == 1);
}

TEST_CASE("rule 3: each later claim of a job has a larger token, a raised epoch the largest") {
  OpenWorld world;
  world.Create("a");
  const uint64_t first = world.Claim("a").token();
  world.PutBack(world.InFlight("a"));
  const uint64_t second = world.Claim("a").token();
  REQUIRE(second > first);
  world.PutBack(world.InFlight("a"));
  world.SetGroup(1, 3);
  const uint64_t third = world.Claim("a").token();
  REQUIRE(third >> 48 == 3);
  REQUIRE((third & kMaxTokenIndex) == world.last_index.value);
  world.SetGroup(0, 2);
  world.PutBack(world.InFlight("a"));
  REQUIRE(world.Claim("a").token() > third);
}

TEST_CASE("rule 3: a finish with an old token is refused and counted") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::RunRef old = world.InFlight("a").front();
  world.PutBack({old});
  world.Claim("a");
  REQUIRE(world.FinishRun(old, {}).outcome() == FinishOutcome::STALE);
  REQUIRE(world.Counters().dropped_finishes() == 1);
  REQUIRE(world.Status("a") == JobStatus::kInProgress);
  REQUIRE(world.PutBack({old}).finishes(0).outcome() == FinishOutcome::STALE);
}

TEST_CASE("a finished one-time job is completed, and says when") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  world.Advance(kSecond);
  const pb::FinishAnswer finish = world.Finish("a");
  REQUIRE(finish.outcome() == FinishOutcome::APPLIED);
  REQUIRE(finish.status() == static_cast<int>(JobStatus::kCompleted));
  REQUIRE(world.Status("a") == JobStatus::kCompleted);
  REQUIRE(world.Record("a")->schedule.ended_us() == world.now);
  REQUIRE(world.Done().size() == 1);
  REQUIRE(world.Done().front().status == JobStatus::kCompleted);
  REQUIRE(world.Attempts("a").size() == 1);
  REQUIRE(world.Counters().completed() == 1);
  REQUIRE(world.Counters().total_completed() == 1);
  REQUIRE(world.Counters().last_executed_us() == world.now);
}

TEST_CASE("a finish is applied once") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::RunRef run = world.InFlight("a").front();
  REQUIRE(world.FinishRun(run, {}).outcome() == FinishOutcome::APPLIED);
  REQUIRE(world.FinishRun(run, {}).outcome() == FinishOutcome::STALE);
  REQUIRE(world.Attempts("a").size() == 1);
}

TEST_CASE("a failed attempt waits in slots for its retry and keeps its run") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const uint64_t run = world.InFlight("a").front().run();
  const pb::FinishAnswer finish =
      world.Finish("a", {.status = JobStatus::kFailed, .retry_in = 7 * kSecond});
  REQUIRE(finish.status() == static_cast<int>(JobStatus::kPending));
  REQUIRE(world.Slots().front().run == run);
  REQUIRE(world.Slots().front().ready_us == world.now + 7 * kSecond);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  REQUIRE(world.Claim("a").attempt() == 2);
  world.Finish("a", {.status = JobStatus::kTimeout});
  REQUIRE(world.Status("a") == JobStatus::kTimeout);
  const std::vector<Attempt> attempts = world.Attempts("a");
  REQUIRE(attempts.size() == 2);
  REQUIRE(attempts[0].status == JobStatus::kFailed);
  REQUIRE(attempts[1].status == JobStatus::kTimeout);
  REQUIRE(attempts[0].run_id == attempts[1].run_id);
  REQUIRE(world.Record("a")->schedule.attempt_count() == 2);
}

TEST_CASE("an uncounted attempt is not counted") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond, .uncounted = true});
  REQUIRE(world.Claim("a").attempt() == 1);
  world.Finish("a");
  REQUIRE(world.Attempts("a").size() == 1);
  REQUIRE(world.Attempts("a")[0].status == JobStatus::kCompleted);
}

TEST_CASE("a recurring job goes back to pending, and ends behind its last occurrence") {
  OpenWorld world;
  world.CreateRecurring("r");
  world.RunOnce("r");
  REQUIRE(world.Status("r") == JobStatus::kPending);
  REQUIRE(world.Claim("r", {.next_in = 0}).outcome() == ClaimOutcome::CLAIMED);
  REQUIRE(world.Status("r") == JobStatus::kInProgress);
  world.Finish("r");
  REQUIRE(world.Status("r") == JobStatus::kCompleted);
  REQUIRE(world.Attempts("r").size() == 2);
}

TEST_CASE("a recurring job whose last occurrence is skipped ends as the run before it did") {
  OpenWorld world;
  world.CreateRecurring("r");
  world.RunOnce("r", JobStatus::kFailed);
  REQUIRE(world.Claim("r", {.next_in = 0, .skip = true}).outcome() == ClaimOutcome::SKIPPED);
  REQUIRE(world.Status("r") == JobStatus::kFailed);
}

TEST_CASE("live runs of one job are bounded: what would be one more is skipped") {
  OpenWorld world;
  world.CreateRecurring("r");
  while (world.Record("r")->schedule.runs_size() < kMaxLiveRuns) {
    REQUIRE(world.Trigger("r").code() == 0);
  }
  const pb::Answer refused = world.Trigger("r");
  REQUIRE(refused.code() == static_cast<int>(absl::StatusCode::kResourceExhausted));
  // Let the manual runs start, until the scheduled one is the first that waits.
  for (int i = 0; i + 1 < kMaxLiveRuns; ++i) world.Claim("r");
  REQUIRE(world.Claim("r").outcome() == ClaimOutcome::SKIPPED);
  REQUIRE(world.Record("r")->schedule.runs_size() == kMaxLiveRuns);
}

TEST_CASE("what a node tells of a run is kept within bounds") {
  OpenWorld world;
  world.Create("a");
  world.Claim("a");
  const pb::RunRef run = world.InFlight("a").front();
  pb::Command command = world.Stamped();
  pb::FinishItem* item = command.mutable_finishes()->add_items();
  item->set_job_id("a");
  item->set_run(run.run());
  item->set_token(run.token());
  item->set_status(static_cast<int>(JobStatus::kFailed));
  // Not UTF-8, and cut in the middle of whatever it is.
  item->mutable_record()->set_error_message(std::string(5000, '\xe2'));
  item->mutable_record()->set_response(std::string(5000, '\xff'));
  item->mutable_record()->set_error_type(std::string(5000, 'x'));
  item->mutable_record()->set_node_id("another");
  world.Apply(command);
  const Attempt attempt = world.Attempts("a").front();
  REQUIRE(attempt.error_message.size() == kMaxMessageBytes);
  REQUIRE(attempt.response.size() == kMaxResponseBytes);
  REQUIRE(attempt.error_type.size() == kMaxErrorTypeBytes);
  REQUIRE(attempt.node == NodeId("n1"));
}

TEST_CASE("claims, finishes and put-backs that are malformed are refused as a whole") {
  OpenWorld world;
  world.Create("a");
  pb::Command command = world.Stamped();
  SECTION("a claim without a job") {
    *command.mutable_claims()->add_items() = world.ClaimItemFor("a", {});
    command.mutable_claims()->add_items()->set_queue("noop");
  }
  SECTION("a claim whose next occurrence is not later") {
    pb::ClaimItem item = world.ClaimItemFor("a", {});
    item.set_next_due_us(item.due_us());
    *command.mutable_claims()->add_items() = item;
  }
  SECTION("a finish that is no outcome") {
    pb::FinishItem* item = command.mutable_finishes()->add_items();
    item->set_job_id("a");
    item->set_status(static_cast<int>(JobStatus::kSkipped));
  }
  SECTION("a completed run with a retry") {
    pb::FinishItem* item = command.mutable_finishes()->add_items();
    item->set_job_id("a");
    item->set_status(static_cast<int>(JobStatus::kCompleted));
    item->set_retry_us(1);
  }
  SECTION("a put-back without a job") { command.mutable_put_back()->add_runs(); }
  REQUIRE(world.Apply(command).code() == static_cast<int>(absl::StatusCode::kInvalidArgument));
  REQUIRE(world.Slots().size() == 1);
}

}  // namespace scheduled::jobs
