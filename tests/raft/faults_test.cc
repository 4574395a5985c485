// Faults of the log and of snapshots that other implementations of Raft have had, each as a case
// that would show it; those of elections stand beside. The numbers are those of the list in the
// design of this part.
#include <catch2/catch.hpp>

#include "raft/cluster_harness.h"
#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

AppendRequest Append(LogPosition previous, std::vector<Entry> entries, uint64_t commit = 0) {
  return AppendRequest{previous, LogIndex(commit), false, std::move(entries)};
}

TEST_CASE("2: entries of an earlier term are not committed by counting") {
  LoneCore a({.term = 2, .log = {1, 2}});
  a.Lead();  // term 3; its no-op is 3
  REQUIRE(a.status().term_start == LogIndex(3));
  a.Ack("b", 2);
  a.Ack("c", 2);
  CHECK(a.status().commit == LogIndex(0));
  a.Ack("b", 3);
  CHECK(a.status().commit == LogIndex(3));
}

TEST_CASE("3: a follower believes the commit index only as far as the append has matched") {
  LoneCore a({.term = 1, .log = {1, 1, 1, 1, 1}});
  a.Receive("b", 2, Append(At(2, 1), {}, 5));
  CHECK(a.status().commit == LogIndex(2));
  a.Receive("b", 2, Append(At(2, 1), {CommandEntry(3, 2)}, 5));
  CHECK(a.status().commit == LogIndex(3));
  CHECK(a.status().last == LogIndex(3));
}

TEST_CASE("4: neither heartbeats nor reads move the commit index") {
  LoneCore a({.term = 1, .log = {1, 1, 1}});
  a.Receive("b", 1, Heartbeat{Round(1)});
  const ReadId read = a.Read();
  const auto asked = a.TakeOnly<ReadRequest>();
  REQUIRE(asked.size() == 1);
  a.Receive("b", 1, ReadReply{std::get<ReadRequest>(asked[0].body).batch, true, LogIndex(3)});
  CHECK(a.IsReady(read));
  CHECK(a.status().commit == LogIndex(0));
}

TEST_CASE("5: a snapshot has the term and the configuration of its index") {
  LoneCore a({.term = 7, .log = {1, 1, 3}});
  a.AutoPersist(true);
  Configuration later = Voters({"a", "b", "c"});
  later.learners.push_back(Learner{Member{NodeId("d"), "", DiskId()}, false, NodeId()});
  a.Receive("b", 7, Append(At(3, 3), {MembersEntry(4, 7, later), CommandEntry(5, 7)}, 5));
  a.Applied(5);
  CHECK(a.core().DescribeSnapshot(LogIndex(2)) ==
        SnapshotMeta{At(2, 1), Voters({"a", "b", "c"}), LogIndex(0)});
  CHECK(a.core().DescribeSnapshot(LogIndex(3)).at.term == Term(3));
  CHECK(a.core().DescribeSnapshot(LogIndex(5)) == SnapshotMeta{At(5, 7), later, LogIndex(4)});
}

TEST_CASE("6: a truncation gives the configuration before back, after a restart too") {
  Recovered recovered;
  recovered.hard_state.term = Term(2);
  recovered.last = LogIndex(3);
  recovered.terms = {TermRun{Term(1), LogIndex(1)}, TermRun{Term(2), LogIndex(3)}};
  recovered.applied = At(2, 1);
  recovered.configurations = {{LogIndex(1), Voters({"a", "b", "c"})},
                              {LogIndex(3), Voters({"a", "b", "d"})}};
  Options options;
  options.self = NodeId("a");
  LoneCore a(options, recovered);
  CHECK(a.status().configuration == Voters({"a", "b", "d"}));  // not committed, and yet in force
  a.Receive("b", 3, Append(At(2, 1), {CommandEntry(3, 3)}));
  CHECK(a.status().configuration == Voters({"a", "b", "c"}));
  a.Receive("b", 3, Append(At(3, 3), {MembersEntry(4, 3, Voters({"a", "b"}))}));
  CHECK(a.status().configuration == Voters({"a", "b"}));
  a.Receive("c", 4, Append(At(3, 3), {CommandEntry(4, 4)}));
  CHECK(a.status().configuration == Voters({"a", "b", "c"}));
}

