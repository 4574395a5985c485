// Three nodes on a virtual network: who leads, and what becomes of what was claimed (dispatch.md,
// rules 6 to 14 and 16). What is cut off, stopped or late: cut_off_test.cc.
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// --- Clients ------------------------------------------------------------------------------------

TEST_CASE("a create at a follower goes to the leader, and its run fires there") {
  World world(3);
  NodeBox& follower = world.follower();
  const absl::StatusOr<JobInfo> created = world.Schedule(follower, Work("a"));
  INFO(created.status().ToString());
  REQUIRE(created.ok());
  world.Run(absl::Seconds(2));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].node == world.leader().id());
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("every command works at a follower") {
  World world(3);
  NodeBox& follower = world.follower();
  REQUIRE(world.Schedule(follower, Work("a", absl::Seconds(100))).ok());
  for (JobVerb verb : {JobVerb::kPause, JobVerb::kResume, JobVerb::kTrigger}) {
    const WriteResult result = world.Do(follower, verb, "a");
    INFO(result.status().ToString());
    CHECK(result.ok());
  }
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  CHECK(world.Do(follower, JobVerb::kDelete, "a").ok());
  CHECK(absl::IsNotFound(world.Do(follower, JobVerb::kCancel, "a").status()));
}

TEST_CASE("a request whose answer is lost is sent again and carried out once") {
  World world(3);
  NodeBox& leader = world.leader();
  NodeBox& follower = world.follower();
  int lost = 0;
  world.network().DropApplication([&](const NodeId& from, const NodeId& to, const auto&) {
    return from == leader.id() && to == follower.id() && ++lost < 12;
  });
  const absl::StatusOr<JobInfo> created = world.Schedule(follower, Work("a"));
  INFO(created.status().ToString());
  REQUIRE(created.ok());
  world.Run(absl::Seconds(3));
  CHECK(world.seen().size() == 1);
  CHECK(leader.node().queries()->Counts()->jobs == 1);
}

TEST_CASE("a request that is under way when the leader dies is carried out by the next one") {
  World world(3);
  NodeBox& leader = world.leader();
  NodeBox& follower = world.follower();
  auto call = world.BeginSchedule(follower, Work("a"));
  world.Run(absl::Microseconds(300));  // on its way
  leader.Crash();
  REQUIRE(world.RunUntil([&] { return call->has_value(); }));
  INFO((*call)->status().ToString());
  REQUIRE((*call)->ok());
  CHECK((**call)->code() == 0);
  world.Run(absl::Seconds(3));
  CHECK(world.CountSeen()["a"] == 1);
}

TEST_CASE("without a majority a request ends in time, and never says more than is known") {
  World world(3);
  NodeBox& follower = world.follower();
  for (int i = 1; i <= 3; ++i) {
    if (&world.node(i) != &follower) world.node(i).Crash();
  }
  world.Run(absl::Seconds(2));  // nobody is known to lead by now
  auto call = world.BeginSchedule(follower, Work("a"));
  world.Run(absl::Seconds(9));
  CHECK_FALSE(call->has_value());
  world.Run(absl::Seconds(2));
  REQUIRE(call->has_value());
  CHECK(absl::IsUnavailable((*call)->status()));  // it never left this node
}

// --- Failover -----------------------------------------------------------------------------------

TEST_CASE("jobs that were not claimed fire as soon as there is another leader") {
  World world(3);
  REQUIRE(world.Schedule(Work("a", absl::Seconds(5))).ok());
  world.Run(absl::Milliseconds(4900));
  world.leader().Crash();
  REQUIRE(world.RunUntil([&] { return !world.seen().empty(); }, absl::Milliseconds(1100)));
  CHECK(world.seen()[0].started >= kBegin + absl::Seconds(5));
}

