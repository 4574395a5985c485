// Replication, flow control, reads and transfers, seen from one core or in the small world.
#include <catch2/catch.hpp>

#include "raft/cluster_harness.h"
#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

// --- Replication ---

TEST_CASE("reconciling two logs takes as many round trips as they have terms") {
  // The follower has 50 entries each of terms 2, 4 and 6 that the leader has not; the leader has
  // terms 3, 5 and 7 there.
  World world({.nodes = 3, .seed = 11});
  for (int node = 1; node <= 3; ++node) world.Crash(node);
  const auto fill = [&](int node, std::vector<uint64_t> terms) {
    Disk& disk = world.mutable_disk(node);
    for (uint64_t term : terms) {
      for (int i = 0; i < 50; ++i) {
        disk.entries.push_back(CommandEntry(disk.last().value + 1, term, std::to_string(term)));
      }
      disk.hard_state.term = Term(term);
    }
  };
  fill(1, {1, 2, 4, 6});
  fill(2, {1, 3, 5, 7});
  fill(3, {1, 3, 5, 7});
  for (int node = 1; node <= 3; ++node) world.Restart(node);
  int refused = 0;
  world.OnDeliver([&](const Message& message) {
    const auto* reply = std::get_if<AppendReply>(&message.body);
    if (reply != nullptr && !reply->taken && message.from == World::Name(1)) ++refused;
  });
  world.AwaitLeader();
  REQUIRE(world.AwaitApplied(LogIndex(201)));
  CHECK(refused <= 5);
  CHECK(world.AppliedCommands(1) == world.AppliedCommands(2));
}

TEST_CASE("an acknowledgement that no drain has handed out goes with what it spoke of") {
  LoneCore a({.term = 1, .log = {1}});
  const Message first{
      GroupId(1),  NodeId("b"),
      NodeId("a"), DiskId(),
      Term(2),     AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 2), CommandEntry(3, 2)}}};
  a.core().Step(a.now(), first);
  a.Receive("c", 3, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 3)}});
  a.PersistAll();
  const auto replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(2));
  CHECK(replies[0].to == NodeId("c"));
}

TEST_CASE("only a command that a snapshot jumped over may have been applied after all") {
  CHECK(IsDefinitelyNotApplied(ProposalFailure::kNotLeader));
  CHECK(IsDefinitelyNotApplied(ProposalFailure::kSuperseded));
  CHECK_FALSE(IsDefinitelyNotApplied(ProposalFailure::kUnknown));
}

TEST_CASE("a lost window is noticed by the next answered heartbeats, and sent again") {
  World world({.nodes = 3, .seed = 12});
  const int leader = world.AwaitLeader();
  REQUIRE(world.Commit(leader, "a"));
  world.Run(absl::Milliseconds(60));
  world.DropIf([](const Message& m) { return std::holds_alternative<AppendRequest>(m.body); });
  const ProposalId id = world.Propose(leader, "b");
  world.Run(absl::Milliseconds(5));
  world.DropIf({});
  REQUIRE(world.RunUntil([&] { return world.outcome(id) == World::Outcome::kCommitted; },
                         absl::Milliseconds(120)));
  CHECK(world.Leader() == leader);
}

TEST_CASE("a lost word of the commit index is told again") {
  World world({.nodes = 3, .seed = 13});
  const int leader = world.AwaitLeader();
  REQUIRE(world.Commit(leader, "a"));
  world.Run(absl::Milliseconds(60));
  world.DropIf([](const Message& m) {
    const auto* append = std::get_if<AppendRequest>(&m.body);
    return append != nullptr && append->quiet;
  });
  REQUIRE(world.Commit(leader, "b"));
  const LogIndex commit = world.core(leader).commit();
  world.Run(absl::Milliseconds(20));
  world.DropIf({});
  CHECK(world.AwaitApplied(commit, absl::Milliseconds(120)));
}

TEST_CASE("an idle group sends heartbeats and nothing else") {
  World world({.nodes = 3, .seed = 14});
  const int leader = world.AwaitLeader();
  REQUIRE(world.Commit(leader, "a"));
  world.Run(absl::Milliseconds(100));
  const uint64_t before = world.messages_sent();
  world.Run(absl::Seconds(1));
  CHECK(world.messages_sent() - before <= 21 * 4);
}

