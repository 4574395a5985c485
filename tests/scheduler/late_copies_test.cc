// Requests that come to a leader once more when they are under way or have long been answered: they
// touch nothing that came after them. And a cancel whose leader dies before it could tell the run.
#include <algorithm>
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// Job "a" runs on the leader.
NodeBox& StartOnLeader(World& world) {
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a")).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  return world.leader();
}

NodeBox& HandOver(World& world) {
  NodeBox& old = world.leader();
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(old); }));
  return world.leader();
}

TEST_CASE("a late copy of a delete that found nothing does not delete what was created since") {
  World world(3);
  NodeBox& follower = world.follower();
  const WriteResult deleted = world.Do(follower, JobVerb::kDelete, "a");
  REQUIRE(absl::IsNotFound(deleted.status()));
  REQUIRE(world.Schedule(Work("a", absl::Seconds(100))).ok());
  world.network().ReplayApplication(follower.id(), world.leader().id());
  world.Run(absl::Seconds(1));
  CHECK(world.Get("a").ok());
}

TEST_CASE("a late copy of a delete does not stop what runs in the job's next life") {
  World world(3);
  world.OnWork(world.KeepDone());
  NodeBox& follower = world.follower();
  REQUIRE(world.Schedule(Work("a", absl::Seconds(100))).ok());
  const WriteResult deleted = world.Do(follower, JobVerb::kDelete, "a");
  REQUIRE(deleted.ok());
  REQUIRE(deleted->code() == 0);
  REQUIRE(world.Schedule(Work("a")).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  world.network().ReplayApplication(follower.id(), world.leader().id());
  world.Run(absl::Seconds(1));
  CHECK_FALSE(world.seen()[0].run->cancelled());
  world.kept().clear();
}

TEST_CASE("of a request that is under way no copy is carried out") {
  World world(3);
  NodeBox& old = StartOnLeader(world);
  int requests = 0;
  int answers = 0;
  // What the old leader had claimed is not resolved before its session is closed: until then the
  // cancel waits, and its sender asks again.
  world.network().DropApplication([&](const NodeId& from, const NodeId&, const std::string& frame) {
    const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
    requests += message.ok() && std::holds_alternative<ForwardRequestMessage>(*message);
    answers += message.ok() && std::holds_alternative<ForwardAnswerMessage>(*message);
    return from == old.id();
  });
  NodeBox& leader = HandOver(world);
  NodeBox* third = nullptr;
  for (int i = 1; i <= 3; ++i) {
    if (&world.node(i) != &old && &world.node(i) != &leader) third = &world.node(i);
  }
  const WriteResult cancelled = world.Do(*third, JobVerb::kCancel, "a");
  REQUIRE(cancelled.ok());
  CHECK(cancelled->code() == 0);
  world.Run(absl::Seconds(1));
  CHECK(requests > 2);
  CHECK(answers == 1);
  world.kept().clear();
}

bool TellsToStop(const std::string& frame) {
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
  if (!message.ok()) return false;
  const auto* told = std::get_if<ChannelMessages>(&*message);
  return told != nullptr &&
         std::any_of(told->items.begin(), told->items.end(), [](const ChannelItem& item) {
           return std::holds_alternative<CancelRequest>(item.body);
         });
}

TEST_CASE("a run is told to stop although the leader that carried the cancel out has died") {
  World world(3);
  NodeBox& old = StartOnLeader(world);
  NodeBox& second = HandOver(world);
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId& to, const std::string& frame) {
        return from == second.id() && to == old.id() && TellsToStop(frame);
      });
  const WriteResult cancelled = world.Do(second, JobVerb::kCancel, "a");
  REQUIRE(cancelled.ok());
  REQUIRE(cancelled->code() == 0);
  second.Crash();
  CHECK_FALSE(world.seen()[0].run->cancelled());
  REQUIRE(world.RunUntil([&] { return world.SomebodyElseLeads(second); }));
  REQUIRE(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(1)));
  world.kept().clear();
}

}  // namespace
}  // namespace scheduled::test
