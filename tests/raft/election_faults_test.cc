// Faults of elections, votes, leases and identities that other implementations of Raft have had,
// each as a case that would show it. The numbers are those of the list in the design of this part.
#include <catch2/catch.hpp>
#include <stdexcept>

#include "base/assert.h"
#include "raft/cluster_harness.h"
#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

using Voted = VoteReply;

AppendRequest Append(LogPosition previous, std::vector<Entry> entries, uint64_t commit = 0) {
  return AppendRequest{previous, LogIndex(commit), false, std::move(entries)};
}

TEST_CASE("16: a vote is durable before it is sent, and so is a candidate's own") {
  LoneCore a({.term = 1, .log = {1}});
  a.Advance(absl::Milliseconds(299));
  a.Receive("b", 2, VoteRequest{false, false, Term(2), At(1, 1)});
  a.Take();
  a.Advance(absl::Milliseconds(1));
  a.Receive("b", 2, VoteRequest{false, false, Term(2), At(1, 1)});
  CHECK(a.TakeOnly<VoteReply>().empty());
  REQUIRE(a.writes.size() == 1);
  CHECK(a.writes.front().hard_state == HardState{Term(2), NodeId("b")});
  a.PersistAll();
  const auto votes = a.TakeOnly<VoteReply>();
  REQUIRE(votes.size() == 1);
  CHECK(std::get<VoteReply>(votes[0].body).granted);
}

TEST_CASE("16: a candidate neither asks nor counts itself before its vote is durable") {
  LoneCore a({.term = 1, .log = {1}});
  a.AdvanceToDeadline();
  REQUIRE(a.core().role() == Role::kPreCandidate);
  a.Take();
  a.Receive("b", 1, Voted{true, true, VoteRefusal::kNone, Term(2)});
  REQUIRE(a.core().role() == Role::kCandidate);
  CHECK(a.TakeOnly<VoteRequest>().empty());
  a.Receive("b", 2, Voted{false, true, VoteRefusal::kNone, Term(2)});
  CHECK(a.core().role() == Role::kCandidate);
  a.PersistAll();
  CHECK(a.core().role() == Role::kLeader);
}

TEST_CASE("17: no read is answered before the term's first commit") {
  LoneCore a({.term = 1, .log = {1, 1}, .applied = 1});
  a.Lead();
  a.AutoPersist(true);
  const ReadId read = a.Read();
  a.AckRound("b", 1);
  a.AckRound("c", 1);
  CHECK_FALSE(a.IsReady(read));
  CHECK(a.lease_until == MonoTime{INT64_MIN});
  a.Ack("b", 3);
  REQUIRE(a.IsReady(read));
  CHECK(a.reads_ready[0].index == LogIndex(3));
}

TEST_CASE("18: a lease ends before any follower may vote, and a vote renews the wait") {
  LoneCore a({.term = 1, .log = {1}});
  a.Advance(absl::Milliseconds(301));
  a.Receive("b", 2, Append(At(1, 1), {}));
  a.Take();
  const VoteRequest ask{false, false, Term(3), At(1, 1)};
  a.Advance(absl::Milliseconds(299));
  a.Receive("c", 3, ask);
  auto votes = a.TakeOnly<VoteReply>();
  REQUIRE(votes.size() == 1);
  CHECK(std::get<VoteReply>(votes[0].body).refusal == VoteRefusal::kLeaderAlive);
  CHECK(a.status().term == Term(2));  // the promise outweighs the larger term
  a.Advance(absl::Milliseconds(1));
  if (a.core().role() == Role::kFollower) {
    a.Receive("c", 3, ask);
    CHECK(a.status().vote == NodeId("c"));
    CHECK(a.deadline() >= a.now() + absl::Milliseconds(300));
  }
}

TEST_CASE("18: a lease counts from when the round was sent, not from its answer") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  const MonoTime sent = a.now();
  a.Advance(absl::Milliseconds(40));
  a.AckRound("b", 1);
  CHECK(a.lease_until == sent + absl::Milliseconds(250));
  CHECK(a.core().LeaseValid(sent + absl::Milliseconds(249)));
  CHECK_FALSE(a.core().LeaseValid(sent + absl::Milliseconds(250)));
}

TEST_CASE("options that let a lease outlive a promise are refused") {
  Options options;
  options.self = NodeId("a");
  CHECK(options.Validate().ok());
  options.lease = absl::Milliseconds(298);
  CHECK(options.Validate().code() == absl::StatusCode::kInvalidArgument);
  options.clock_drift_percent = 0;
  CHECK(options.Validate().ok());
}