TEST_CASE("entries that have left memory are read for a follower that lags") {
  WorldOptions options{.nodes = 3, .seed = 15};
  options.tune = [](Options& each) { each.tail_bytes = 0; };
  World world(options);
  const int leader = world.AwaitLeader();
  const int behind = leader == 1 ? 2 : 1;
  world.Isolate(behind);
  for (int i = 0; i < 100; ++i) REQUIRE(world.Commit(leader, "c" + std::to_string(i)));
  CHECK(world.core(leader).status().tail_first > LogIndex(50));
  world.Heal();
  REQUIRE(world.AwaitApplied(world.core(leader).commit()));
  CHECK(world.AppliedCommands(behind).size() == 100);
}

TEST_CASE("a follower behind the cut gets a snapshot, and then the log") {
  World world({.nodes = 3, .seed = 16});
  const int leader = world.AwaitLeader();
  const int behind = leader == 1 ? 2 : 1;
  world.Isolate(behind);
  for (int i = 0; i < 100; ++i) REQUIRE(world.Commit(leader, "c" + std::to_string(i)));
  world.Cut(leader, LogIndex(90));
  world.Heal();
  REQUIRE(world.AwaitApplied(world.core(leader).commit()));
  CHECK(world.AppliedCommands(behind).size() == 100);
  REQUIRE(world.Commit(leader, "after"));
  REQUIRE(world.AwaitApplied(world.core(leader).commit()));
}

TEST_CASE("messages for another group or node are counted and dropped") {
  LoneCore a({.term = 1, .log = {1}});
  a.Step(Message{GroupId(2), NodeId("b"), NodeId("a"), {}, Term(9), Heartbeat{Round(1)}});
  a.Step(Message{GroupId(1), NodeId("b"), NodeId("x"), {}, Term(9), Heartbeat{Round(1)}});
  a.Step(Message{GroupId(1), NodeId("a"), NodeId("a"), {}, Term(9), Heartbeat{Round(1)}});
  CHECK(a.status().dropped_foreign == 3);
  CHECK(a.status().term == Term(1));
}

TEST_CASE("what no correct peer sends is counted and dropped, and changes nothing") {
  const std::vector<std::pair<uint64_t, MessageBody>> impossible = {
      {uint64_t{1} << 63, Heartbeat{Round(1)}},
      {0, Heartbeat{Round(1)}},
      {2, VoteRequest{false, false, Term(3), At(1, 1)}},
      {2, VoteRequest{true, false, Term(2), At(1, 1)}},
      {2, VoteRequest{true, true, Term(3), At(1, 1)}},
      {2, VoteRequest{false, false, Term(2), At(1, 3)}},
      {2, VoteRequest{false, false, Term(2), At(1, 0)}},
      {2, VoteReply{false, true, VoteRefusal::kVoted, Term(2)}},
      {2, VoteReply{false, true, VoteRefusal::kNone, Term(3)}},
      {2, VoteReply{true, true, VoteRefusal::kNone, Term(2)}},
      {2, AppendRequest{At(1, 3), {}, false, {}}},
      {2, AppendRequest{At(1, 1), {}, true, {CommandEntry(2, 2)}}},
      {2, AppendRequest{At(1, 1), {}, false, {CommandEntry(3, 2)}}},
      {2, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 3)}}},
      {2, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 2), CommandEntry(3, 1)}}},
      {2, AppendRequest{At(1, 1), LogIndex(uint64_t{1} << 63), false, {}}},
      {2, AppendReply{true, LogIndex(uint64_t{1} << 63), {}, {}}},
      {2, AppendReply{false, {}, LogIndex(1), At(1, 9)}},
      {2, SnapshotRequest{TransferId(1), SnapshotMeta{}}},
  };
  LoneCore a({.term = 1, .log = {1}});
  for (size_t i = 0; i < impossible.size(); ++i) {
    a.Receive("b", impossible[i].first, impossible[i].second);
    CAPTURE(i);
    CHECK(a.status().dropped_malformed == i + 1);
  }
  CHECK(a.status().term == Term(1));
  CHECK(a.status().last == LogIndex(1));
  CHECK(a.sent.empty());
}

// --- Reads ---

TEST_CASE("a read under the lease is answered at once, without a message") {
  World world({.nodes = 3, .seed = 20});
  const int leader = world.AwaitLeader();
  world.Run(absl::Milliseconds(10));
  const uint64_t before = world.messages_sent();
  const ReadId read = world.Read(leader);
  CHECK(world.read_index(read) == world.core(leader).commit());
  CHECK(world.messages_sent() == before);
}

