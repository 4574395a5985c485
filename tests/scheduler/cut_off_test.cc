// Nodes that are cut off, stopped or late, in a group of three on a virtual network (dispatch.md,
// rules 7 and 10 to 14).
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// --- Cut off ------------------------------------------------------------------------------------

TEST_CASE("a leader that is cut off starts nothing, and its work is done elsewhere") {
  World world(3);
  NodeBox& old = world.leader();
  for (int i = 0; i < 40; ++i) {
    REQUIRE(world
                .Schedule(Work("job-" + std::to_string(i),
                               absl::Seconds(3) + absl::Milliseconds(100) * i))
                .ok());
  }
  world.Run(absl::Seconds(3));
  world.Isolate(old);
  const MonoTime cut = world.loop().now();
  world.Run(absl::Seconds(10));
  auto counts = world.CountSeen();
  CHECK(counts.size() == 40);
  for (const SeenRun& seen : world.seen()) {
    // Nothing starts at the old leader once its lease has run out.
    if (seen.node == old.id()) CHECK(seen.true_time - cut < absl::Milliseconds(260));
  }
  world.network().HealAll();
  world.Run(absl::Seconds(5));
  for (int i = 0; i < 40; ++i) {
    CHECK(world.StatusOf("job-" + std::to_string(i)) == JobStatus::kCompleted);
  }
}

TEST_CASE("what a leader holds when it is cut off is not started once its lease has run out") {
  World world(3, [](NodeOptions* options) { options->claim_ahead = absl::Seconds(1); });
  NodeBox& old = world.leader();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(world
                .Schedule(
                    Work("job-" + std::to_string(i), absl::Seconds(2) + absl::Milliseconds(50) * i))
                .ok());
  }
  REQUIRE(world.RunUntil([&] { return old.node().leader()->dispatcher().runs() == 20; }));
  REQUIRE(world.seen().empty());
  world.Isolate(old);
  const MonoTime cut = world.loop().now();
  world.Run(absl::Seconds(6));
  auto counts = world.CountSeen();
  CHECK(counts.size() == 20);
  for (const SeenRun& seen : world.seen()) {
    if (seen.node == old.id()) CHECK(seen.true_time - cut < absl::Milliseconds(260));
  }
}

TEST_CASE("a node that was cut off is told that its session is closed, and opens the next") {
  World world(3);
  std::vector<Done> answers;
  world.OnWork([&](const SeenRun&, Done done) { answers.push_back(std::move(done)); });
  REQUIRE(world.Schedule(Work("going", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  const SessionId session = old.node().worker().session();
  world.Isolate(old);
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 2; }, absl::Seconds(4)));
  CHECK(world.seen()[1].node != old.id());
  CHECK(world.seen()[1].run->run_id == world.seen()[0].run->run_id);
  CHECK(world.seen()[1].run->fencing_token > world.seen()[0].run->fencing_token);
  CHECK_FALSE(world.seen()[0].run->cancelled());  // it cannot know yet
  world.network().HealAll();
  REQUIRE(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(2)));
  REQUIRE(
      world.RunUntil([&] { return old.node().worker().session() > session; }, absl::Seconds(2)));
  answers.clear();
}

TEST_CASE("a late finish of a run that was delivered again changes nothing") {
  World world(3);
  std::vector<Done> answers;
  world.OnWork([&](const SeenRun&, Done done) { answers.push_back(std::move(done)); });
  REQUIRE(world.Schedule(Work("going", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return answers.size() == 1; }));
  NodeBox& old = world.leader();
  world.Isolate(old);
  REQUIRE(world.RunUntil([&] { return answers.size() == 2; }));
  answers[0](Fails(absl::StatusCode::kInvalidArgument));  // at the node that is cut off
  world.network().HealAll();
  world.Run(absl::Seconds(5));
  CHECK(world.StatusOf("going") == JobStatus::kInProgress);
  answers[1](absl::OkStatus());
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("going") == JobStatus::kCompleted);
  answers.clear();
}

TEST_CASE("a follower that is silent loses its session, and only that") {
  World world(3);
  NodeBox& follower = world.follower();
  const SessionId session = follower.node().worker().session();
  REQUIRE(session != SessionId());
  follower.Crash();
  SessionKeeper& keeper = world.leader().node().leader()->sessions();
  world.Run(absl::Milliseconds(1500));
  CHECK(keeper.NodeOf(session) != nullptr);
  world.Run(absl::Milliseconds(1000));
  CHECK(keeper.NodeOf(session) == nullptr);
  REQUIRE(follower.Start().ok());
  CHECK(world.RunUntil([&] { return follower.node().worker().CanTake(); }, absl::Seconds(3)));
  CHECK(follower.node().worker().session() > session);
}