TEST_CASE("7: after an installed snapshot nothing of the old log is left in the stream of writes") {
  LoneCore a({.term = 1, .log = {1, 1, 1}});
  a.Receive("b", 2, Append(At(3, 1), {CommandEntry(4, 2)}));
  a.Receive("b", 2, Append(At(4, 2), {CommandEntry(5, 2)}));
  REQUIRE(a.writes.size() == 2);
  const SnapshotMeta meta{At(10, 2), Voters({"a", "b", "c"}), LogIndex(0)};
  a.Step(SnapshotReceived{NodeId("b"), Term(2), TransferId(1), meta});
  REQUIRE(a.installs.size() == 1);
  a.PersistOne(a.writes.front().io_seq);
  a.Step(SnapshotInstalled{meta});
  CHECK(a.status().last == LogIndex(10));
  CHECK(a.status().first == LogIndex(11));
  CHECK(a.status().durable == LogIndex(10));
  a.PersistOne(a.writes.back().io_seq);  // of the log that is gone
  CHECK(a.status().durable == LogIndex(10));
  a.writes.clear();
  a.Receive("b", 2, Append(At(10, 2), {CommandEntry(11, 2)}, 11));
  REQUIRE(a.writes.size() == 1);
  CHECK_FALSE(a.writes.front().truncate_from);
  CHECK(a.writes.front().entries.front().index == LogIndex(11));
  a.PersistAll();
  CHECK(a.applies.back().from == LogIndex(11));
}

TEST_CASE("8: a snapshot behind the commit index is not installed") {
  LoneCore a({.term = 1, .log = {1, 1, 1}, .applied = 3});
  a.Receive("b", 1, Heartbeat{Round(1)});
  a.Take();
  a.Step(SnapshotReceived{NodeId("b"), Term(1), TransferId(1),
                          SnapshotMeta{At(2, 1), Voters({"a", "b", "c"}), LogIndex(0)}});
  CHECK(a.installs.empty());
  const auto replies = a.TakeOnly<AppendReply>();  // the sender learns how far this node is
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(3));
}

TEST_CASE("8: a snapshot of what the log holds commits it, and drops nothing behind it") {
  LoneCore a({.term = 1, .log = {1, 1, 1, 1, 1}});
  a.Receive("b", 1, Heartbeat{Round(1)});
  a.Take();
  a.Step(SnapshotReceived{NodeId("b"), Term(1), TransferId(1),
                          SnapshotMeta{At(3, 1), Voters({"a", "b", "c"}), LogIndex(0)}});
  CHECK(a.installs.empty());
  CHECK(a.status().commit == LogIndex(3));
  CHECK(a.status().last == LogIndex(5));  // acknowledged before, maybe counted
  const auto replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(3));
}

TEST_CASE("9: a leader counts its own copy only once it is durable") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(false);
  a.Ack("b", 2);
  a.PersistAll();
  const LogIndex before = a.status().commit;
  REQUIRE(before == LogIndex(2));
  a.Take();
  a.Propose("x");
  REQUIRE(a.TakeOnly<AppendRequest>().size() == 1);  // to b, at once; c is being probed
  a.Ack("b", 3);
  CHECK(a.status().commit == before);  // on one of three disks
  SECTION("its own write completes") {
    a.PersistAll();
    CHECK(a.status().commit == LogIndex(3));
  }
  SECTION("the others are a majority without it; it applies once it has the entry itself") {
    a.Ack("c", 3);
    CHECK(a.status().commit == LogIndex(3));
    CHECK(a.applies.back().to == LogIndex(2));
    a.PersistAll();
    CHECK(a.applies.back().to == LogIndex(3));
  }
}

TEST_CASE("11: a stale answer moves nothing back or forth") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  for (int i = 0; i < 5; ++i) a.Propose("x");
  a.Ack("b", 6);
  a.Ack("b", 3);
  CHECK(a.status().peers[0].match == LogIndex(6));
  a.Receive("b", 2, AppendReply{false, LogIndex(), LogIndex(4), At(1, 1)});
  CHECK(a.status().peers[0].state == PeerState::kReplicate);
  CHECK(a.status().peers[0].next == LogIndex(8));
  a.Ack("b", 100);  // never sent
  CHECK(a.status().peers[0].match == LogIndex(6));
  CHECK(a.status().dropped_malformed == 1);
}

TEST_CASE("12: a term and its entries are one stream of writes") {
  LoneCore a({.term = 1, .log = {1}});
  a.Receive("b", 2, Append(At(1, 1), {CommandEntry(2, 2)}));
  REQUIRE(a.writes.size() == 1);
  CHECK(a.writes.front().hard_state == HardState{Term(2), NodeId()});
  CHECK(a.writes.front().entries.size() == 1);
  CHECK(a.TakeOnly<AppendReply>().empty());
  a.Receive("b", 2, Append(At(2, 2), {}));
  CHECK(a.TakeOnly<AppendReply>().empty());  // says the same, and waits for the same
  a.PersistAll();
  CHECK(a.TakeOnly<AppendReply>().size() == 2);
}

