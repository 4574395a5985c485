// Sessions and house-keeping.
#include <catch2/catch.hpp>

#include "jobs/limits.h"
#include "jobs/world.h"

namespace scheduled::jobs {

TEST_CASE("rule 10: a session's id is its place in the log, and a restart begins a new one") {
  World world;
  const uint64_t first = world.OpenSession("n1", 1);
  REQUIRE(first == world.last_index.value << 16);
  const uint64_t second = world.OpenSession("n1", 2);
  REQUIRE(second > first);
  REQUIRE(world.Session("n1")->session() == second);
}

TEST_CASE("rule 10: an open with the boot counter of the open session answers that one") {
  World world;
  const uint64_t session = world.OpenSession("n1", 5);
  REQUIRE(world.OpenSession("n1", 5) == session);
  world.CloseSession("n1", {});
  REQUIRE(world.OpenSession("n1", 5) > session);
}

TEST_CASE("rule 10: a leader whose disk was lost replaces its session of a larger boot counter") {
  World world;
  const uint64_t session = world.OpenSession("n1", 5);
  REQUIRE(world.OpenSession("n1", 4) > session);
  REQUIRE(world.Session("n1")->boot() == 4);
}

TEST_CASE("rule 10: opening closes the node's older session and puts its runs back") {
  World world;
  world.OpenSession("n1", 1);
  world.Create("a");
  world.Claim("a");
  world.OpenSession("n1", 2);
  REQUIRE(world.Slots().size() == 1);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  REQUIRE(world.Claim("a").delivery() == 1);
}

TEST_CASE("rule 10: only a run whose Start was taken counts a delivery") {
  World world;
  world.OpenSession();
  world.Create("held");
  world.Create("taken");
  world.Claim("held");
  world.Claim("taken");
  world.CloseSession("n1", {.taken = world.InFlight("taken")});
  world.OpenSession();
  REQUIRE(world.Claim("held").delivery() == 1);
  REQUIRE(world.Claim("taken").delivery() == 2);
  REQUIRE(world.Attempts("held").empty());
  REQUIRE(world.Attempts("taken").size() == 1);
  REQUIRE(world.Attempts("taken")[0].error_type == "node_lost");
  REQUIRE(world.Counters().total_redelivered() == 1);
}

TEST_CASE("a taken run with another token does not count a delivery") {
  World world;
  world.OpenSession();
  world.Create("a");
  world.Claim("a");
  std::vector<pb::RunRef> taken = world.InFlight("a");
  taken[0].set_token(taken[0].token() + 1);
  world.CloseSession("n1", {.taken = taken});
  world.OpenSession();
  REQUIRE(world.Claim("a").delivery() == 1);
}

TEST_CASE("rule 10: a run that died with its node five times fails as node_lost") {
  World world;
  world.Create("killer");
  world.CreateRecurring("recurring");
  for (int i = 1; i <= 5; ++i) {
    world.OpenSession();
    REQUIRE(world.Claim("killer").delivery() == i);
    REQUIRE(world.Claim("recurring").delivery() == i);
    world.Advance(kSecond);
    world.CloseSession("n1", {.taken_unknown = true});
  }
  REQUIRE(world.Status("killer") == JobStatus::kFailed);
  REQUIRE(world.Attempts("killer").size() == 5);
  REQUIRE(world.Attempts("killer").back().error_type == "node_lost");
  REQUIRE(world.Counters().total_failed() == 2);
  // Its next occurrence is not touched by it.
  REQUIRE(world.Status("recurring") == JobStatus::kPending);
  REQUIRE(world.Redrive("killer").code() == 0);
}

TEST_CASE("rule 15: a closed session's cancelled run is dropped, not put back") {
  World world;
  world.OpenSession();
  world.Create("a");
  world.Claim("a");
  world.Cancel("a");
  SECTION("started") { world.CloseSession("n1", {.taken = world.InFlight("a")}); }
  SECTION("not started") { world.CloseSession("n1", {}); }
  REQUIRE(world.Slots().empty());
  REQUIRE(world.Status("a") == JobStatus::kCancelled);
  REQUIRE(world.Record("a")->schedule.ended_us() != 0);
  REQUIRE(world.Attempts("a").size() == 1);
}

TEST_CASE("a close of a session that is not open changes nothing") {
  World world;
  world.OpenSession("n1", 1);
  world.Create("a");
  world.Claim("a");
  pb::Command command = world.Stamped();
  command.mutable_close_session()->set_node_id("n1");
  command.mutable_close_session()->set_session(1);
  const pb::Answer answer = world.Apply(command);
  REQUIRE(answer.code() == 0);
  REQUIRE(answer.session() == world.Session("n1")->session());
  REQUIRE(world.InFlight("a").size() == 1);
}

TEST_CASE("a close puts back the runs of its own session alone, more than one scan's worth") {
  World world;
  world.OpenSession("n1");
  world.OpenSession("n2");
  pb::Command claims = world.Stamped();
  claims.mutable_claims()->set_node_id("n1");
  claims.mutable_claims()->set_session(world.Session("n1")->session());
  for (int i = 0; i < 600; ++i) {
    const std::string id = "j" + std::to_string(i);
    world.Create(id);
    if (i % 3 != 0) *claims.mutable_claims()->add_items() = world.ClaimItemFor(id, {});
  }
  world.Apply(claims);
  world.Claim("j0", {.node = "n2"});
  world.CloseSession("n1", {.taken_unknown = true});
  REQUIRE(world.RowsIn(kInflightTag) == 1);
  REQUIRE(world.Slots().size() == 599);
}

TEST_CASE("a command that scans sees what came before it in its own entry") {
  World world;
  const uint64_t session = world.OpenSession("n1");
  world.Create("a");
  world.Create("b");
  pb::Command claims = world.Stamped();
  claims.mutable_claims()->set_node_id("n1");
  claims.mutable_claims()->set_session(session);
  *claims.mutable_claims()->add_items() = world.ClaimItemFor("a", {});
  pb::Command close = world.Stamped();
  close.mutable_close_session()->set_node_id("n1");
  close.mutable_close_session()->set_session(session);
  const std::vector<pb::Answer> answers = world.ApplyTogether({claims, close, claims});
  REQUIRE(answers[0].claims(0).outcome() == pb::ClaimAnswer::CLAIMED);
  REQUIRE(answers[2].claims(0).outcome() == pb::ClaimAnswer::NO_SESSION);
  REQUIRE(world.RowsIn(kInflightTag) == 0);
  REQUIRE(world.Slots().size() == 2);
}

// --- Retention ----------------------------------------------------------------------------------

TEST_CASE("retention removes ended jobs as a whole, and no others") {
  World world;
  world.OpenSession();
  world.Create("done");
  world.Create("failed");
  world.Create("cancelled");
  world.Create("pending");
  world.Create("late");
  world.RunOnce("done");
  world.RunOnce("failed", JobStatus::kFailed);
  world.Cancel("cancelled");
  world.Advance(100 * kSecond);
  world.RunOnce("late");
  const pb::Answer answer = world.Retain(world.now);
  REQUIRE(answer.code() == 0);
  REQUIRE_FALSE(world.Exists("done"));
  REQUIRE_FALSE(world.Exists("failed"));
  REQUIRE_FALSE(world.Exists("cancelled"));
  REQUIRE(world.Exists("pending"));
  REQUIRE(world.Exists("late"));
  REQUIRE(world.RowsIn(kRunsTag) == 1);
  REQUIRE(world.RowsIn(kDoneTag) == 1);
  REQUIRE(world.Counters().jobs() == 2);
}

TEST_CASE("retention takes from a living recurring job its old runs alone") {
  World world;
  world.OpenSession();
  world.CreateRecurring("r");
  world.RunOnce("r");
  world.Claim("r", {.skip = true});
  world.Advance(100 * kSecond);
  world.RunOnce("r");
  world.Retain(world.now);
  REQUIRE(world.Status("r") == JobStatus::kPending);
  REQUIRE(world.Attempts("r").size() == 1);
  REQUIRE(world.Done().size() == 1);
}

TEST_CASE("retention works in steps, and says when there is more") {
  World world;
  world.OpenSession();
  for (int i = 0; i < 10; ++i) {
    world.Create("j" + std::to_string(i));
    world.RunOnce("j" + std::to_string(i));
  }
  world.Advance(kSecond);
  int steps = 0;
  while (world.Retain(world.now, 4).removed() == 4) ++steps;
  REQUIRE(steps >= 2);
  REQUIRE(world.Counters().jobs() == 0);
  REQUIRE(world.RowsIn(kRunsTag) + world.RowsIn(kDoneTag) == 0);
}

TEST_CASE("retention of a run with more records than a step allows goes on in the next") {
  World world;
  world.OpenSession();
  world.Create("a");
  for (int i = 0; i < 9; ++i) {
    world.Claim("a");
    world.Finish("a", {.status = JobStatus::kFailed, .retry_in = kSecond});
  }
  world.RunOnce("a");
  world.Advance(kSecond);
  REQUIRE(world.RowsIn(kRunsTag) == 10);
  REQUIRE(world.Retain(world.now, 4).removed() == 4);
  REQUIRE(world.Exists("a"));
  while (world.Retain(world.now, 4).removed() == 4) {
  }
  REQUIRE_FALSE(world.Exists("a"));
  REQUIRE(world.RowsIn(kRunsTag) == 0);
}

TEST_CASE("a cancelled job whose run still ends outlives its retention") {
  World world;
  world.OpenSession();
  world.Create("a");
  world.Claim("a");
  world.Cancel("a");
  world.Advance(100 * kSecond);
  world.Retain(world.now);
  REQUIRE(world.Exists("a"));
  world.Finish("a");
  world.Advance(kSecond);
  world.Retain(world.now);
  REQUIRE_FALSE(world.Exists("a"));
  REQUIRE(world.Done().empty());
}

TEST_CASE("a redriven job outlives the retention of its first run") {
  World world;
  world.OpenSession();
  world.Create("a");
  world.RunOnce("a", JobStatus::kFailed);
  world.Advance(100 * kSecond);
  world.Redrive("a");
  world.Retain(world.now);
  REQUIRE(world.Status("a") == JobStatus::kPending);
  REQUIRE(world.Attempts("a").empty());
  world.RunOnce("a");
  REQUIRE(world.Status("a") == JobStatus::kCompleted);
}

TEST_CASE("house-keeping with a limit out of bounds is refused") {
  World world;
  for (const int limit : {0, -1, kMaxHousekeepingRows + 1}) {
    REQUIRE(world.Retain(0, limit).reason() == "invalid");
    REQUIRE(world.SweepDedup(0, limit).reason() == "invalid");
  }
}

TEST_CASE("level and epoch never fall, and the epoch has 16 bits") {
  World world;
  REQUIRE(world.SetGroup(1, 9).code() == 0);
  REQUIRE(world.SetGroup(1, 0x10000).reason() == "invalid");
  REQUIRE(world.SetGroup(0, 4).code() == 0);
  pb::GroupRow group;
  REQUIRE(group.ParseFromString(**world.store.Get(kGroupKey)));
  REQUIRE(group.level() == 1);
  REQUIRE(group.epoch() == 9);
}

TEST_CASE("a feature level that this version does not know stops the node") {
  World world;
  pb::Command command = world.Stamped();
  command.mutable_set_group()->set_level(kLastLevel + 1);
  const std::string bytes = command.SerializeAsString();
  const scheduled::Command entry{
      .index = LogIndex(1), .ordinal = 0, .term = world.term, .bytes = bytes};
  const auto answers =
      world.machine->Apply({&entry, 1}, {.index = LogIndex(1), .term = world.term});
  REQUIRE(answers.status().code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_FALSE(world.store.Get(kGroupKey)->has_value());
}

}  // namespace scheduled::jobs
