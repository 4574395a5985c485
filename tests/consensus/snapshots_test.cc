// Snapshots end to end: a member that lags behind what the log still has gets a copy of the state
// and goes on from there, whatever is lost, cut off or crashes meanwhile.
#include "base/assert.h"
#include "consensus/group.h"

namespace scheduled::testing {
namespace {

// A log that is cut soon, with a tail that is short.
void CutSoon(World& world) {
  world.options.compact_log_bytes = 64 << 10;
  world.options.log_tail_bytes = 8 << 10;
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
  // The state is one lane's: what else reads it there need not know of installs.
  CHECK(back.machine().callers().first == back.machine().callers().second);
  world.Crash(away);
  world.Start(away, kNames);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(world.node(away).machine().installs() == 0);
  REQUIRE(world.Until([&] {
    return world.disk(away).snapshots.directories() == 0 &&
           world.disk(NameOf(leader)).snapshots.directories() == 0;
  }));
}

TEMPLATE_TEST_CASE("a transfer goes on where it was when the network comes back", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  CutSoon(world);
  world.options.snapshot_bytes_per_second = 8 << 20;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  // Several pieces, and a log that is cut again and again meanwhile.
  for (int i = 0; i < 6; ++i) {
    REQUIRE(world.Propose(leader, std::string(1 << 20, 'y')).ok());
  }
  WriteUntilCut(world, leader, leader->status().last_index);
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return world.disk(away).snapshots.directories() > 0; }));
  for (int i = 0; i < 3; ++i) {
    world.Cut(NameOf(leader), away, true);
    for (int j = 0; j < 50; ++j) REQUIRE(world.Propose(leader, std::string(2000, 'x')).ok());
    world.Cut(NameOf(leader), away, false);
    REQUIRE(world.Propose(leader, "on").ok());
  }
  Node* now = world.WaitForLeader(kNames);
  REQUIRE(now != nullptr);
  REQUIRE(IsLevel(world, away, *now));
}

TEST_CASE("a transfer goes on after a silence that is longer than an election takes") {
  VirtualWorld world;
  CutSoon(world);
  world.options.snapshot_bytes_per_second = 1 << 20;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  for (int i = 0; i < 6; ++i) {
    REQUIRE(world.Propose(leader, std::string(1 << 20, 'y')).ok());
  }
  WriteUntilCut(world, leader, leader->status().last_index);
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return world.disk(away).snapshots.directories() > 0; }));
  world.loop().RunUntil(world.loop().now() + absl::Seconds(2));
  static int resumed = 0;
  resumed = 0;
  SetProbeSink([](const char* name) {
    if (std::string_view(name) == "consensus.snapshot-resumed") ++resumed;
  });
  world.Isolate(away, kNames);
  REQUIRE(world.Until([&] { return world.node(away)->status().leader.empty(); }));
  CHECK(world.disk(away).snapshots.directories() == 1);
  world.Isolate(away, kNames, /*cut=*/false);
  REQUIRE(IsLevel(world, away, leader));
  SetProbeSink(nullptr);
  CHECK(resumed > 0);
  REQUIRE(world.Until([&] { return leader->status().snapshots_sent == 1; }));
  CHECK(leader->status().snapshots_dropped == 0);
}

TEMPLATE_TEST_CASE("a snapshot that is damaged is dropped, and the next one is taken", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  CutSoon(world);
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  WriteUntilCut(world, leader, leader->status().last_index);
  Node& back = world.Start(away, kNames);
  back.machine().RefuseInstalls(1);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(back.machine().installs() == 1);
  REQUIRE(world.Until([&] { return leader->status().snapshots_sent == 1; }));
  CHECK(leader->status().snapshots_dropped == 1);
}