TEST_CASE("13 and 15: what is overwritten is not durable, whatever completes late") {
  LoneCore a({.term = 1, .log = {1}});
  a.Receive("b", 2, Append(At(1, 1), {CommandEntry(2, 2), CommandEntry(3, 2)}));
  a.Receive("c", 3, Append(At(1, 1), {CommandEntry(2, 3)}, 2));
  REQUIRE(a.writes.size() == 2);
  CHECK(a.writes.back().truncate_from == LogIndex(2));
  const IoSeq first = a.writes.front().io_seq;
  const IoSeq second = a.writes.back().io_seq;
  a.Take();
  a.PersistOne(first);
  CHECK(a.status().durable == LogIndex(1));
  CHECK(a.applies.back().to == LogIndex(1));
  a.PersistOne(second);
  CHECK(a.status().durable == LogIndex(2));
  CHECK(a.applies.back().to == LogIndex(2));
  a.Receive("b", 4, Append(At(2, 3), {CommandEntry(3, 4)}));
  CHECK(a.status().durable == LogIndex(2));
}

TEST_CASE("an acknowledgement that no drain has handed out goes with what it spoke of") {
  LoneCore a({.term = 1, .log = {1}});
  const Message first{GroupId(1),  NodeId("b"),
                      NodeId("a"), DiskId(),
                      Term(2),     Append(At(1, 1), {CommandEntry(2, 2), CommandEntry(3, 2)})};
  a.core().Step(a.now(), first);
  a.Receive("c", 3, Append(At(1, 1), {CommandEntry(2, 3)}));
  a.PersistAll();
  const auto replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(2));
  CHECK(replies[0].to == NodeId("c"));
}

TEST_CASE("14: a proposal that another leader's entry took the place of has not happened") {
  World world({.nodes = 3, .seed = 3});
  const int old = world.AwaitLeader();
  world.Isolate(old);
  const ProposalId lost = world.Propose(old, "lost");
  REQUIRE(world.RunUntil([&] { return world.Leader() != old; }));
  const int next = world.AwaitLeader();
  REQUIRE(world.Commit(next, "won"));
  CHECK(world.failure(lost) == std::nullopt);  // nobody knows yet
  world.Heal();
  REQUIRE(world.AwaitApplied(world.core(next).commit()));
  CHECK(world.outcome(lost) == World::Outcome::kRefused);
  CHECK(world.failure(lost) == ProposalFailure::kSuperseded);
  CHECK(world.AppliedCommands(old) == std::vector<std::string>{"won"});
}

TEST_CASE("14: a proposal of a deposed leader that was committed after all has happened") {
  World world({.nodes = 3, .seed = 4});
  const int old = world.AwaitLeader();
  REQUIRE(world.Commit(old, "a"));
  world.DropIf([](const Message& m) { return std::holds_alternative<AppendReply>(m.body); });
  const ProposalId id = world.Propose(old, "b");
  world.Run(absl::Milliseconds(20));
  CHECK(world.outcome(id) == World::Outcome::kPending);
  world.Isolate(old);
  world.DropIf({});
  REQUIRE(world.RunUntil([&] { return world.Leader() != old; }));
  world.AwaitLeader();
  world.Heal();
  REQUIRE(world.AwaitApplied(LogIndex(4)));
  CHECK(world.outcome(id) == World::Outcome::kCommitted);
  CHECK(world.failure(id) == std::nullopt);
}

TEST_CASE("19: a follower takes nothing from a second leader of a term") {
  LoneCore a({.term = 1, .log = {1}});
  a.Receive("b", 2, Append(At(1, 1), {CommandEntry(2, 2)}));
  a.Receive("c", 2, Append(At(1, 1), {CommandEntry(2, 2, "other")}));
  CHECK(a.status().leader == NodeId("b"));
  CHECK(a.status().dropped_malformed == 1);
}

TEST_CASE("20: no append rolls back what is committed") {
  LoneCore a({.term = 2, .log = {1, 1, 2, 2}, .applied = 4});
  a.AutoPersist(true);
  a.Receive("b", 3, Append(At(1, 1), {CommandEntry(2, 3)}));
  CHECK(a.status().last == LogIndex(4));
  CHECK(a.status().dropped_malformed == 1);
  a.Receive("b", 3, Append(At(3, 1), {CommandEntry(4, 3)}));
  CHECK(a.status().last == LogIndex(4));
  CHECK(a.status().dropped_malformed == 2);
  a.Take();
  a.Receive("b", 3, Append(At(9, 3), {}));  // ahead: refused, and nothing is lost
  const auto replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK_FALSE(std::get<AppendReply>(replies[0].body).taken);
  CHECK(std::get<AppendReply>(replies[0].body).hint == At(4, 2));
}

