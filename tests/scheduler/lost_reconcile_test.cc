// A session channel whose answers get lost: what a node has taken is acknowledged by every report
// and heartbeat, but what it lists in answer to Reconcile is said once, and must be asked for until
// it has arrived (dispatch.md, rules 8 and 14).
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

}  // namespace
}  // namespace scheduled::test