TEST_CASE("without a lease reads share rounds: one is under way, the others wait for the next") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();  // round 1 is under way
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.Take();
  const ReadId first = a.Read();
  const auto begun = a.TakeOnly<Heartbeat>();
  REQUIRE(begun.size() == 2);
  const Round round = std::get<Heartbeat>(begun[0].body).round;
  const ReadId second = a.Read();
  const ReadId third = a.Read();
  CHECK(a.TakeOnly<Heartbeat>().empty());
  a.AckRound("b", round.value - 1);  // began before the reads: proves nothing for them
  // It gives a lease though, and a lease answers all.
  CHECK(a.IsReady(first));
  CHECK(a.IsReady(second));
  CHECK(a.IsReady(third));
}

TEST_CASE("a follower forwards its reads in batches, and serves them itself") {
  World world({.nodes = 3, .seed = 21});
  const int leader = world.AwaitLeader();
  const int follower = leader == 1 ? 2 : 1;
  REQUIRE(world.Commit(leader, "a"));
  world.Run(absl::Milliseconds(10));
  int asked = 0;
  world.OnDeliver(
      [&](const Message& m) { asked += std::holds_alternative<ReadRequest>(m.body) ? 1 : 0; });
  std::vector<ReadId> reads;
  for (int i = 0; i < 10; ++i) reads.push_back(world.Read(follower));
  world.Run(absl::Milliseconds(5));
  for (ReadId read : reads) CHECK(world.read_index(read) == world.core(leader).commit());
  CHECK(asked == 2);
}

TEST_CASE("a forwarded read is asked again when it is lost, and fails when nobody answers") {
  World world({.nodes = 3, .seed = 22});
  const int leader = world.AwaitLeader();
  const int follower = leader == 1 ? 2 : 1;
  world.Run(absl::Milliseconds(10));
  bool lost = true;
  world.DropIf(
      [&](const Message& m) { return lost && std::holds_alternative<ReadRequest>(m.body); });
  const ReadId again = world.Read(follower);
  world.Run(absl::Milliseconds(20));
  lost = false;
  world.Run(absl::Milliseconds(60));
  CHECK(world.read_index(again));
  lost = true;
  const ReadId never = world.Read(follower);
  world.Run(absl::Seconds(1));
  CHECK(world.read_failure(never) == ReadFailure::kTimeout);
}

TEST_CASE("an answer to a read of before a restart is none to one after it") {
  LoneCore::Setup setup{.term = 1, .log = {1, 1, 1}};
  setup.options.seed = 1;
  LoneCore before(setup);
  before.Receive("b", 1, Heartbeat{Round(1)});
  before.Read();
  const ReadBatch old = std::get<ReadRequest>(before.TakeOnly<ReadRequest>()[0].body).batch;
  setup.options.seed = 2;
  LoneCore after(setup);
  after.Receive("b", 1, Heartbeat{Round(1)});
  const ReadId read = after.Read();
  const ReadBatch asked = std::get<ReadRequest>(after.TakeOnly<ReadRequest>()[0].body).batch;
  CHECK(asked != old);
  after.Receive("b", 1, ReadReply{std::min(asked, old), true, LogIndex(1)});
  CHECK(after.IsReady(read) == (asked < old));
}

// --- Transfers ---

TEST_CASE("a resigning leader is replaced within 50 ms, to the chosen node or the best") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.nodes = 3, .seed = seed});
    const int old = world.AwaitLeader();
    REQUIRE(world.Commit(old, "a"));
    const int chosen = seed % 2 == 0 ? 0 : (old == 3 ? 1 : 3);
    const absl::Duration asked = world.elapsed();
    const TransferId id = world.Transfer(old, chosen);
    REQUIRE(world.RunUntil([&] { return world.Leader() != old && world.Leader() != 0; }));
    const int next = world.AwaitLeader();
    CHECK(world.elapsed() - asked < absl::Milliseconds(50));
    CHECK((chosen == 0 || next == chosen));
    CHECK(world.transfer_outcome(id) == TransferOutcome::kDone);
    CHECK(world.Commit(next, "b"));
  }
}