void ThrowAssertion(const char*, const char*, int, std::string_view what) {
  throw std::logic_error(std::string(what));
}

TEST_CASE("19: a leader that meets another one of its term stops") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  SetAssertHandler(ThrowAssertion);
  CHECK_THROWS_WITH(a.Receive("b", 2, Heartbeat{Round(1)}), "one leader in a term");
  SetAssertHandler(nullptr);
}

TEST_CASE("21: a pre-vote of a smaller term is answered, so that terms meet") {
  LoneCore a({.term = 9, .log = {1}});
  a.Advance(absl::Milliseconds(300));
  a.Take();
  a.Receive("b", 5, VoteRequest{true, false, Term(6), At(1, 1)});
  const auto votes = a.TakeOnly<VoteReply>();
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].term == Term(9));
  CHECK(std::get<VoteReply>(votes[0].body).refusal == VoteRefusal::kTermPast);
  a.Receive("b", 5, Heartbeat{Round(4)});  // and so is a leader of one
  const auto beats = a.TakeOnly<HeartbeatReply>();
  REQUIRE(beats.size() == 1);
  CHECK(beats[0].term == Term(9));
}

TEST_CASE("21: nodes whose terms drifted apart find a leader") {
  World world({.nodes = 3, .seed = 9});
  for (int node = 1; node <= 3; ++node) world.Crash(node);
  world.mutable_disk(1).hard_state.term = Term(40);
  world.mutable_disk(2).hard_state.term = Term(7);
  for (int node = 1; node <= 3; ++node) world.Restart(node);
  const int leader = world.AwaitLeader(absl::Seconds(3));
  CHECK(world.core(leader).term() > Term(7));
}

TEST_CASE("22: a refused candidate that hears no leader asks again within 150 ms") {
  LoneCore a({.term = 1, .log = {1}});
  a.AutoPersist(true);
  a.AdvanceToDeadline();
  REQUIRE(a.core().role() == Role::kPreCandidate);
  a.Take();
  a.Receive("b", 1, Voted{true, false, VoteRefusal::kLeaderAlive, Term(2)});
  const MonoTime refused = a.now();
  CHECK(a.deadline() >= refused + absl::Milliseconds(10));
  CHECK(a.deadline() <= refused + absl::Milliseconds(150));
  a.AdvanceToDeadline();
  CHECK(a.TakeOnly<VoteRequest>().size() == 2);
}

TEST_CASE("30: a member that comes back with another disk counts for nothing") {
  Recovered recovered;
  recovered.hard_state.term = Term(1);
  Configuration configuration = Voters({"a", "b", "c"});
  for (Member& member : configuration.voters) member.disk = DiskId(7);
  recovered.configurations = {{LogIndex(0), configuration}};
  Options options;
  options.self = NodeId("a");
  options.disk = DiskId(7);
  LoneCore a(options, recovered);
  a.AutoPersist(true);
  a.AdvanceToDeadline();
  REQUIRE(a.core().role() == Role::kPreCandidate);
  a.Receive("b", 1, Voted{true, true, VoteRefusal::kNone, Term(2)}, DiskId(8));
  CHECK(a.core().role() == Role::kPreCandidate);
  CHECK(a.status().dropped_foreign == 1);
  a.Receive("b", 1, Voted{true, true, VoteRefusal::kNone, Term(2)}, DiskId(7));
  a.Receive("b", 2, Voted{false, true, VoteRefusal::kNone, Term(2)}, DiskId(7));
  REQUIRE(a.core().role() == Role::kLeader);
  a.Receive("c", 2, AppendReply{true, LogIndex(1), LogIndex(), {}}, DiskId(9));
  CHECK(a.status().commit == LogIndex(0));
  a.Receive("c", 2, AppendReply{true, LogIndex(1), LogIndex(), {}}, DiskId(7));
  CHECK(a.status().commit == LogIndex(1));
}

TEST_CASE("30: a node whose own disk is not the one that was added does not campaign") {
  Recovered recovered;
  Configuration configuration = Voters({"a", "b", "c"});
  configuration.voters[0].disk = DiskId(7);
  recovered.configurations = {{LogIndex(0), configuration}};
  Options options;
  options.self = NodeId("a");
  options.disk = DiskId(8);
  LoneCore a(options, recovered);
  a.Advance(absl::Seconds(5));
  CHECK(a.core().role() == Role::kFollower);
  CHECK(a.sent.empty());
}