TEST_CASE("a session whose messages stay unanswered is left alone after 5 s and closed 2 s later") {
  World world(3);
  NodeBox& old = world.leader();
  NodeBox& deaf = world.follower();
  NodeBox* next = nullptr;
  for (int i = 1; i <= 3; ++i) {
    if (&world.node(i) != &old && &world.node(i) != &deaf) next = &world.node(i);
  }
  const SessionId session = deaf.node().worker().session();
  // Heartbeats and their answers pass: only what is on the channel is lost.
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId& to, const std::string& frame) {
        return from == next->id() && to == deaf.id() &&
               std::holds_alternative<ChannelMessages>(*DecodePeerMessage(frame));
      });
  old.node().Transfer(next->id(), ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return next->leads(); }));
  SessionKeeper& keeper = next->node().leader()->sessions();
  world.Run(absl::Milliseconds(4900));
  CHECK(keeper.IsUsable(session));
  world.Run(absl::Milliseconds(400));
  CHECK_FALSE(keeper.IsUsable(session));
  CHECK(keeper.NodeOf(session) != nullptr);
  CHECK(deaf.node().worker().CanTake());
  world.Run(absl::Milliseconds(1550));
  CHECK(keeper.NodeOf(session) != nullptr);
  // By the time it is closed, its node has known for a while that it may take nothing.
  CHECK_FALSE(deaf.node().worker().CanTake());
  world.Run(absl::Milliseconds(700));
  CHECK(keeper.NodeOf(session) == nullptr);
  world.network().DropApplication(nullptr);
  CHECK(world.RunUntil([&] { return deaf.node().worker().CanTake(); }, absl::Seconds(2)));
  CHECK(deaf.node().worker().session() > session);
}

TEST_CASE("a node that restarts before it is missed gets a new session at once") {
  World world(3);
  NodeBox& follower = world.follower();
  const SessionId session = follower.node().worker().session();
  follower.Crash();
  REQUIRE(follower.Start().ok());
  CHECK(world.RunUntil([&] { return follower.node().worker().CanTake(); }, absl::Seconds(1)));
  CHECK(follower.node().worker().session() > session);
  CHECK(world.leader().node().leader()->sessions().NodeOf(session) == nullptr);
}

// --- Stopped and late ---------------------------------------------------------------------------

TEST_CASE("a leader that is stopped and goes on finds that it leads no more") {
  World world(3);
  NodeBox& old = world.leader();
  REQUIRE(world.Schedule(Work("a", absl::Seconds(3))).ok());
  world.Run(absl::Milliseconds(2900));
  old.Pause();
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }, absl::Seconds(2)));
  CHECK(world.seen()[0].node != old.id());
  old.Resume();
  world.Run(absl::Seconds(3));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a leader that was stopped with claims in its hands does not start them late") {
  World world(3);
  NodeBox& old = world.leader();
  REQUIRE(world.Schedule(Work("a", absl::Seconds(3))).ok());
  REQUIRE(world.RunUntil([&] { return old.node().leader()->dispatcher().runs() == 1; }));
  old.Pause();
  world.Run(absl::Seconds(4));  // the session of the old leader is closed meanwhile
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].node != old.id());
  old.Resume();
  world.Run(absl::Seconds(3));
  CHECK(world.seen().size() == 1);
}

TEST_CASE("a leader whose lane was late does not take its own silence for the nodes'") {
  World world(3);
  NodeBox& leader = world.leader();
  NodeBox& follower = world.follower();
  const SessionId session = follower.node().worker().session();
  // The dispatch lane stands still for 3 s; Raft's own go on, so that nobody else is elected.
  world.OnWork([&](const SeenRun&, Done done) {
    leader.runtime().Spend(absl::Seconds(3));
    done(absl::OkStatus());
  });
  const Term term = leader.status().term;
  REQUIRE(world.Schedule(Work("a", absl::Seconds(1))).ok());
  world.Run(absl::Seconds(8));
  CHECK(world.seen().size() == 1);
  CHECK(leader.status().term == term);
  CHECK(follower.node().worker().session() == session);
}

TEST_CASE("old frames of a leader change nothing when they come again") {
  World world(3);
  world.OnWork(world.KeepDone());
  NodeBox& old = world.leader();
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  world.kept().at("a")(absl::OkStatus());
  world.kept().clear();
  world.Run(absl::Seconds(1));
  const Term term = world.leader().status().term;
  for (int a = 1; a <= 3; ++a) {
    for (int b = 1; b <= 3; ++b) {
      if (a != b) world.network().ReplayApplication(world.node(a).id(), world.node(b).id());
    }
  }
  world.Run(absl::Seconds(5));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
  CHECK(world.leader().status().term == term);
  for (int i = 1; i <= 3; ++i) CHECK(world.node(i).node().worker().CanTake());
}

}  // namespace
}  // namespace scheduled::test
