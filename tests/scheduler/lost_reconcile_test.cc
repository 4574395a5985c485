// A session channel whose answers get lost: what a node has taken is acknowledged by every report
// and heartbeat, but what it lists in answer to Reconcile is said once, and must be asked for until
// it has arrived (dispatch.md, rules 8 and 14). And one that comes late, but in time.
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

bool AnotherLeads(World& world, const NodeBox& old) {
  for (int i = 1; i <= world.count(); ++i) {
    NodeBox& box = world.node(i);
    if (&box != &old && box.leads() && box.node().HasLease()) return true;
  }
  return false;
}

bool AnswersReconcile(const std::string& frame) {
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
  if (!message.ok()) return false;
  const auto* report = std::get_if<ReportMessage>(&*message);
  return report != nullptr && report->reconcile;
}

TEST_CASE("an answer to Reconcile that is lost is asked for again, whatever else is acknowledged") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  int lost = 0;
  world.network().DropApplication([&](const NodeId& from, const NodeId&, const std::string& frame) {
    if (from != old.id() || lost == 3 || !AnswersReconcile(frame)) return false;
    ++lost;
    return true;
  });
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return AnotherLeads(world, old); }));
  auto cancel = world.Begin(world.leader(), JobVerb::kCancel, "a");
  REQUIRE(world.RunUntil([&] { return cancel->has_value(); }, absl::Seconds(4)));
  CHECK(lost == 3);
  CHECK((*cancel)->ok());
  REQUIRE(world.RunUntil([&] { return world.seen()[0].run->cancelled(); }, absl::Seconds(1)));
  world.kept().at("a")(absl::CancelledError("stopped"));
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("a") == JobStatus::kCancelled);
  CHECK(world.seen().size() == 1);
  world.kept().clear();
}

bool IsHeartbeat(const std::string& frame) {
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
  return message.ok() && std::holds_alternative<HeartbeatMessage>(*message);
}

TEST_CASE("an outcome that comes right before the next life of its node counts as a delivery") {
  World world(3);
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  NodeBox& old = world.leader();
  bool answered = false;
  bool lives_again = false;
  world.network().DropApplication([&](const NodeId& from, const NodeId&, const std::string& frame) {
    if (from != old.id()) return false;
    answered |= AnswersReconcile(frame);
    lives_again |= answered && old.options().boot > BootCounter(1) && IsHeartbeat(frame);
    return true;
  });
  old.node().Transfer(std::nullopt, ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return !old.leads(); }));
  world.kept().at("a")(absl::OkStatus());
  world.kept().clear();
  world.OnWork(nullptr);
  REQUIRE(world.RunUntil([&] { return answered; }));
  old.Crash();
  REQUIRE(old.Start().ok());
  REQUIRE(world.RunUntil([&] { return lives_again; }));
  // The answer and what the next life says come in at one instant, one behind the other.
  world.network().DropApplication(nullptr);
  world.network().ReplayApplication(old.id(), world.leader().id());
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 2; }));
  CHECK(world.seen()[1].run->delivery == 2);
  world.Run(absl::Seconds(1));
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

}  // namespace
}  // namespace scheduled::test