TEST_CASE("what a dead leader had claimed or started comes back within three seconds, once") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("started", absl::Seconds(2))).ok());
  REQUIRE(world.Schedule(Work("claimed", absl::Milliseconds(2040))).ok());
  world.Run(absl::Milliseconds(2000) - (world.now() - kBegin) + absl::Milliseconds(1));
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }, absl::Seconds(1)));
  NodeBox& old = world.leader();
  REQUIRE(old.node().leader()->dispatcher().runs() == 2);
  old.Crash();
  world.kept().clear();
  world.seen().clear();
  world.OnWork(nullptr);
  world.Run(absl::Seconds(3));
  auto counts = world.CountSeen();
  CHECK(counts["started"] == 1);
  CHECK(counts["claimed"] == 1);
  for (const SeenRun& seen : world.seen()) {
    CHECK(seen.node != old.id());
    // The new leader cannot know what was taken, so that both count a delivery.
    CHECK(seen.run->delivery == 2);
  }
}

TEST_CASE("a leader that is told to hand over leaves at once, and its runs go on where they are") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("going", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  bool handed_over = false;
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter,
                      [&](const absl::Status& status) { handed_over = status.ok(); });
  REQUIRE(world.RunUntil([&] { return handed_over; }, absl::Milliseconds(50)));
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }, absl::Milliseconds(200)));
  world.Run(absl::Seconds(5));
  CHECK(world.seen().size() == 1);  // not delivered again: its node lives and has it
  CHECK_FALSE(world.seen()[0].run->cancelled());
  // Its end, on a node that leads no more, is recorded by the new leader.
  world.kept().at("going")(absl::OkStatus());
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("going") == JobStatus::kCompleted);
  CHECK(old.node().worker().IsQuiet());
  world.kept().clear();
}

TEST_CASE("a run that failed on a node that leads no more is retried by the new leader") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world
              .Schedule(Work("going", absl::Seconds(2))
                            .Retry({.max_attempts = 2, .initial = absl::Seconds(1), .jitter = 0}))
              .ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  world.OnWork(nullptr);
  world.kept().at("going")(Fails());
  world.kept().clear();
  world.Run(absl::Seconds(3));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->attempt == 2);
  CHECK(world.seen()[1].node != old.id());
  CHECK(world.StatusOf("going") == JobStatus::kCompleted);
}

TEST_CASE("what was held at a hand-over is put back and starts at its time") {
  World world(3);
  REQUIRE(world.Schedule(Work("held", absl::Seconds(2))).ok());
  NodeBox& old = world.leader();
  REQUIRE(world.RunUntil([&] { return old.node().leader()->dispatcher().runs() == 1; }));
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  world.Run(absl::Seconds(1));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].node != old.id());
  CHECK(world.seen()[0].run->delivery == 1);
  CHECK(world.seen()[0].run->late_by < absl::Milliseconds(200));
}

// --- Earlier claims -----------------------------------------------------------------------------

TEST_CASE("a cancel waits until it is known what became of an earlier leader's claim") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  world.Isolate(old);
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  NodeBox& next = world.leader();
  auto cancel = world.Begin(next, JobVerb::kCancel, "a");
  auto trigger = world.Begin(next, JobVerb::kTrigger, "a");  // waits for nobody
  world.Run(absl::Milliseconds(200));
  CHECK_FALSE(cancel->has_value());
  CHECK(trigger->has_value());
  REQUIRE(world.RunUntil([&] { return cancel->has_value(); }, absl::Seconds(4)));
  REQUIRE((*cancel)->ok());
  world.kept().clear();
  world.network().HealAll();
  world.Run(absl::Seconds(5));
  CHECK(world.seen().size() == 1);  // cancelled after it came back, before it ran again
  CHECK(world.StatusOf("a") == JobStatus::kCancelled);
}

TEST_CASE(
    "a claim that is unresolved does not count as running: the next occurrence is not skipped") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world
              .Schedule(Job::Every(absl::Seconds(1))
                            .Id("a")
                            .Executor("work")
                            .StartingAt(world.now() + absl::Seconds(2)))
              .ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  world.Isolate(old);
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 2; }, absl::Milliseconds(1700)));
  CHECK(world.seen()[1].node != old.id());
  CHECK(world.seen()[1].run->due > world.seen()[0].run->due);
  CHECK(world.leader().node().statistics().skipped == 0);
  world.kept().clear();
}

