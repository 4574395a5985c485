// Groups of three: replication, elections, leases, hand-over, and what is told when the outcome is
// not known.
#include "consensus/group.h"

#include "consensus/envelope.h"

namespace scheduled::testing {
namespace {

TEMPLATE_TEST_CASE("three nodes found one cluster and apply the same commands", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 500; ++i) outcomes.push_back(leader.Propose(std::to_string(i)));
  for (const auto& outcome : outcomes) REQUIRE(world.Wait(outcome).ok());
  REQUIRE(AllApplied(world, 500));
  CHECK(world.node("a").machine().commands() == world.node("b").machine().commands());
  CHECK(world.node("a").machine().commands() == world.node("c").machine().commands());
  CHECK(world.node("a").cluster_id().size() == 16);
  CHECK(world.node("a").cluster_id() == world.node("b").cluster_id());
  CHECK(world.node("a").cluster_id() == world.node("c").cluster_id());
  const ClusterStatus status = leader->status();
  CHECK(status.has_quorum);
  REQUIRE(status.members.size() == 3);
  for (const ClusterMember& member : status.members) {
    CHECK(member.voter);
    CHECK(member.address == member.id.value);
  }
}

TEMPLATE_TEST_CASE("a large command travels in pieces", "", ThreadWorld, VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  Node* leader = &StartGroup(world);
  const std::string large((4 << 20) - 100, 'x');
  absl::Status done = world.Propose(*leader, large).status();
  // A machine that is busy with other things may lose its leader meanwhile, and then says that
  // nothing was carried out.
  while (absl::IsUnavailable(done)) {
    leader = world.WaitForLeader(kNames);
    REQUIRE(leader != nullptr);
    done = world.Propose(*leader, large).status();
  }
  REQUIRE(done == absl::OkStatus());
  REQUIRE(AllApplied(world, 1));
  for (const std::string& name : kNames) {
    CHECK(world.node(name).machine().commands()[0].bytes == large);
  }
}

TEMPLATE_TEST_CASE("a follower refuses a proposal and names the leader", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  Node& follower = world.node(Others(leader)[0]);
  const absl::Status refused = world.Propose(follower, "x").status();
  CHECK(refused.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(refused.message()).find("'" + NameOf(leader) + "'") != std::string::npos);
  CHECK_FALSE(follower->HasLease());
}

TEMPLATE_TEST_CASE("a barrier on a follower sees what the leader answered before", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  Node& follower = world.node(Others(leader)[0]);
  for (size_t i = 1; i <= 20; ++i) {
    REQUIRE(world.Propose(leader, "x").ok());
    REQUIRE(world.Wait(follower.Barrier()).ok());
    CHECK(follower.machine().command_count() >= i);
  }
}

TEMPLATE_TEST_CASE("a new leader takes over, and the old one catches up", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& old_leader = StartGroup(world);
  const std::string old_name = NameOf(old_leader);
  for (int i = 0; i < 10; ++i) REQUIRE(world.Propose(old_leader, "old").ok());
  world.Crash(old_name);
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(leader != nullptr);
  CHECK(NameOf(*leader) != old_name);
  for (int i = 0; i < 10; ++i) REQUIRE(world.Propose(*leader, "new").ok());
  world.Start(old_name, kNames);
  REQUIRE(AllApplied(world, 20));
  CHECK(world.node("a").machine().commands() == world.node("b").machine().commands());
  CHECK(world.node("a").machine().commands() == world.node("c").machine().commands());
}

TEMPLATE_TEST_CASE("all nodes restart and go on where they were", "", ThreadWorld, VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  for (int i = 0; i < 10; ++i) REQUIRE(world.Propose(leader, std::to_string(i)).ok());
  REQUIRE(world.node("b").machine().Flush().ok());
  const auto before = leader.machine().commands();
  const std::string cluster = leader.cluster_id();
  for (const std::string& name : kNames) world.Crash(name);
  Node& again = StartGroup(world);
  REQUIRE(AllApplied(world, 10));
  for (const std::string& name : kNames) CHECK(world.node(name).machine().commands() == before);
  CHECK(again.cluster_id() == cluster);
  CHECK(world.Propose(again, "on").ok());
}

TEMPLATE_TEST_CASE("leadership is handed over on request, to the chosen one", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  const std::string chosen = Others(leader)[1];
  REQUIRE(world.Propose(leader, "x").ok());
  CHECK(world.Wait(leader.Transfer(NodeId(chosen))).ok());
  CHECK_FALSE(leader->HasLease());
  Node* next = world.WaitForLeader(kNames);
  REQUIRE(next != nullptr);
  CHECK(NameOf(*next) == chosen);
  CHECK(world.Propose(*next, "y").ok());
  CHECK(world.Wait(leader.Transfer(std::nullopt)).code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE(world.Until([&] {
    const auto told = leader.machine().leading();
    return !told.empty() && !told.back().leader;
  }));
  REQUIRE(world.Until([&] { return leader.roles().back().leader == NodeId(chosen); }));
}

TEMPLATE_TEST_CASE("what was meant for a term is done in no other, even by the same leader", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  const Term before = leader->status().term;
  const NodeId own = leader->status().node_id;
  CHECK(leader->HasLease(before));
  CHECK(world.Propose(leader, "first", {.term = before}).ok());
  // Leads again, after another has.
  CHECK(world.Wait(leader.Transfer(std::nullopt)).ok());
  Node* other = world.WaitForLeader(kNames);
  REQUIRE(other != nullptr);
  CHECK_FALSE(leader->HasLease(before));
  CHECK(world.Wait(other->Transfer(own)).ok());
  Node* again = world.WaitForLeader(kNames);
  REQUIRE(again == &leader);
  const Term now = leader->status().term;
  CHECK(now > before);
  CHECK_FALSE(leader->HasLease(before));
  CHECK(leader->HasLease(now));
  // Together with one that is meant for this term, and one for any.
  auto late = leader.Propose("late", {.term = before});
  auto second = leader.Propose("second", {.term = now});
  auto third = leader.Propose("third");
  CHECK(absl::IsUnavailable(world.Wait(late).status()));
  CHECK(world.Wait(second).ok());
  CHECK(world.Wait(third).ok());
  REQUIRE(world.Wait(leader.Barrier()).ok());
  std::vector<std::string> applied;
  for (const auto& each : leader.machine().commands()) applied.push_back(each.bytes);
  CHECK(applied == std::vector<std::string>{"first", "second", "third"});
}

TEMPLATE_TEST_CASE("what is under way at a hand-over is answered by its real outcome", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& leader = StartGroup(world);
  std::vector<ProposeOutcome> outcomes;
  auto transfer = leader.Transfer(std::nullopt);
  for (int i = 0; i < 50; ++i) outcomes.push_back(leader.Propose(std::to_string(i)));
  CHECK(world.Wait(transfer).ok());
  Node* next = world.WaitForLeader(kNames);
  REQUIRE(next != nullptr);
  REQUIRE(world.Wait(next->Barrier()).ok());
  const auto commands = next->machine().commands();
  for (int i = 0; i < 50; ++i) {
    const auto outcome = world.Wait(outcomes[i]);
    const bool applied = std::any_of(commands.begin(), commands.end(), [&](const auto& each) {
      return each.bytes == std::to_string(i);
    });
    if (outcome.ok()) CHECK(applied);
    if (absl::IsUnavailable(outcome.status())) CHECK_FALSE(applied);
    CHECK_FALSE(absl::IsUnknown(outcome.status()));
  }
}

TEMPLATE_TEST_CASE("a leader that is cut off loses its lease before another leads", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& old_leader = StartGroup(world);
  world.Isolate(NameOf(old_leader), kNames);
  bool overlap = false;
  REQUIRE(world.Until([&] {
    for (const std::string& name : Others(old_leader)) {
      // In this order: the old lease is looked at after the new one was seen.
      if (world.node(name)->HasLease()) {
        overlap = overlap || old_leader->HasLease();
        return true;
      }
    }
    return false;
  }));
  CHECK_FALSE(overlap);
  CHECK_FALSE(old_leader->HasLease());
  REQUIRE(world.Until([&] { return old_leader->status().role != Role::kLeader; }));
  CHECK_FALSE(old_leader->status().has_quorum);
}

TEMPLATE_TEST_CASE("a command whose leader is cut off ends as unknown, and may be applied", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& old_leader = StartGroup(world);
  REQUIRE(world.Propose(old_leader, "known").ok());
  world.Isolate(NameOf(old_leader), kNames);
  auto lost = old_leader.Propose("lost");
  CHECK(world.Wait(lost).status().code() == absl::StatusCode::kUnknown);
  // A barrier there cannot be served either.
  CHECK(world.Wait(old_leader.Barrier()).code() == absl::StatusCode::kUnavailable);
  world.Isolate(NameOf(old_leader), kNames, /*cut=*/false);
  Node* leader = world.WaitForLeader(kNames);
  REQUIRE(leader != nullptr);
  REQUIRE(world.Propose(*leader, "after").ok());
}

TEMPLATE_TEST_CASE("a command whose place is taken by another was definitely not applied", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& old_leader = StartGroup(world);
  world.Isolate(NameOf(old_leader), kNames);
  auto lost = old_leader.Propose("lost");
  const std::vector<std::string> others = Others(old_leader);
  Node* leader = world.WaitForLeader(others);
  REQUIRE(leader != nullptr);
  REQUIRE(world.Propose(*leader, "instead").ok());
  // Back in time for the old leader to learn what became of it.
  world.Isolate(NameOf(old_leader), kNames, /*cut=*/false);
  const absl::Status outcome = world.Wait(lost).status();
  CHECK((absl::IsUnavailable(outcome) || absl::IsUnknown(outcome)));
  REQUIRE(AllApplied(world, 1));
  for (const auto& command : old_leader.machine().commands()) CHECK(command.bytes == "instead");
}

TEMPLATE_TEST_CASE("a leader whose disk fails is replaced", "", ThreadWorld, VirtualWorld) {
  TestType world;
  Node& old_leader = StartGroup(world);
  old_leader.log().fail = true;
  auto lost = old_leader.Propose("lost");
  CHECK(world.Wait(lost).status().code() == absl::StatusCode::kUnknown);
  Node* leader = nullptr;
  REQUIRE(world.Until([&] {
    for (const std::string& name : Others(old_leader)) {
      if (world.node(name)->HasLease()) leader = &world.node(name);
    }
    return leader != nullptr;
  }));
  CHECK_FALSE(old_leader->HasLease());
  CHECK(world.Propose(*leader, "next").ok());
}

TEMPLATE_TEST_CASE("application frames reach the peer's application", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  StartGroup(world);
  world.node("a")->SendApplicationFrame(NodeId("b"), "hello");
  REQUIRE(world.Until([&] { return !world.node("b").frames().empty(); }));
  CHECK(world.node("b").frames()[0] == "a:hello");
  // Too large to stand before a heartbeat: it takes another way.
  const std::string large(3 << 20, 'x');
  world.node("a")->SendApplicationFrame(NodeId("b"), large);
  REQUIRE(world.Until([&] { return world.node("b").frames().size() == 2; }));
  CHECK(world.node("b").frames()[1] == "a:" + large);
}

TEST_CASE("application frames of another cluster, and of none, are not heard") {
  VirtualWorld world;
  StartGroup(world);
  const auto send = [&](std::string_view cluster, std::string frame) {
    Seal(EnvelopeKind::kApplication, cluster, &frame);
    world.Inject("a", "b", FrameClass::kApplication, std::move(frame));
  };
  world.Inject("a", "b", FrameClass::kApplication, "bare, and longer than an envelope");
  send("", "of no cluster");
  send(std::string(kClusterIdBytes, 'x'), "of another");
  CHECK(world.node("b").frames().empty());
  send(world.node("b").cluster_id(), "of its own");
  CHECK(world.node("b").frames() == std::vector<std::string>{"a:of its own"});

  // Nor does a node take one for the word of its cluster, while it belongs to none.
  VirtualWorld empty;
  empty.Start("b", kNames);
  std::string frame = "too soon";
  Seal(EnvelopeKind::kApplication, std::string(kClusterIdBytes, 'x'), &frame);
  empty.Inject("a", "b", FrameClass::kApplication, std::move(frame));
  empty.loop().RunUntil(empty.loop().now() + absl::Seconds(1));
  CHECK(empty.node("b").frames().empty());
  CHECK(empty.node("b").cluster_id().empty());
}

TEMPLATE_TEST_CASE("a member that is down holds the log, and catches up from it", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  world.options.max_unapplied_bytes = 16 << 20;
  Node& leader = StartGroup(world);
  const std::string absent = Others(leader)[0];
  world.Crash(absent);
  for (int i = 0; i < 40; ++i) REQUIRE(world.Propose(leader, std::string(1 << 20, 'x')).ok());
  REQUIRE(world.Until([&] { return leader.machine().flushes() > 0; }));
  CHECK(leader->status().first_index == LogIndex(1));
  world.Start(absent, kNames);
  REQUIRE(AllApplied(world, 40));
  // All have it now: leader and followers cut, the followers once they have flushed.
  REQUIRE(world.Until([&] {
    for (const std::string& name : kNames) {
      if (world.node(name)->status().first_index < LogIndex(10)) return false;
    }
    return true;
  }));
}

TEMPLATE_TEST_CASE("a log that cannot be cut has an end, and goes on once it can", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  world.ExpectBulk();
  const bool comes_back = GENERATE(true, false);
  constexpr size_t kCommand = 256 << 10;
  world.options.max_entry_bytes = 2 * kCommand;
  world.options.max_batch_bytes = 2 * kCommand;
  world.options.max_unapplied_bytes = 4 * kCommand;
  world.options.max_log_bytes = 36 * kCommand;
  world.options.compact_log_bytes = 36 * kCommand;
  world.options.log_tail_bytes = 18 * kCommand;
  world.snapshots = false;
  Node& leader = StartGroup(world);
  const std::string absent = Others(leader)[0];
  world.Crash(absent);
  absl::Status last;
  int accepted = 0;
  while (last.ok() && accepted < 100) {
    last = world.Propose(leader, std::string(kCommand, 'x')).status();
    if (last.ok()) ++accepted;
  }
  CHECK(last.code() == absl::StatusCode::kResourceExhausted);
  CHECK(accepted >= 35);
  CHECK(accepted <= 40);
  // What goes on with the application's own work does so, up to twice that.
  const ProposeOptions internal{.proposal_class = ProposalClass::kInternal};
  last = absl::OkStatus();
  while (last.ok() && accepted < 200) {
    last = world.Propose(leader, std::string(kCommand, 'y'), internal).status();
    if (last.ok()) ++accepted;
  }
  CHECK(last.code() == absl::StatusCode::kResourceExhausted);
  CHECK(accepted >= 71);
  CHECK(accepted <= 76);
  // The group may always do without the member, too.
  if (comes_back) {
    world.Start(absent, kNames);
  } else {
    CHECK(world.Wait(leader.ChangeMembers({{MemberChangeKind::kRemove, NodeId(absent), "", {}}}))
              .ok());
  }
  REQUIRE(world.Until([&] { return world.Propose(leader, "small").ok(); }));
}

TEST_CASE("nothing is cut anywhere that the leader's own disk lacks") {
  VirtualWorld world;
  world.snapshots = false;
  world.options.compact_log_bytes = 64 << 10;
  world.options.log_tail_bytes = 8 << 10;
  std::string slow;
  world.on_write = [&](const std::string& name) {
    if (name == slow) world.loop().Spend(absl::Milliseconds(200));
  };
  Node& leader = StartGroup(world);
  slow = NameOf(leader);
  LogIndex cut;
  for (int i = 0; i < 2000; ++i) {
    leader.Propose(std::string(1000, 'x'));
    world.loop().RunUntil(world.loop().now() + absl::Milliseconds(5));
    const ClusterStatus status = leader->status();
    REQUIRE(status.role == Role::kLeader);
    LogIndex durable;
    for (const ClusterMember& member : status.members) {
      if (member.id == status.node_id) durable = member.match;
    }
    for (const std::string& name : kNames) {
      const LogIndex first = world.node(name)->status().first_index;
      REQUIRE(first <= durable.Next());
      cut = std::max(cut, first);
    }
  }
  CHECK(cut > LogIndex(20));
}

TEST_CASE("the same seed gives the same run") {
  std::vector<uint64_t> digests;
  for (const uint64_t seed : {7, 7, 8}) {
    VirtualWorld world(seed);
    Node& leader = StartGroup(world);
    for (int i = 0; i < 50; ++i) REQUIRE(world.Propose(leader, std::to_string(i)).ok());
    REQUIRE(world.Wait(leader.Transfer(std::nullopt)).ok());
    REQUIRE(world.WaitForLeader(kNames) != nullptr);
    digests.push_back(world.loop().digest());
  }
  CHECK(digests[0] == digests[1]);
  CHECK(digests[0] != digests[2]);
}

TEST_CASE("a leader whose disk stalls hands over before anybody misses it for long") {
  VirtualWorld world;
  std::string stalled;
  world.on_write = [&](const std::string& name) {
    if (name == stalled) world.loop().Spend(absl::Seconds(5));
  };
  Node& leader = StartGroup(world);
  const MonoTime begin = world.loop().now();
  stalled = NameOf(leader);
  auto first = leader.Propose("stuck");
  REQUIRE(world.Until([&] {
    for (const std::string& name : Others(leader)) {
      if (world.node(name)->HasLease()) return true;
    }
    return false;
  }));
  CHECK(world.loop().now() - begin < absl::Seconds(2));
}

}  // namespace
}  // namespace scheduled::testing
