// Snapshots end to end: a member that lags behind what the log still has gets a copy of the state
// and goes on from there, whatever is lost, cut off or crashes meanwhile.
#include "consensus/world.h"

namespace scheduled::testing {
namespace {

const std::vector<std::string> kNames = {"a", "b", "c"};

std::string NameOf(Node& node) { return node->status().node_id.value; }

// A log that is cut soon, with a tail that is short.
void CutSoon(World& world) {
  world.options.compact_log_bytes = 64 << 10;
  world.options.log_tail_bytes = 8 << 10;
}

Node& StartGroup(World& world) {
  world.StartAll(kNames);
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(leader != nullptr);
  return *leader;
}

std::string FollowerOf(Node& leader) { return NameOf(leader) == "a" ? "b" : "a"; }

// Commands of a kilobyte each, until the log has been cut beyond `beyond`.
void WriteUntilCut(World& world, Node& leader, LogIndex beyond) {
  for (int round = 0; round < 100; ++round) {
    std::vector<ProposeOutcome> outcomes;
    for (int i = 0; i < 50; ++i) outcomes.push_back(leader.Propose(std::string(1000, 'x')));
    for (const auto& outcome : outcomes) REQUIRE(world.Wait(outcome).ok());
    if (leader->status().first_index > beyond.Next()) return;
  }
  FAIL("the log was not cut");
}

bool IsLevel(World& world, const std::string& name, Node& leader) {
  return world.Until([&] {
    return world.node(name)->status().applied_index == leader->status().last_index &&
           world.node(name).machine().commands() == leader.machine().commands();
  });
}

TEMPLATE_TEST_CASE("a member that was away longer than the log reaches back gets a snapshot", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  CutSoon(world);
  world.extra_lanes = GENERATE(false, true);
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  REQUIRE(world.Propose(leader, "first").ok());
  const LogIndex last = leader->status().last_index;
  world.Crash(away);
  WriteUntilCut(world, leader, last);
  Node& back = world.Start(away, kNames);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(back.machine().installs() == 1);
  CHECK(back->status().snapshots_received == 1);
  REQUIRE(world.Until([&] { return leader->status().snapshots_sent == 1; }));
  CHECK(leader->status().snapshots_dropped == 0);

  // It is a member as before: its log goes on, over a restart too.
  REQUIRE(world.Propose(leader, "last").ok());
  REQUIRE(IsLevel(world, away, leader));
  world.Crash(away);
  world.Start(away, kNames);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(world.node(away).machine().installs() == 0);
  REQUIRE(world.Until([&] {
    return world.disk(away).snapshots.directories() == 0 &&
           world.disk(NameOf(leader)).snapshots.directories() == 0;
  }));
}

}  // namespace
}  // namespace scheduled::testing
