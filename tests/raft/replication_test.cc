// Replication, flow control, reads and transfers, seen from one core or in the small world.
#include <catch2/catch.hpp>

#include "raft/cluster_harness.h"
#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

const AppendRequest& AsAppend(const Message& message) {
  return std::get<AppendRequest>(message.body);
}

// --- Replication ---

TEST_CASE("a follower truncates a conflicting suffix") {
  LoneCore a({.term = 2, .log = {1, 1, 2, 2}});
  a.AutoPersist(true);
  a.Receive("b", 3, AppendRequest{At(2, 1), {}, false, {CommandEntry(3, 3)}});
  CHECK(a.status().last == LogIndex(3));
  CHECK(a.core().TermAt(LogIndex(3)) == Term(3));
  a.Receive("b", 3, AppendRequest{At(2, 1), {}, false, {CommandEntry(3, 3)}});  // again: no harm
  CHECK(a.status().last == LogIndex(3));
}

TEST_CASE("an older append that comes late truncates nothing") {
  LoneCore a({.term = 1, .log = {1}});
  a.AutoPersist(true);
  a.Receive("b", 1, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 1), CommandEntry(3, 1)}});
  a.Receive("b", 1, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 1)}});
  CHECK(a.status().last == LogIndex(3));
}

TEST_CASE("an entry with an unreadable configuration is dropped, with all of its append") {
  LoneCore a({.term = 1, .log = {1}});
  Entry bad = CommandEntry(3, 1, "no members");
  bad.kind = EntryKind::kConfiguration;
  a.Receive("b", 1, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 1), bad}});
  CHECK(a.status().last == LogIndex(1));
  CHECK(a.status().dropped_malformed == 1);
}

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

TEST_CASE("appends leave before the leader's own write, and follow each other without waiting") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.Ack("b", 2);
  a.Take();
  REQUIRE(a.writes.empty());
  for (uint64_t i = 3; i <= 7; ++i) {
    a.Propose("x");
    const auto sent = a.TakeOnly<AppendRequest>();
    REQUIRE(sent.size() == 1);
    CHECK(AsAppend(sent[0]).previous.index == LogIndex(i - 1));
    CHECK(AsAppend(sent[0]).entries.size() == 1);
  }
  CHECK(a.writes.size() == 5);
  CHECK(a.status().peers[0].inflight_messages == 5);
  a.Ack("b", 7);
  CHECK(a.status().peers[0].inflight_messages == 0);
}

TEST_CASE("while the window is full entries gather, and leave together") {
  LoneCore::Setup setup{.term = 1, .log = {1}};
  setup.options.max_inflight_messages = 4;
  LoneCore a(setup);
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.Take();
  for (int i = 0; i < 20; ++i) a.Propose("x");
  CHECK(a.TakeOnly<AppendRequest>().size() == 4);
  a.Ack("b", 3);
  const auto sent = a.TakeOnly<AppendRequest>();
  REQUIRE(sent.size() == 1);
  CHECK(AsAppend(sent[0]).entries.size() == 16);
  CHECK(a.status().peers[0].next == LogIndex(23));
}