TEMPLATE_TEST_CASE("a node that crashes at any write of an install ends it at its next start", "",
                   VirtualWorld) {
  for (int crash_at = 1; crash_at <= 8; ++crash_at) {
    TestType world;
    CutSoon(world);
    Node& leader = StartGroup(world);
    const std::string away = FollowerOf(leader);
    world.Crash(away);
    WriteUntilCut(world, leader, leader->status().last_index);
    int writes = 0;
    bool crash = false;
    world.on_write = [&](const std::string& name) {
      if (name == away && ++writes == crash_at) crash = true;
    };
    world.Start(away, kNames);
    REQUIRE(world.Until([&] {
      return crash || world.node(away)->status().applied_index == leader->status().last_index;
    }));
    if (!crash) {
      REQUIRE(crash_at > 2);  // the announcement and the new beginning at least
      return;
    }
    world.Crash(away);
    world.on_write = nullptr;
    world.Start(away, kNames);
    REQUIRE(IsLevel(world, away, leader));
    world.Crash(away);
    world.Start(away, kNames);
    REQUIRE(IsLevel(world, away, leader));
    CHECK(world.node(away)->status().failure.empty());
  }
}

TEST_CASE("a crash at any step of the loop during an install leaves a node that goes on") {
  // Between any two tasks of any lane: the steps of an install among them.
  for (int after = 0; after < 400; after += 7) {
    VirtualWorld world(static_cast<uint64_t>(after) + 1);
    CutSoon(world);
    world.extra_lanes = true;
    Node& leader = StartGroup(world);
    const std::string away = FollowerOf(leader);
    world.Crash(away);
    WriteUntilCut(world, leader, leader->status().last_index);
    world.Start(away, kNames);
    REQUIRE(world.Until([&] { return world.disk(away).snapshots.directories() > 0; }));
    for (int i = 0; i < after; ++i) world.loop().RunOne();
    world.Crash(away);
    world.Start(away, kNames);
    REQUIRE(IsLevel(world, away, leader));
    CHECK(world.node(away)->status().failure.empty());
  }
}

TEMPLATE_TEST_CASE("a leader that is replaced in the middle of a transfer leaves nothing behind",
                   "", ThreadWorld, VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  CutSoon(world);
  world.options.snapshot_bytes_per_second = 2 << 20;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(world.Propose(leader, std::string(1 << 20, 'y')).ok());
  }
  WriteUntilCut(world, leader, leader->status().last_index);
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return world.disk(away).snapshots.directories() > 0; }));
  REQUIRE(world.Wait(leader.Transfer(std::nullopt)).ok());
  Node* next = world.WaitForLeader(kNames);
  REQUIRE(next != nullptr);
  REQUIRE(world.Propose(*next, "on").ok());
  REQUIRE(IsLevel(world, away, *next));
  REQUIRE(world.Until([&] {
    for (const std::string& name : kNames) {
      if (world.disk(name).snapshots.directories() > 0) return false;
    }
    return true;
  }));
}

TEST_CASE("a log of many small entries is cut by their number") {
  VirtualWorld world;
  world.options.compact_log_entries = 64;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  for (int i = 0; i < 200; ++i) REQUIRE(world.Propose(leader, "x").ok());
  // The state machine has to have flushed what is cut.
  world.loop().RunUntil(world.loop().now() + absl::Minutes(2));
  const ClusterStatus status = leader->status();
  CHECK(status.last_index.value - status.first_index.value < 64);
  CHECK(status.first_index < status.last_index);
  world.Start(away, kNames);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(world.node(away).machine().installs() == 1);
}

TEST_CASE("a group without a transport takes in nobody, and can be opened again") {
  VirtualWorld world;
  Node& alone = world.Start("a");
  REQUIRE(world.Until([&] { return alone->HasLease(); }));
  const auto change = [&](MemberChangeKind kind, const char* id) {
    return world.Wait(world.node("a").ChangeMembers({{kind, NodeId(id), "there", {}}})).code();
  };
  CHECK(change(MemberChangeKind::kAddVoter, "b") == absl::StatusCode::kFailedPrecondition);
  CHECK(change(MemberChangeKind::kAddLearner, "b") == absl::StatusCode::kFailedPrecondition);
  CHECK(change(MemberChangeKind::kRemove, "b c") == absl::StatusCode::kInvalidArgument);
  world.Crash("a");
  REQUIRE(world.Start("a").open_status().ok());
}