TEST_CASE("a node is asked to reconcile until its list has arrived, not until it has heard") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  // Its lists are lost, its heartbeats, which say what it has taken, are not.
  world.network().DropApplication([&](const NodeId& from, const NodeId&, const std::string& frame) {
    return from == old.id() && std::holds_alternative<ReportMessage>(*DecodePeerMessage(frame));
  });
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  world.Run(absl::Seconds(1));
  auto cancel = world.Begin(world.leader(), JobVerb::kCancel, "a");
  world.Run(absl::Milliseconds(100));
  CHECK_FALSE(cancel->has_value());
  world.network().DropApplication(nullptr);
  REQUIRE(world.RunUntil([&] { return cancel->has_value(); }, absl::Seconds(1)));
  CHECK((*cancel)->ok());
  CHECK(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(1)));
  world.kept().clear();
}

TEST_CASE("a cancel right after a hand-over stops the run where it goes on") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  REQUIRE(world.Do(JobVerb::kCancel, "a").ok());
  REQUIRE(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(1)));
  world.kept().at("a")(absl::CancelledError("stopped"));
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("a") == JobStatus::kCancelled);
  world.kept().clear();
}

// --- Clocks -------------------------------------------------------------------------------------

TEST_CASE("a leader whose clock jumps a year fires nothing of next year's, and hands over") {
  World world(3);
  REQUIRE(world.Schedule(Work("far", absl::Hours(24 * 300))).ok());
  NodeBox& old = world.leader();
  old.runtime().StepWall(absl::Hours(24 * 365));
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }, absl::Seconds(3)));
  world.Run(absl::Seconds(5));
  CHECK(world.seen().empty());
  CHECK(world.StatusOf("far") == JobStatus::kPending);
  // What is due by everybody else's clock runs all the same.
  REQUIRE(world.Schedule(Work("near", absl::Seconds(1))).ok());
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 1);
}

TEST_CASE("a follower with a mad clock is outvoted") {
  World world(3);
  world.follower().runtime().StepWall(-absl::Hours(24 * 365));
  REQUIRE(world.Schedule(Work("a", absl::Seconds(1))).ok());
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 1);
}

// --- The group ----------------------------------------------------------------------------------

TEST_CASE("a leader that is closed hands over, and jobs go on within moments") {
  World world(3);
  REQUIRE(world.Schedule(Work("a", absl::Seconds(3))).ok());
  world.Run(absl::Milliseconds(2500));
  NodeBox& old = world.leader();
  old.Close();
  // Sooner than an election would take.
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }, absl::Milliseconds(250)));
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }, absl::Seconds(2)));
  CHECK(world.seen()[0].node != old.id());
}

TEST_CASE("the feature level is raised once every voter has told that it can follow") {
  World world(3);
  world.Run(absl::Seconds(1));
  const absl::StatusOr<TermBeginning> beginning =
      ReadTermBeginning(*world.tables(1), world.leader().status().term);
  REQUIRE(beginning.ok());
  CHECK(beginning->level == kFeatureLevel);
}

TEST_CASE("three nodes end with the same tables") {
  World world(3);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(world
                .Schedule(world.node(1 + i % 3),
                          Work("job-" + std::to_string(i), absl::Milliseconds(100) * i))
                .ok());
  }
  world.Run(absl::Seconds(5));
  CHECK(world.seen().size() == 30);
  const auto rows = world.tables(1)->Scan("", "", 100'000);
  REQUIRE(rows.ok());
  CHECK(rows->size() > 60);
  for (int i = 2; i <= 3; ++i) CHECK(*world.tables(i)->Scan("", "", 100'000) == *rows);
}

}  // namespace
}  // namespace scheduled::test