TEST_CASE("a window is bounded in bytes, and a large entry travels alone") {
  LoneCore::Setup setup{.term = 1, .log = {1}};
  setup.options.max_append_bytes = 1000;
  setup.options.max_inflight_bytes = 3000;
  LoneCore a(setup);
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.Take();
  a.Propose(std::string(5000, 'x'));
  a.Propose("x");
  auto sent = a.TakeOnly<AppendRequest>();
  REQUIRE(sent.size() == 1);
  CHECK(AsAppend(sent[0]).entries.size() == 1);
  a.Ack("b", 3);
  CHECK(a.TakeOnly<AppendRequest>().size() == 1);
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

TEST_CASE("a link that comes back is used at once") {
  World world({.nodes = 3, .seed = 17});
  const int leader = world.AwaitLeader();
  const int other = leader == 1 ? 2 : 1;
  world.Run(absl::Milliseconds(60));
  world.Isolate(other);
  REQUIRE(world.Commit(leader, "a"));
  world.Heal();
  world.Step(leader, PeerLink{World::Name(other), false});
  world.Step(leader, PeerLink{World::Name(other), true});
  CHECK(world.AwaitApplied(world.core(leader).commit(), absl::Milliseconds(5)));
}

TEST_CASE("proposals are refused where they cannot be taken, each with its reason") {
  LoneCore::Setup setup{.term = 1, .log = {1}};
  setup.options.max_entry_bytes = 100;
  LoneCore a(setup);
  a.Propose("x");
  CHECK(a.proposals_failed.back().failure == ProposalFailure::kNotLeader);
  a.Lead();
  a.Propose(std::string(101, 'x'));
  CHECK(a.proposals_failed.back().failure == ProposalFailure::kTooLarge);
  a.Propose(std::string(100, 'x'));
  CHECK(a.proposed.back().at == At(3, 2));
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

TEST_CASE("after TimeoutNow there is no lease, and reads need a round of their own") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.AckRound("b", 1);
  a.Step(TransferTo{TransferId(1), NodeId("b")});
  a.Take();
  const ReadId first = a.Read();
  auto begun = a.TakeOnly<Heartbeat>();
  REQUIRE(begun.size() == 2);
  const Round round = std::get<Heartbeat>(begun[0].body).round;
  const ReadId second = a.Read();
  CHECK(a.TakeOnly<Heartbeat>().empty());
  a.AckRound("b", round.value);
  CHECK(a.IsReady(first));
  CHECK_FALSE(a.IsReady(second));
  begun = a.TakeOnly<Heartbeat>();
  REQUIRE(begun.size() == 2);
  a.AckRound("c", round.value);
  CHECK_FALSE(a.IsReady(second));
  a.AckRound("c", round.value + 1);
  CHECK(a.IsReady(second));
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

TEST_CASE("reads fail at once where no leader is known, and when the leader changes") {
  LoneCore a({.term = 1, .log = {1}});
  a.Read();
  REQUIRE(a.reads_failed.size() == 1);
  CHECK(a.reads_failed[0].failure == ReadFailure::kNoLeader);
  a.Receive("b", 1, Heartbeat{Round(1)});
  a.Read();
  CHECK(a.reads_failed.size() == 1);
  a.Receive("c", 2, Heartbeat{Round(1)});
  REQUIRE(a.reads_failed.size() == 2);
  CHECK(a.reads_failed[1].failure == ReadFailure::kLeaderChanged);
  a.Read();
  a.Receive("c", 2,
            ReadReply{std::get<ReadRequest>(a.TakeOnly<ReadRequest>().back().body).batch, false,
                      LogIndex()});
  CHECK(a.reads_failed.size() == 3);
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

TEST_CASE("pending reads are bounded") {
  LoneCore::Setup setup{.term = 1, .log = {1}};
  setup.options.max_pending_reads = 2;
  LoneCore a(setup);
  a.Lead();
  a.Read();
  a.Read();
  a.Read();
  REQUIRE(a.reads_failed.size() == 1);
  CHECK(a.reads_failed[0].failure == ReadFailure::kOverloaded);
  a.Receive("b", 2, ReadRequest{ReadBatch(1)});
  const auto refused = a.TakeOnly<ReadReply>();
  REQUIRE(refused.size() == 1);
  CHECK_FALSE(std::get<ReadReply>(refused[0].body).ok);
  a.Receive("c", 3, Heartbeat{Round(1)});  // deposed
  CHECK(a.reads_failed.size() == 3);
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

TEST_CASE("a transfer waits for its target, taking proposals until it is near") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.Ack("c", 2);
  for (int i = 0; i < 3; ++i) a.Propose("x");  // 3, 4, 5
  a.Step(TransferTo{TransferId(1), NodeId("b")});
  a.Propose("x");  // 6
  CHECK(a.proposals_failed.empty());
  a.Ack("b", 5);  // has what the log held when it began
  a.Propose("x");
  REQUIRE(a.proposals_failed.size() == 1);
  CHECK(a.proposals_failed[0].failure == ProposalFailure::kTransferring);
  CHECK(a.TakeOnly<TimeoutNow>().empty());
  a.Ack("b", 6);
  CHECK(a.TakeOnly<TimeoutNow>().size() == 1);
  a.Advance(absl::Milliseconds(50));
  CHECK(a.TakeOnly<TimeoutNow>().size() == 1);  // once more: it may be lost
}

TEST_CASE("a transfer whose target does not catch up is dropped, and proposals are taken again") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.Ack("c", 2);
  a.Propose("x");
  a.Step(TransferTo{TransferId(1), NodeId("b")});
  a.Step(TransferTo{TransferId(2), NodeId("c")});
  REQUIRE(a.transfers.size() == 1);
  CHECK(a.transfers[0].id == TransferId(2));
  CHECK(a.transfers[0].outcome == TransferOutcome::kRefused);
  a.Ack("c", 3);
  for (int i = 0; i < 13; ++i) {
    a.Advance(absl::Milliseconds(50));
    a.Receive("c", 2, HeartbeatReply{Round(1), LogIndex(3)});
  }
  REQUIRE(a.transfers.size() == 2);
  CHECK(a.transfers[1].outcome == TransferOutcome::kTimedOut);
  CHECK(a.core().role() == Role::kLeader);
  a.Propose("x");
  CHECK(a.proposals_failed.empty());
}

TEST_CASE("an impossible transfer is refused") {
  LoneCore a({.term = 1, .log = {1}});
  const auto refused = [&a](const std::string& target) {
    a.Step(TransferTo{TransferId(1), NodeId(target)});
    return a.transfers.back().outcome == TransferOutcome::kRefused;
  };
  CHECK(refused("b"));  // not leader
  a.Lead();
  CHECK(refused("a"));
  CHECK(refused("x"));
}

TEST_CASE("TimeoutNow of another than the leader, or of the past, starts nothing") {
  LoneCore a({.term = 3, .log = {1}});
  a.Receive("b", 3, Heartbeat{Round(1)});
  a.Receive("c", 3, TimeoutNow{});
  a.Receive("b", 2, TimeoutNow{});
  CHECK(a.core().role() == Role::kFollower);
  a.Receive("b", 3, TimeoutNow{});
  CHECK(a.core().role() == Role::kCandidate);
  a.PersistAll();
  const auto asked = a.TakeOnly<VoteRequest>();
  REQUIRE(asked.size() == 2);
  CHECK(std::get<VoteRequest>(asked[0].body).transfer);
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
