// Changes of members: what is refused, how a change runs, and what a crash in its middle leaves.
#include "raft/membership.h"

#include <catch2/catch.hpp>

#include "raft/cluster_harness.h"
#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

Member NewMember(const std::string& name, uint64_t disk = 0) {
  return Member{NodeId(name), "", DiskId(disk)};
}
MemberChange Add(const std::string& name) {
  return MemberChange{MemberChangeKind::kAddVoter, NewMember(name), NodeId()};
}
MemberChange AddLearner(const std::string& name) {
  return MemberChange{MemberChangeKind::kAddLearner, NewMember(name), NodeId()};
}
MemberChange Remove(const std::string& name) {
  return MemberChange{MemberChangeKind::kRemove, NewMember(name), NodeId()};
}
MemberChange Replace(const std::string& old, const std::string& name) {
  return MemberChange{MemberChangeKind::kReplace, NewMember(name), NodeId(old)};
}

// In the world a node's disk has its number.
MemberChange InWorld(MemberChangeKind kind, int node, int replaces = 0) {
  return MemberChange{kind, Member{World::Name(node), "", DiskId(static_cast<uint64_t>(node))},
                      replaces == 0 ? NodeId() : World::Name(replaces)};
}

Configuration Founders(int count) {
  Configuration configuration;
  for (int i = 1; i <= count; ++i) {
    configuration.voters.push_back(Member{World::Name(i), "", DiskId(static_cast<uint64_t>(i))});
  }
  return configuration;
}

std::vector<std::string> VoterNames(const Configuration& configuration) {
  std::vector<std::string> names;
  for (const Member& member : configuration.voters) names.push_back(member.id.value);
  return names;
}

bool IsSettled(World& world) {
  const int leader = world.Leader();
  if (leader == 0) return false;
  const Status status = world.core(leader).status();
  return status.configuration_index <= status.commit && !status.configuration.IsJoint() &&
         status.commit >= status.term_start;
}

TEST_CASE("a change that makes no sense is refused") {
  const Configuration abc = Voters({"a", "b", "c"});
  CHECK_FALSE(Changed(abc, {}));
  CHECK_FALSE(Changed(abc, {Remove("x")}));
  CHECK_FALSE(Changed(abc, {Remove("a"), Remove("b"), Remove("c")}));
  CHECK_FALSE(Changed(abc, {Add("a")}));
  CHECK_FALSE(Changed(abc, {Add("d"), Remove("d")}));
  CHECK_FALSE(Changed(abc, {Replace("x", "d")}));
  CHECK_FALSE(Changed(abc, {Replace("a", "b")}));
  CHECK_FALSE(Changed(abc, {Replace("a", "d"), Replace("a", "e")}));  // one voter more
  CHECK(Changed(abc, {Replace("a", "d"), Replace("b", "e")}));
  CHECK_FALSE(Changed(abc, {MemberChange{MemberChangeKind::kAddVoter, NewMember("a", 9), {}}}));
  CHECK_FALSE(Changed(abc, {MemberChange{MemberChangeKind::kAddLearner, NewMember("a", 9), {}}}));
  CHECK_FALSE(Changed(abc, {Add("")}));
}