// The voters a and b are written down with their disks, c is not.
LoneCore LeaderWithAnUnknownDisk() {
  Options options;
  options.self = NodeId("a");
  options.disk = DiskId(1);
  Recovered recovered;
  recovered.hard_state = HardState{Term(1), NodeId()};
  recovered.last = LogIndex(1);
  recovered.terms = {TermRun{Term(1), LogIndex(1)}};
  Configuration configuration = Voters({"a", "b", "c"});
  configuration.voters[0].disk = DiskId(1);
  configuration.voters[1].disk = DiskId(2);
  recovered.configurations.push_back(ConfigurationAt{LogIndex(), configuration});
  LoneCore a(options, std::move(recovered));
  a.AutoPersist(true);
  a.Lead();
  return a;
}

TEST_CASE("leadership goes to nobody who has not answered in this term") {
  LoneCore a = LeaderWithAnUnknownDisk();
  a.Step(TransferTo{TransferId(1), NodeId()});
  REQUIRE(a.transfers.size() == 1);
  CHECK(a.transfers[0].outcome == TransferOutcome::kRefused);
  a.Receive("b", a.core().term().value, HeartbeatReply{Round(1), LogIndex()}, DiskId(2));
  a.Step(TransferTo{TransferId(2), NodeId()});
  CHECK(a.transfers.size() == 1);
  a.Receive("b", a.core().term().value, AppendReply{true, LogIndex(2), LogIndex(), {}}, DiskId(2));
  const auto sent = a.TakeOnly<TimeoutNow>();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].to == NodeId("b"));
}

TEST_CASE("a voter that could not campaign yet is not asked to before its disk is written down") {
  LoneCore a = LeaderWithAnUnknownDisk();
  a.Step(TransferTo{TransferId(1), NodeId("c")});
  const uint64_t term = a.core().term().value;
  a.Receive("c", term, AppendReply{true, LogIndex(2), LogIndex(), {}}, DiskId(3));
  CHECK(a.TakeOnly<TimeoutNow>().empty());  // it would ignore it, and nobody would lead
  a.Receive("b", term, AppendReply{true, LogIndex(2), LogIndex(), {}}, DiskId(2));
  REQUIRE(a.core().configuration().Find(NodeId("c"))->disk == DiskId(3));
  CHECK(a.TakeOnly<TimeoutNow>().empty());
  a.Receive("c", term, AppendReply{true, LogIndex(3), LogIndex(), {}}, DiskId(3));
  CHECK(a.TakeOnly<TimeoutNow>().size() == 1);
}

// --- Stickiness and check quorum ---

TEST_CASE("a node that hears nobody disturbs nobody, and comes back quietly") {
  World world({.nodes = 3, .seed = 30});
  const int leader = world.AwaitLeader();
  const int cut = leader == 1 ? 2 : 1;
  const Term term = world.core(leader).term();
  world.Isolate(cut);
  world.Run(absl::Seconds(5));
  CHECK(world.core(cut).term() == term);  // pre-votes do not raise it
  world.Heal();
  world.Run(absl::Seconds(1));
  CHECK(world.Leader() == leader);
  CHECK(world.core(leader).term() == term);
}

TEST_CASE("a node that is heard but hears nobody does not depose the leader") {
  World world({.nodes = 3, .seed = 31});
  const int leader = world.AwaitLeader();
  const int deaf = leader == 1 ? 2 : 1;
  const Term term = world.core(leader).term();
  for (int other = 1; other <= 3; ++other) {
    if (other != deaf) world.CutLink(other, deaf);
  }
  world.Run(absl::Seconds(5));
  CHECK(world.Leader() == leader);
  CHECK(world.core(leader).term() == term);
}

TEST_CASE("a leader that hears no quorum steps down within two election timeouts") {
  World world({.nodes = 3, .seed = 32});
  const int leader = world.AwaitLeader();
  world.Run(absl::Milliseconds(100));
  world.Isolate(leader);
  world.Run(absl::Milliseconds(250));
  CHECK_FALSE(world.core(leader).LeaseValid(world.LocalNow(leader)));
  world.Run(absl::Milliseconds(450));
  CHECK(world.core(leader).role() != Role::kLeader);
}

TEST_CASE("a leader that is not heard, but hears all, is replaced") {
  World world({.nodes = 3, .seed = 33});
  const int leader = world.AwaitLeader();
  for (int other = 1; other <= 3; ++other) {
    if (other != leader) world.CutLink(leader, other);
  }
  CHECK(world.RunUntil([&] { return world.Leader() != 0 && world.Leader() != leader; },
                       absl::Seconds(3)));
}

}  // namespace
}  // namespace scheduled::raft
