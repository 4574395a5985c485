// The texts that transcripts and traces are made of.
#include "raft/print.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

std::string Of(uint64_t term, MessageBody body) {
  return ToString(Message{GroupId(1), NodeId("a"), NodeId("b"), {}, Term(term), std::move(body)});
}

TEST_CASE("messages read as what they say") {
  CHECK(Of(3, VoteRequest{true, false, Term(4), At(7, 3)}) ==
        "a->b term 3: pre-vote? in term 4 with log 7@3");
  CHECK(Of(4, VoteRequest{false, true, Term(4), At(7, 3)}) ==
        "a->b term 4: vote? in term 4 with log 7@3 by transfer");
  CHECK(Of(4, VoteReply{false, true, VoteRefusal::kNone, Term(4)}) ==
        "a->b term 4: vote in term 4 granted");
  CHECK(Of(3, VoteReply{true, false, VoteRefusal::kLeaderAlive, Term(4)}) ==
        "a->b term 3: pre-vote in term 4 refused: leader alive");
  CHECK(Of(4, AppendRequest{At(7, 3), LogIndex(5), false, {CommandEntry(8, 4, "hello")}}) ==
        "a->b term 4: append after 7@3 [8@4 \"hello\"] commit 5");
  CHECK(Of(4, AppendRequest{At(7, 3), LogIndex(7), true, {}}) ==
        "a->b term 4: append after 7@3 [] commit 7 quiet");
  std::vector<Entry> many;
  for (uint64_t i = 8; i < 20; ++i) many.push_back(CommandEntry(i, 4, std::string(100, 'x')));
  CHECK(Of(4, AppendRequest{At(7, 3), LogIndex(7), false, many}) ==
        "a->b term 4: append after 7@3 [8@4 100 bytes, 9@4 100 bytes, 10@4 100 bytes, "
        "11@4 100 bytes, … 19@4] commit 7");
  CHECK(Of(4, AppendReply{true, LogIndex(8), {}, {}}) == "a->b term 4: append taken through 8");
  CHECK(Of(4, AppendReply{false, {}, LogIndex(7), At(5, 2)}) ==
        "a->b term 4: append after 7 refused, perhaps after 5@2");
  CHECK(Of(4, Heartbeat{Round(9)}) == "a->b term 4: heartbeat 9");
  CHECK(Of(4, HeartbeatReply{Round(9), LogIndex(8)}) == "a->b term 4: heartbeat 9 heard, commit 8");
  CHECK(Of(4, ReadRequest{ReadBatch(2)}) == "a->b term 4: read 2?");
  CHECK(Of(4, ReadReply{ReadBatch(2), true, LogIndex(8)}) == "a->b term 4: read 2 at 8");
  CHECK(Of(4, ReadReply{ReadBatch(2), false, {}}) == "a->b term 4: read 2 refused");
  CHECK(Of(4, TimeoutNow{}) == "a->b term 4: timeout now");
  CHECK(Of(4, SnapshotRequest{TransferId(1), {At(8, 4), Voters({"a", "b"}), LogIndex(1)}}) ==
        "a->b term 4: transfer 1: snapshot 8@4 with (a b) of 1");
  CHECK(Of(4, SnapshotReply{TransferId(1), LogIndex(8), true}) ==
        "a->b term 4: transfer 1: 8 installed");
}

TEST_CASE("configurations show who votes, who learns and what they come from") {
  Configuration configuration = Voters({"a", "b"});
  configuration.learners = {Learner{Member{NodeId("c"), "", {}}, false, NodeId()},
                            Learner{Member{NodeId("d"), "", {}}, true, NodeId("b")}};
  configuration.old_voters = Voters({"a", "c"}).voters;
  CHECK(ToString(configuration) == "(a b) learners (c d+ for b) joint with (a c)");
  CHECK(ToString(MembersEntry(3, 1, Voters({"a"}))) == "3@1 members (a)");
  CHECK(ToString(Entry{Term(1), LogIndex(2), EntryKind::kNoop, {}}) == "2@1 noop");
}

