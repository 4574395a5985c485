// How a group comes to be, and what becomes of it when disks are lost before or after all of them
// are written down.
#include "consensus/envelope.h"
#include "consensus/group.h"

namespace scheduled::testing {
namespace {

TEST_CASE("the founder alone founds nothing, and a majority is enough") {
  VirtualWorld world;
  world.Start("a", kNames);
  world.loop().RunUntil(world.loop().now() + absl::Seconds(10));
  CHECK(world.node("a").cluster_id().empty());
  CHECK(world.node("a")->status().last_index == LogIndex(0));
  world.Start("c", kNames);
  REQUIRE(world.WaitForLeader(kNames) != nullptr);
  CHECK(world.node("a").cluster_id() == world.node("c").cluster_id());
  world.Start("b", kNames);
  REQUIRE(world.Until([&] { return !world.node("b").cluster_id().empty(); }));
  CHECK(world.node("b").cluster_id() == world.node("a").cluster_id());
}

TEST_CASE("a founder whose disk fails has founded nothing, and tells of no cluster") {
  VirtualWorld world;
  world.StartAll(kNames);
  Node& founder = world.node("a");
  founder.log().fail = true;
  REQUIRE(world.Until([&] { return !founder->status().failure.empty(); }));
  world.loop().RunUntil(world.loop().now() + absl::Seconds(10));
  CHECK(founder.cluster_id().empty());
  for (const char* name : {"b", "c"}) CHECK(world.node(name)->status().term == Term(0));
}

TEST_CASE("a founder waits for the word of one that has data and is slow to be reached") {
  VirtualWorld world;
  StartGroup(world);
  const std::string cluster = world.node("c").cluster_id();
  for (const std::string& name : kNames) world.Crash(name);
  world.WipeDisk("a");
  world.WipeDisk("b");
  // a and b find each other at once; c is up, and first heard half a second later.
  for (const char* other : {"a", "b"}) world.Cut(other, "c", true);
  world.StartAll(kNames);
  world.loop().RunUntil(world.loop().now() + absl::Milliseconds(500));
  CHECK(world.node("a")->status().term == Term(0));
  for (const char* other : {"a", "b"}) world.Cut(other, "c", false);
  world.loop().RunUntil(world.loop().now() + absl::Milliseconds(500));
  // Its word stays, also where it is not heard any more.
  for (const char* other : {"a", "b"}) world.Cut(other, "c", true);
  world.loop().RunUntil(world.loop().now() + absl::Seconds(10));
  for (const char* name : {"a", "b"}) {
    const std::string joined = world.node(name).cluster_id();
    CHECK((joined.empty() || joined == cluster));
    CHECK_FALSE(world.node(name)->HasLease());
  }
}

TEST_CASE("those who are not the founder wait for it") {
  VirtualWorld world;
  world.Start("b", kNames);
  world.Start("c", kNames);
  world.loop().RunUntil(world.loop().now() + absl::Seconds(10));
  CHECK(world.node("b").cluster_id().empty());
  CHECK(world.node("b")->status().term == Term(0));
}

TEST_CASE("a founder that lost its disk founds no second cluster, and is not counted") {
  VirtualWorld world;
  StartGroup(world);
  const std::string cluster = world.node("b").cluster_id();
  world.Crash("a");
  world.WipeDisk("a");
  Node* leader = world.WaitForLeader({"b", "c"});
  REQUIRE(leader != nullptr);
  REQUIRE(world.Propose(*leader, "x").ok());
  world.Start("a", kNames);
  world.loop().RunUntil(world.loop().now() + absl::Seconds(10));
  CHECK((world.node("a").cluster_id().empty() || world.node("a").cluster_id() == cluster));
  // Its word does not count: with one more down there is no majority.
  world.Crash(NameOf(*leader) == "b" ? "c" : "b");
  auto stuck = leader->Propose("y");
  CHECK_FALSE(world.Wait(stuck).ok());
}

// A group of three, to which d may be added; `late` has no part in its founding.
Node& StartGroupWithout(VirtualWorld& world, const std::string& late) {
  std::vector<std::string> others = Others(late);
  for (const std::string& name : others) world.Start(name, kNames);
  REQUIRE(world.WaitForLeader(others) != nullptr);
  world.Start(late, kNames);
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(leader != nullptr);
  return *leader;
}

// Cuts `away` off, has a command acknowledged by the two others of `names`, and crashes both. One
// of them loses its disk: it and `away`, who never had the command, must not go on without it.
void LoseDiskOf(VirtualWorld& world, const std::vector<std::string>& names,
                const std::string& wiped, const std::string& away) {
  Node* leader = world.WaitForLeader(names);
  REQUIRE(leader != nullptr);
  if (NameOf(*leader) == away) {
    REQUIRE(world.Wait(leader->Transfer(NodeId(wiped))).ok());
    leader = world.WaitForLeader(names);
    REQUIRE(leader != nullptr);
  }
  world.Isolate(away, names);
  // As long as its lease lasts; then it would be another leader of the two that must have it.
  REQUIRE(world.Propose(*leader, "kept").ok());
  std::string keeper;
  for (const std::string& name : names) {
    if (name != wiped && name != away) keeper = name;
  }
  world.Crash(keeper);
  world.Crash(wiped);
  world.WipeDisk(wiped);
  world.Isolate(away, names, /*cut=*/false);
  world.Start(wiped, names);
  const MonoTime end = world.loop().now() + absl::Seconds(10);
  world.Until([&] {
    for (const std::string& name : {wiped, away}) CHECK_FALSE(world.node(name)->HasLease());
    return world.loop().now() > end;
  });
  world.Start(keeper, names);
  REQUIRE(world.Until([&] {
    const auto commands = world.node(away).machine().commands();
    return !commands.empty() && commands.back().bytes == "kept";
  }));
}

TEST_CASE("what was acknowledged outlives any one disk of the group") {
  const std::string late = GENERATE("", "b", "c");
  const std::string wiped = GENERATE("a", "b", "c");
  const size_t which = GENERATE(0u, 1u);
  VirtualWorld world;
  if (late.empty()) {
    StartGroup(world);
  } else {
    StartGroupWithout(world, late);
  }
  // Until the disk of who came late is known: from then on it counts.
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(world.Propose(*leader, "first").ok());
  REQUIRE(AllApplied(world, 1));
  world.loop().RunUntil(world.loop().now() + absl::Milliseconds(200));
  LoseDiskOf(world, kNames, wiped, Others(wiped)[which]);
}

TEST_CASE("what was acknowledged outlives the disk of a member that was added") {
  VirtualWorld world;
  Node& leader = StartGroup(world);
  const std::string gone = Others(NameOf(leader))[0];
  const std::string other = Others(NameOf(leader))[1];
  const std::vector<std::string> names = {NameOf(leader), other, "d"};
  world.Start("d", names);
  REQUIRE(world
              .Wait(leader.ChangeMembers(
                  {{MemberChangeKind::kReplace, NodeId("d"), "d", NodeId(gone)}}))
              .ok());
  REQUIRE(world.Until([&] {
    const ClusterStatus status = leader->status();
    return status.members.size() == 3 && status.members.back().voter;
  }));
  world.Crash(gone);
  REQUIRE(world.Propose(leader, "first").ok());
  world.loop().RunUntil(world.loop().now() + absl::Milliseconds(200));
  LoseDiskOf(world, names, "d", other);
}

TEST_CASE("a member that loses its disk before it counted begins anew under the same leader") {
  VirtualWorld world;
  for (const char* name : {"a", "b"}) world.Start(name, kNames);
  Node* leader = world.WaitForLeader({"a", "b"});
  REQUIRE(leader != nullptr);
  REQUIRE(world.Wait(leader->ChangeMembers({{MemberChangeKind::kAddLearner, NodeId("d"), "d", {}}}))
              .ok());
  REQUIRE(world.Propose(*leader, "first").ok());
  for (int i = 0; i < 2; ++i) {
    world.Start("d", {"a", "b", "d"});
    REQUIRE(world.Until([&] { return world.node("d").machine().command_count() == 1; }));
    world.Crash("d");
    world.WipeDisk("d");
  }
}

TEST_CASE("data of a group of one is not opened as a group of three, nor under other members") {
  VirtualWorld world;
  world.Start("a");
  REQUIRE(world.WaitForLeader({"a"}) != nullptr);
  world.Crash("a");
  const absl::Status grown = world.Start("a", kNames).open_status();
  CHECK(grown.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(grown.message()).find("growing") != std::string::npos);

  VirtualWorld other;
  StartGroup(other);
  other.Crash("a");
  CHECK(other.Start("a", {"a", "b", "d"}).open_status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(other.Start("a").open_status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a node that had just joined is not opened as a group of one") {
  VirtualWorld world;
  bool stop = false;
  world.on_write = [&](const std::string& name) { stop = stop || name == "b"; };
  world.StartAll(kNames);
  REQUIRE(world.Until([&] { return stop; }));
  world.Crash("b");
  if (world.disk("b").log.Load(GroupId(1))->empty()) {
    CHECK(world.Start("b").open_status().code() == absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace scheduled::testing