TEST_CASE("a new voter begins as a learner, and only other voters make a joint phase") {
  const Configuration abc = Voters({"a", "b", "c"});
  const Configuration with_d = *Changed(abc, {Add("d")});
  CHECK(VoterNames(with_d) == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(with_d.learners.size() == 1);
  CHECK(with_d.learners[0].promote);
  CHECK_FALSE(StepTo(abc, with_d).IsJoint());
  const Configuration promoted = Promoted(with_d, {NewMember("d", 4)});
  CHECK(VoterNames(promoted) == std::vector<std::string>{"a", "b", "c", "d"});
  CHECK(promoted.Find(NodeId("d"))->disk == DiskId(4));
  CHECK(StepTo(with_d, promoted).IsJoint());
  CHECK(WithoutOldVoters(StepTo(with_d, promoted)) == promoted);
  const Configuration demoted = *Changed(abc, {AddLearner("b")});
  CHECK(StepTo(abc, demoted).IsJoint());
  CHECK(StepTo(abc, demoted).IsWellFormed());
  Configuration moved = abc;
  moved.voters[0].address = "elsewhere";
  const auto moving =
      Changed(abc, {MemberChange{MemberChangeKind::kAddVoter, moved.voters[0], {}}});
  REQUIRE(moving == moved);
  CHECK_FALSE(StepTo(abc, *moving).IsJoint());
}

TEST_CASE("a replacement is one step: the new one votes from when the old one does not") {
  const Configuration abc = Voters({"a", "b", "c"});
  const Configuration target = *Changed(abc, {Replace("c", "d")});
  const Configuration done = Promoted(target, {NewMember("d")});
  CHECK(VoterNames(done) == std::vector<std::string>{"a", "b", "d"});
  CHECK(StepTo(target, done).old_voters == abc.voters);
}

TEST_CASE("a replacement ends with the voter: one that is added again is not replaced") {
  const Configuration abc = Voters({"a", "b", "c"});
  const Configuration replacing = *Changed(abc, {Replace("c", "d")});
  for (const MemberChange& leaves : {Remove("c"), AddLearner("c")}) {
    const Configuration without_c = *Changed(replacing, {leaves});
    CHECK(without_c.Find(NodeId("d")) != nullptr);
    const Configuration added = *Changed(without_c, {Add("c")});
    const Configuration with_c = Promoted(added, {NewMember("c")});
    CHECK(VoterNames(with_c) == std::vector<std::string>{"a", "b", "c"});
    const Configuration with_d = Promoted(with_c, {NewMember("d")});
    CHECK(VoterNames(with_d) == std::vector<std::string>{"a", "b", "c", "d"});
    // And it can be replaced by somebody else.
    CHECK(Changed(with_c, {Replace("c", "e")}));
  }
}

TEST_CASE("a group grows from one to three under load") {
  World world({.nodes = 3, .seed = 5, .founded = Founders(1)});
  world.AwaitLeader();
  for (int i = 0; i < 50; ++i) world.Propose(1, "before" + std::to_string(i));
  REQUIRE(world.AwaitApplied(LogIndex(0)));
  world.Run(absl::Milliseconds(20));
  const ProposalId change = world.Change(
      1, {InWorld(MemberChangeKind::kAddVoter, 2), InWorld(MemberChangeKind::kAddVoter, 3)});
  REQUIRE(world.RunUntil(
      [&] { return IsSettled(world) && world.core(1).status().configuration.voters.size() == 3; }));
  CHECK(world.outcome(change) == World::Outcome::kCommitted);
  REQUIRE(world.Commit(1, "after"));
  REQUIRE(world.AwaitApplied(world.core(1).commit()));
  CHECK(world.AppliedCommands(3).size() == 51);
  world.Crash(1);
  const int next = world.AwaitLeader();
  CHECK(next != 1);
  CHECK(world.Commit(next, "without the first"));
}

TEST_CASE("a new member whose entries were cut gets a snapshot, and is promoted") {
  World world({.nodes = 2, .seed = 6, .founded = Founders(1)});
  world.AwaitLeader();
  for (int i = 0; i < 20; ++i) REQUIRE(world.Commit(1, "c" + std::to_string(i)));
  world.Cut(1, LogIndex(15));
  world.Change(1, {InWorld(MemberChangeKind::kAddVoter, 2)});
  REQUIRE(world.RunUntil(
      [&] { return IsSettled(world) && world.core(1).status().configuration.voters.size() == 2; }));
  REQUIRE(world.Commit(1, "after"));
  REQUIRE(world.AwaitApplied(world.core(1).commit()));
  CHECK(world.AppliedCommands(2) == world.AppliedCommands(1));
  CHECK(world.core(2).status().first > LogIndex(15));
}

TEST_CASE("a learner that does not keep up is not promoted, and holds nobody up") {
  World world({.nodes = 2, .seed = 7, .founded = Founders(1)});
  world.AwaitLeader();
  world.Isolate(2);
  world.Change(1, {InWorld(MemberChangeKind::kAddVoter, 2)});
  world.Run(absl::Seconds(2));
  CHECK(world.core(1).status().configuration.voters.size() == 1);
  CHECK(world.Commit(1, "a"));
  world.Heal();
  REQUIRE(world.RunUntil([&] { return world.core(1).status().configuration.voters.size() == 2; }));
}

TEST_CASE("a leader removes itself, and another leads at once") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.nodes = 3, .seed = seed});
    const int old = world.AwaitLeader();
    REQUIRE(world.Commit(old, "a"));
    const absl::Duration asked = world.elapsed();
    world.Change(old, {InWorld(MemberChangeKind::kRemove, old)});
    REQUIRE(world.RunUntil([&] { return world.Leader() != old && world.Leader() != 0; }));
    CHECK(world.elapsed() - asked < absl::Milliseconds(50));
    const int next = world.AwaitLeader();
    REQUIRE(world.Commit(next, "b"));
    CHECK(world.core(next).status().configuration.voters.size() == 2);
    const Term term = world.core(next).term();
    world.Run(absl::Seconds(3));  // the removed one disturbs nobody
    CHECK(world.Leader() == next);
    CHECK(world.core(next).term() == term);
  }
}