TEST_CASE("31: a vote that arrives twice counts once") {
  LoneCore a({.voters = {"a", "b", "c", "d", "e"}, .term = 1, .log = {1}});
  a.AutoPersist(true);
  a.AdvanceToDeadline();
  for (int i = 0; i < 3; ++i) a.Receive("b", 1, Voted{true, true, VoteRefusal::kNone, Term(2)});
  CHECK(a.core().role() == Role::kPreCandidate);
  a.Receive("c", 1, Voted{true, true, VoteRefusal::kNone, Term(2)});
  REQUIRE(a.core().role() == Role::kCandidate);
  for (int i = 0; i < 3; ++i) a.Receive("b", 2, Voted{false, true, VoteRefusal::kNone, Term(2)});
  a.Receive("x", 2, Voted{false, true, VoteRefusal::kNone, Term(2)});  // no member
  CHECK(a.core().role() == Role::kCandidate);
  a.Receive("e", 2, Voted{false, true, VoteRefusal::kNone, Term(2)});
  CHECK(a.core().role() == Role::kLeader);
}

TEST_CASE("33: a voter that restarts grants nothing for one minimum election timeout") {
  LoneCore a({.term = 1, .log = {1}});
  a.Advance(absl::Milliseconds(299));
  a.Receive("b", 1, VoteRequest{true, false, Term(2), At(1, 1)});
  a.Receive("b", 2, VoteRequest{false, false, Term(2), At(1, 1)});
  auto votes = a.TakeOnly<VoteReply>();
  REQUIRE(votes.size() == 2);
  for (const Message& vote : votes) {
    CHECK(std::get<VoteReply>(vote.body).refusal == VoteRefusal::kRestarted);
  }
  CHECK(a.status().term == Term(1));
}

TEST_CASE("33: a sole voter that restarts leads at once") {
  World world({.nodes = 1});
  world.AwaitLeader();
  REQUIRE(world.Commit(1, "a"));
  world.Restart(1);
  REQUIRE(world.RunUntil([&] { return world.Leader() == 1; }, absl::Milliseconds(1)));
}

TEST_CASE("34: a leader that has sent TimeoutNow takes its lease up no more in its term") {
  LoneCore a({.term = 1, .log = {1}});
  a.Lead();
  a.AutoPersist(true);
  a.Ack("b", 2);
  a.AckRound("b", 1);
  REQUIRE(a.core().LeaseValid(a.now()));
  a.Step(TransferTo{TransferId(5), NodeId("b")});
  CHECK(a.TakeOnly<TimeoutNow>().size() == 1);
  CHECK_FALSE(a.core().LeaseValid(a.now()));
  a.Advance(absl::Milliseconds(120));  // heartbeats go on, and are answered
  for (uint64_t round = 2; round <= 4; ++round) a.AckRound("b", round);
  CHECK_FALSE(a.core().LeaseValid(a.now()));
  CHECK(a.lease_until == MonoTime{INT64_MIN});
  a.Propose("x");
  CHECK(a.proposals_failed.back().failure == ProposalFailure::kTransferring);
  a.Advance(absl::Milliseconds(600));  // nobody took over
  CHECK(a.core().role() != Role::kLeader);
  CHECK(a.transfers.back().outcome == TransferOutcome::kDone);
}

TEST_CASE("who only asks whether to stand gives its vote to one that stands in the same term") {
  LoneCore a({.term = 5, .log = {1}});
  a.AutoPersist(true);
  a.AdvanceToDeadline();
  REQUIRE(a.core().role() == Role::kPreCandidate);
  a.Receive("b", 5, VoteRequest{false, false, Term(5), At(1, 1)});
  CHECK(a.status().vote == NodeId("b"));
  CHECK(a.core().role() == Role::kFollower);
}

TEST_CASE("who campaigns installs no snapshot: it may lead before that is done") {
  LoneCore a({.term = 5, .log = {1}});
  a.AdvanceToDeadline();
  REQUIRE(a.core().role() == Role::kPreCandidate);
  a.Step(SnapshotReceived{NodeId("b"), Term(5), TransferId(1),
                          SnapshotMeta{At(9, 4), Voters({"a", "b", "c"}), LogIndex(0)}});
  CHECK(a.installs.empty());
}

}  // namespace
}  // namespace scheduled::raft