TEST_CASE("events read as what happened") {
  CHECK(ToString(Event(Propose{{{ProposalId(1), SharedBuffer(std::string("x"))}}})) ==
        "propose #1 \"x\"");
  CHECK(ToString(Event(ReadBarrier{ReadId(2)})) == "read #2");
  CHECK(ToString(Event(
            ChangeMembers{ProposalId(3),
                          {{MemberChangeKind::kReplace, Member{NodeId("d"), "", {}}, NodeId("b")},
                           {MemberChangeKind::kRemove, Member{NodeId("c"), "", {}}, NodeId()}}})) ==
        "change members #3: replace d for b remove c");
  CHECK(ToString(Event(TransferTo{TransferId(4), NodeId()})) == "transfer #4 to -");
  CHECK(ToString(Event(PersistDone{IoSeq(5)})) == "io 5 done");
  CHECK(ToString(Event(ApplyDone{LogIndex(6)})) == "applied through 6");
  CHECK(ToString(Event(EntriesRead{7, false, {}})) == "fetch 7: cut");
  CHECK(ToString(Event(EntriesRead{7, true, {CommandEntry(1, 1)}})) == "fetch 7: [1@1 \"x\"]");
  CHECK(ToString(Event(LogCut{LogIndex(8)})) == "cut through 8");
  CHECK(ToString(Event(SnapshotSent{NodeId("b"), LogIndex(9), false})) == "snapshot 9 to b failed");
  const SnapshotMeta meta{At(8, 4), Voters({"a"}), LogIndex(1)};
  CHECK(ToString(Event(SnapshotReceived{NodeId("b"), Term(4), TransferId(1), meta})) ==
        "received from b in term 4: snapshot 8@4 with (a) of 1");
  CHECK(ToString(Event(SnapshotInstalled{meta})) == "installed snapshot 8@4 with (a) of 1");
  CHECK(ToString(Event(SnapshotRefused{})) == "refused the snapshot");
  CHECK(ToString(Event(Deadline{})) == "deadline");
  CHECK(ToString(Event(Message{GroupId(1), NodeId("a"), NodeId("b"), {}, Term(1), TimeoutNow{}})) ==
        "a->b term 1: timeout now");
}

TEST_CASE("effects come one to a line, in the order in which they are done") {
  Effects effects;
  CHECK(effects.empty());
  effects.role_changes = {RoleChanged{Role::kCandidate, Term(2), NodeId(), LogIndex()}};
  effects.configuration = Voters({"a", "b"});
  effects.persist =
      Persist{IoSeq(3), HardState{Term(2), NodeId("a")}, LogIndex(4), {CommandEntry(4, 2)}};
  effects.sends = {
      Send{IoSeq(3), Message{GroupId(1),
                             NodeId("a"),
                             NodeId("b"),
                             {},
                             Term(2),
                             VoteRequest{false, false, Term(2), At(3, 1)}}},
      Send{IoSeq(),
           Message{GroupId(1), NodeId("a"), NodeId("b"), {}, Term(2), Heartbeat{Round(1)}}}};
  effects.proposed = {Proposed{ProposalId(1), At(4, 2)}};
  effects.proposals_failed = {ProposalFailed{ProposalId(2), ProposalFailure::kOverloaded}};
  effects.apply = ApplyRange{LogIndex(2), LogIndex(3)};
  effects.reads_ready = {ReadReady{ReadId(3), LogIndex(3)}};
  effects.reads_failed = {ReadFailed{ReadId(4), ReadFailure::kTimeout}};
  effects.fetches = {FetchEntries{5, NodeId("b"), LogIndex(1), LogIndex(2), 100}};
  effects.snapshot_answers = {
      SnapshotAnswered{NodeId("b"), SnapshotReply{TransferId(7), LogIndex(8), true}}};
  effects.send_snapshots = {SendSnapshot{NodeId("c"), LogIndex(9)}};
  effects.install =
      InstallSnapshot{NodeId("b"), TransferId(1), {At(8, 2), Voters({"a"}), LogIndex(1)}};
  effects.transfers_ended = {TransferEnded{TransferId(6), TransferOutcome::kTimedOut}};
  effects.next_deadline = MonoTime{5'000'000};
  CHECK_FALSE(effects.empty());
  CHECK(ToString(effects, true) ==
        "role candidate term 2 leader -\n"
        "members (a b)\n"
        "persist io 3: term 2 vote a truncate from 4 [4@2 \"x\"]\n"
        "send after io 3 a->b term 2: vote? in term 2 with log 3@1\n"
        "send a->b term 2: heartbeat 1\n"
        "proposed #1 as 4@2\n"
        "proposal #2 failed: overloaded\n"
        "apply [2, 3]\n"
        "read #3 ready at 3\n"
        "read #4 failed: timeout\n"
        "fetch 5 for b: [1, 2]\n"
        "b says: transfer 7: 8 installed\n"
        "send snapshot of at least 9 to c\n"
        "install snapshot 8@2 with (a) of 1\n"
        "transfer #6 timed out\n"
        "lease until none, deadline 5000us\n");
  effects.Clear();
  CHECK(effects.empty());
  CHECK(ToString(effects).empty());
}