TEST_CASE("23: an entry that was cut into a snapshot is taken when it is sent again") {
  Recovered recovered;
  recovered.hard_state.term = Term(2);
  recovered.base = At(10, 2);
  recovered.last = LogIndex(10);
  recovered.applied = At(10, 2);
  recovered.configurations = {{LogIndex(0), Voters({"a", "b", "c"})}};
  Options options;
  options.self = NodeId("a");
  LoneCore a(options, recovered);
  a.AutoPersist(true);
  std::vector<Entry> entries;
  for (uint64_t i = 6; i <= 12; ++i) entries.push_back(CommandEntry(i, 2));
  a.Receive("b", 2, Append(At(5, 1), entries, 12));
  auto replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(12));
  CHECK(a.applies.back().to == LogIndex(12));
  a.Receive("b", 2, Append(At(3, 1), {CommandEntry(4, 1)}));  // all of it is behind
  replies = a.TakeOnly<AppendReply>();
  REQUIRE(replies.size() == 1);
  CHECK(std::get<AppendReply>(replies[0].body).match == LogIndex(12));
}

TEST_CASE("26: a leader whose disk hangs hands over") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.nodes = 3, .seed = seed});
    const int old = world.AwaitLeader();
    REQUIRE(world.Commit(old, "a"));
    world.StallDisk(old);
    world.Propose(old, "b");
    REQUIRE(world.RunUntil([&] { return world.Leader() != old && world.Leader() != 0; },
                           absl::Milliseconds(1500)));
    const int next = world.AwaitLeader();
    REQUIRE(world.Commit(next, "c"));
    world.Run(absl::Seconds(2));
    CHECK(world.Leader() == next);  // the mute one does not come back
    world.ResumeDisk(old);
    REQUIRE(world.AwaitApplied(world.core(next).commit()));
    CHECK(world.AppliedCommands(old) == std::vector<std::string>{"a", "b", "c"});
  }
}

TEST_CASE("27: a snapshot of an earlier term's leader is not installed") {
  LoneCore a({.term = 3, .log = {1}});
  const SnapshotMeta meta{At(10, 2), Voters({"a", "b", "c"}), LogIndex(0)};
  a.Step(SnapshotReceived{NodeId("b"), Term(2), TransferId(1), meta});
  CHECK(a.installs.empty());
  a.Receive("c", 3, Heartbeat{Round(1)});
  a.Step(SnapshotReceived{NodeId("b"), Term(3), TransferId(2), meta});
  CHECK(a.installs.empty());  // of the term, but not of its leader
  a.Step(SnapshotReceived{NodeId("c"), Term(3), TransferId(3), meta});
  REQUIRE(a.installs.size() == 1);
  a.Step(SnapshotReceived{NodeId("c"), Term(3), TransferId(4), meta});
  CHECK(a.installs.size() == 1);  // one at a time
}

TEST_CASE("28: what is not applied any more is not held against a later term") {
  LoneCore::Setup setup{.term = 1, .log = {1}};
  setup.options.max_entry_bytes = 500;
  setup.options.max_unapplied_bytes = 1000;
  LoneCore a(setup);
  a.Lead();
  a.AutoPersist(true);
  const auto fill = [&a] {
    size_t taken = 0;
    while (a.proposals_failed.empty()) {
      a.Propose(std::string(100, 'x'));
      ++taken;
    }
    CHECK(a.proposals_failed.back().failure == ProposalFailure::kOverloaded);
    a.proposals_failed.clear();
    return taken;
  };
  CHECK(fill() == 8);
  a.Receive("b", 5, Append(At(1, 1), {CommandEntry(2, 5)}, 2));  // all of it is overwritten
  CHECK(a.status().last == LogIndex(2));
  a.Applied(2);
  CHECK(a.status().unapplied_bytes == 0);
  a.Lead();
  CHECK(fill() == 8);
}

TEST_CASE("29: a state machine ahead of every known commit starts, and its index is the commit") {
  LoneCore a({.term = 3, .log = {1, 2, 3}, .applied = 3});
  CHECK(a.status().commit == LogIndex(3));
  CHECK(a.status().applied == LogIndex(3));
}

TEST_CASE("35: nothing is applied before it is durable here, whatever the quorum has") {
  LoneCore a({.term = 1, .log = {1}});
  a.Receive("b", 1, Append(At(1, 1), {CommandEntry(2, 1), CommandEntry(3, 1)}, 3));
  CHECK(a.status().commit == LogIndex(3));
  REQUIRE(a.applies.size() == 1);
  CHECK(a.applies.back().to == LogIndex(1));
  a.PersistAll();
  CHECK(a.applies.back().to == LogIndex(3));
}

}  // namespace
}  // namespace scheduled::raft