TEMPLATE_TEST_CASE("a transfer that makes no progress is given up, and the log is cut behind it",
                   "", VirtualWorld) {
  TestType world;
  CutSoon(world);
  world.options.snapshot_patience = absl::Seconds(5);
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  WriteUntilCut(world, leader, leader->status().last_index);
  world.snapshots = false;  // it answers, and takes no snapshot
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return leader->status().snapshots_dropped > 0; }));
  WriteUntilCut(world, leader, leader->status().last_index);
}

TEMPLATE_TEST_CASE("a transfer holds no more of the log than it may", "", VirtualWorld) {
  TestType world;
  CutSoon(world);
  world.options.snapshot_log_bytes = 256 << 10;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  world.Crash(away);
  WriteUntilCut(world, leader, leader->status().last_index);
  world.snapshots = false;
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return world.disk(NameOf(leader)).snapshots.directories() > 0; }));
  const LogIndex held = leader->status().last_index;
  uint64_t most = 0;
  while (leader->status().first_index <= held.Next()) {
    REQUIRE(world.Propose(leader, std::string(10'000, 'z')).ok());
    most = std::max(most, leader->status().log_bytes);
    REQUIRE(most < (2 << 20));
  }
  // Without a transfer it would have been cut at 64 KiB.
  CHECK(most > (200 << 10));
}

TEST_CASE("a transfer that takes long beside many writes comes to its end, and refuses none") {
  VirtualWorld world;
  CutSoon(world);
  world.options.max_entry_bytes = 64 << 10;
  world.options.max_batch_bytes = 64 << 10;
  world.options.max_unapplied_bytes = 64 << 10;
  world.options.max_log_bytes = 256 << 10;
  world.options.snapshot_log_bytes = 16 << 10;
  world.options.snapshot_bytes_per_second = 256 << 10;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  const auto write = [&] { REQUIRE(world.Propose(leader, std::string(10'000, 'x')).ok()); };
  world.Crash(away);
  for (int i = 0; i < 200; ++i) write();
  REQUIRE(leader->status().first_index.value > 100);
  // Two megabytes take eight seconds, in which half of that is written.
  Node& back = world.Start(away, kNames);
  uint64_t most = 0;
  for (int i = 0; i < 200 && back->status().snapshots_received == 0; ++i) {
    write();
    most = std::max(most, leader->status().log_bytes);
    REQUIRE(most < (2 << 20));
    world.loop().RunUntil(world.loop().now() + absl::Milliseconds(80));
  }
  CHECK(most > world.options.max_log_bytes);
  REQUIRE(IsLevel(world, away, leader));
  CHECK(leader->status().snapshots_dropped == 0);
  // What was held goes as soon as nobody needs it.
  CHECK(world.Until([&] { return leader->status().log_bytes < (128 << 10); }));
}

TEST_CASE("followers that take less than their leader go on with what it left them") {
  VirtualWorld world;
  world.options.max_entry_bytes = 64 << 10;
  world.options.max_batch_bytes = 64 << 10;
  world.options.max_unapplied_bytes = 4 << 20;
  world.Start("a", kNames);
  world.options.max_unapplied_bytes = 64 << 10;
  world.Start("b", kNames);
  world.Start("c", kNames);
  REQUIRE(world.Until([&] {
    Node* leader = world.WaitForLeader(kNames);
    return leader != nullptr &&
           (NameOf(*leader) == "a" || world.Wait(leader->Transfer(NodeId("a"))).ok());
  }));
  const LogIndex before = world.node("a")->status().last_index;
  REQUIRE(world.Until([&] { return world.node("b")->status().commit_index == before; }));
  // They get more than they may hold unapplied, and the leader does not hear that they have.
  for (const char* name : {"b", "c"}) world.CutOneWay(name, "a", true);
  for (int i = 0; i < 8; ++i) world.node("a").Propose(std::string(50'000, 'x'));
  REQUIRE(world.Until([&] {
    return world.node("b")->status().last_index.value >= before.value + 2 &&
           world.node("c")->status().last_index.value >= before.value + 2;
  }));
  CHECK(world.node("b")->status().commit_index == before);
  world.Crash("a");
  Node* leader = world.WaitForLeader({"b", "c"});
  REQUIRE(leader != nullptr);
  REQUIRE(world.Propose(*leader, "on").ok());
}

TEST_CASE("a follower that applies slowly takes a bounded part of the log into memory") {
  ThreadWorld world;
  world.options.max_entry_bytes = 1 << 20;
  world.options.max_unapplied_bytes = 2 << 20;
  Node& leader = StartGroup(world);
  const std::string slow = FollowerOf(leader);
  Node& follower = world.node(slow);
  REQUIRE(world.Propose(leader, "first").ok());
  REQUIRE(IsLevel(world, slow, leader));
  follower.machine().HoldApply(true);
  for (int i = 0; i < 40; ++i) REQUIRE(world.Propose(leader, std::string(500'000, 'x')).ok());
  // 2 MiB are the bound, and one append may go beyond it.
  CHECK(follower->status().last_index.value + 30 < leader->status().last_index.value);
  follower.machine().HoldApply(false);
  REQUIRE(IsLevel(world, slow, leader));
}

TEMPLATE_TEST_CASE("a member is added to a group of one by a snapshot, and votes then", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  CutSoon(world);
  world.networked = true;
  Node& first = world.Start("a");
  REQUIRE(world.Until([&] { return first->HasLease(); }));
  WriteUntilCut(world, first, first->status().last_index);
  Node& second = world.Start("b", {"a", "b"});
  REQUIRE(
      world.Wait(first.ChangeMembers({{MemberChangeKind::kAddVoter, NodeId("b"), "b", {}}})).ok());
  REQUIRE(IsLevel(world, "b", first));
  CHECK(second.machine().installs() == 1);
  REQUIRE(world.Until([&] {
    const ClusterStatus status = first->status();
    return status.members.size() == 2 && status.members[1].voter;
  }));
  REQUIRE(world.Until([&] {
    return world.Wait(first.ChangeMembers({{MemberChangeKind::kRemove, NodeId("x"), "", {}}}))
               .code() == absl::StatusCode::kInvalidArgument;
  }));
  CHECK(
      world.Wait(second.ChangeMembers({{MemberChangeKind::kRemove, NodeId("a"), "", {}}})).code() ==
      absl::StatusCode::kUnavailable);

  // Both restart, with and without their peers given.
  world.Crash("a");
  world.Crash("b");
  world.Start("a");
  world.Start("b", {"a", "b"});
  Node* leader = world.WaitForLeader({"a", "b"});
  REQUIRE(leader != nullptr);
  REQUIRE(world.Propose(*leader, "on").ok());
  REQUIRE(IsLevel(world, "b", world.node("a")));
}

TEMPLATE_TEST_CASE("a member that is removed and added again in a transfer gets another", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  CutSoon(world);
  world.options.snapshot_bytes_per_second = 2 << 20;
  Node& leader = StartGroup(world);
  const std::string away = FollowerOf(leader);
  const auto change = [&](MemberChangeKind kind) {
    REQUIRE(world.Until([&] {
      return world.Wait(leader.ChangeMembers({{kind, NodeId(away), away, {}}})).ok();
    }));
  };
  world.Crash(away);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(world.Propose(leader, std::string(1 << 20, 'y')).ok());
  }
  WriteUntilCut(world, leader, leader->status().last_index);
  world.Start(away, kNames);
  REQUIRE(world.Until([&] { return world.disk(away).snapshots.directories() > 0; }));
  change(MemberChangeKind::kRemove);
  change(MemberChangeKind::kAddVoter);
  REQUIRE(IsLevel(world, away, leader));
  REQUIRE(world.Until([&] {
    const ClusterStatus status = leader->status();
    return status.members.size() == 3 && status.members[0].voter && status.members[1].voter;
  }));
}

}  // namespace
}  // namespace scheduled::testing