TEST_CASE("every name of an enumeration has a text of its own") {
  std::vector<std::string> names;
  for (int i = 1; i <= 4; ++i) names.push_back(ToString(static_cast<Role>(i)));
  for (int i = 1; i <= 3; ++i) names.push_back(ToString(static_cast<PeerState>(i)));
  for (int i = 0; i <= 5; ++i) names.push_back(ToString(static_cast<VoteRefusal>(i)));
  for (int i = 1; i <= 3; ++i) names.push_back(ToString(static_cast<TransferOutcome>(i)));
  std::vector<std::string> failures;
  for (int i = 1; i <= 8; ++i) failures.push_back(ToString(static_cast<ProposalFailure>(i)));
  std::vector<std::string> reads;
  for (int i = 1; i <= 4; ++i) reads.push_back(ToString(static_cast<ReadFailure>(i)));
  for (std::vector<std::string>* list : {&names, &failures, &reads}) {
    const size_t count = list->size();
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
    CHECK(list->size() == count);
    CHECK(std::count(list->begin(), list->end(), "?") == 0);
  }
}

TEST_CASE("a core describes itself and its followers") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  CHECK(DebugString(a.core()) ==
        "leader term 2 leader a vote a log [1, 2] tail from 2 durable 2 commit 0 applied 0 "
        "members (a b c)\n"
        "  b probe match 0 next 2 in flight 0 (0 bytes)\n"
        "  c probe match 0 next 2 in flight 0 (0 bytes)\n");
}

TEST_CASE("options name what is wrong with them") {
  const auto broken = [](auto change) {
    Options options;
    options.self = NodeId("a");
    change(options);
    const absl::Status status = options.Validate();
    return status.code() == absl::StatusCode::kInvalidArgument &&
           status.message().substr(0, 5) == "raft.";
  };
  CHECK(broken([](Options& o) { o.self = NodeId(); }));
  CHECK(broken([](Options& o) { o.heartbeat = absl::Milliseconds(126); }));
  CHECK(broken([](Options& o) { o.clock_drift_percent = 50; }));
  CHECK(broken([](Options& o) { o.election_max = absl::Milliseconds(449); }));
  CHECK(broken([](Options& o) { o.retry_max = o.retry_min; }));
  CHECK(broken([](Options& o) { o.max_append_bytes = 0; }));
  CHECK(broken([](Options& o) { o.max_inflight_bytes = 1; }));
  CHECK(broken([](Options& o) { o.max_unapplied_bytes = 1; }));
}

}  // namespace
}  // namespace scheduled::raft