TEST_CASE("replacing a dead voter keeps the group going throughout") {
  World world({.nodes = 4, .seed = 8, .founded = Founders(3)});
  const int leader = world.AwaitLeader();
  const int dead = leader == 3 ? 2 : 3;
  world.Crash(dead);
  world.Change(leader, {InWorld(MemberChangeKind::kReplace, 4, dead)});
  REQUIRE(world.RunUntil([&] {
    return IsSettled(world) && world.core(leader).status().configuration.IsVoter(World::Name(4));
  }));
  CHECK_FALSE(world.core(leader).status().configuration.IsMember(World::Name(dead)));
  CHECK(world.core(leader).status().configuration.learners.empty());
  CHECK(world.Commit(leader, "a"));
}

TEST_CASE("30: a voter that lost its disk counts again once it was removed and added") {
  World world({.nodes = 3, .seed = 9});
  const int leader = world.AwaitLeader();
  REQUIRE(world.Commit(leader, "a"));
  const int lost = leader == 3 ? 2 : 3;
  const int other = 6 - leader - lost;
  world.RestartWithEmptyDisk(lost, DiskId(33));
  world.Crash(other);
  const ProposalId alone = world.Propose(leader, "b");
  world.Run(absl::Milliseconds(300));
  CHECK(world.outcome(alone) == World::Outcome::kPending);  // two disks of three are gone
  CHECK(world.core(leader).status().dropped_foreign > 0);
  world.Restart(other);
  world.Run(absl::Seconds(2));
  const int now = world.AwaitLeader();
  CHECK(now != lost);
  world.Change(now, {InWorld(MemberChangeKind::kRemove, lost)});
  REQUIRE(world.RunUntil([&] {
    return IsSettled(world) && world.core(world.Leader()).status().configuration.voters.size() == 2;
  }));
  MemberChange add = InWorld(MemberChangeKind::kAddVoter, lost);
  add.member.disk = DiskId(33);
  world.Change(world.Leader(), {add});
  REQUIRE(world.RunUntil([&] {
    return IsSettled(world) && world.core(world.Leader()).status().configuration.voters.size() == 3;
  }));
  world.Crash(world.Leader() == other ? now : other);
  const int last = world.AwaitLeader();
  CHECK(world.Commit(last, "c"));
}

}  // namespace
}  // namespace scheduled::raft
