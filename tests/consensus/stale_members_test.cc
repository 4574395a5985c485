// A member that was away while the group changed: what its own log says of the members is old.

#include "consensus/world.h"

namespace scheduled::testing {
namespace {

TEST_CASE("a node answers a leader that its own log does not know yet") {
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  ThreadWorld world;
  world.StartAll(names);
  REQUIRE(world.WaitForLeader(names) != nullptr);
  const auto change = [&](MemberChangeKind kind) {
    REQUIRE(world.Until([&] {
      Node* leader = world.WaitForLeader({"b", "d"});
      return leader != nullptr &&
             world.Wait(leader->ChangeMembers({{kind, NodeId("a"), "a", {}}})).ok();
    }));
  };
  // "c" sees "a" go, and does not see it come back.
  REQUIRE(world.Until([&] {
    Node& leader = *world.WaitForLeader(names);
    return leader->status().node_id == NodeId("b") || world.Wait(leader.Transfer(NodeId("b"))).ok();
  }));
  change(MemberChangeKind::kRemove);
  REQUIRE(world.Until([&] { return world.node("c")->status().members.size() == 3; }));
  world.Crash("c");
  change(MemberChangeKind::kAddVoter);
  REQUIRE(world.Until([&] {
    Node* leader = world.WaitForLeader({"a", "b", "d"});
    return leader != nullptr && ((*leader)->status().node_id == NodeId("a") ||
                                 world.Wait(leader->Transfer(NodeId("a"))).ok());
  }));
  world.Start("c", names);
  CHECK(world.Until([&] {
    Node* leader = world.WaitForLeader({"a", "b", "d"});
    return leader != nullptr && world.Propose(*leader, "on").ok() &&
           world.node("c")->status().applied_index >= (*leader)->status().commit_index;
  }));
}

TEST_CASE("an address that is given counts more than the one in the log") {
  const std::vector<std::string> names = {"a", "b", "c"};
  VirtualWorld world;
  const auto add_learner = [&world, &names](const std::string& name) {
    Node* leader = world.WaitForLeader(names);
    REQUIRE(leader != nullptr);
    REQUIRE(
        world.Wait(leader->ChangeMembers({{MemberChangeKind::kAddLearner, NodeId(name), name, {}}}))
            .ok());
    CHECK(world.Until([&] { return world.AddressAt("a", name) == name; }));
  };
  world.StartAll(names);
  add_learner("d");  // from now on what is given need not name all members
  CHECK(world.AddressAt("a", "b") == "b");
  world.Crash("a");
  world.moved["b"] = "b-elsewhere";
  REQUIRE(world.Start("a", {"a", "b"}).open_status().ok());
  CHECK(world.Until([&] { return world.AddressAt("a", "c") == "c"; }));
  CHECK(world.AddressAt("a", "b") == "b-elsewhere");
  // So it stays when the members change.
  add_learner("e");
  CHECK(world.AddressAt("a", "b") == "b-elsewhere");
}

TEST_CASE("a member that is added again elsewhere is looked for there") {
  const std::vector<std::string> names = {"a", "b", "c"};
  VirtualWorld world;
  world.StartAll(names);
  const auto change = [&](const MemberChange& change) {
    REQUIRE(world.Until([&] {
      Node* leader = world.WaitForLeader({"a", "b"});
      return leader != nullptr && world.Wait(leader->ChangeMembers({change})).ok();
    }));
  };
  const auto all_look_at = [&](const std::string& address) {
    return world.Until([&] {
      return world.AddressAt("a", "c") == address && world.AddressAt("b", "c") == address;
    });
  };
  REQUIRE(all_look_at("c"));
  SECTION("after its disk was lost") {
    world.Crash("c");
    change({MemberChangeKind::kRemove, NodeId("c"), "", {}});
    world.WipeDisk("c");
    world.moved["c"] = "c-elsewhere";
    world.Start("c", names);
  }
  SECTION("as it runs") {}
  change({MemberChangeKind::kAddVoter, NodeId("c"), "c-elsewhere", {}});
  CHECK(all_look_at("c-elsewhere"));
  CHECK(world.Until([&] {
    const ClusterStatus status = world.node("a")->status();
    return status.members.size() == 3 && status.members[2].voter;
  }));
  // And still after other changes.
  change({MemberChangeKind::kAddLearner, NodeId("d"), "d", {}});
  REQUIRE(world.Until([&] { return world.AddressAt("a", "d") == "d"; }));
  CHECK(all_look_at("c-elsewhere"));
}

}  // namespace
}  // namespace scheduled::testing
