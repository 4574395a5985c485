// Where each rule of dispatch is tested, and the tests that belong to no other file. Files without
// a folder are in tests/scheduler; those of "jobs" are in tests/jobs and name their rule.
//
//   1  claims         single_node: "a run is claimed just ahead", "no more runs at once"
//                     consensus/single_node: "are packed"; here: the bounds
//   2  Apply's word   jobs: "rule 2" (five); here: a claim that is not in the log
//   3  tokens         jobs: "rule 3" (two); group: "a late finish of a run"
//   4  turns          turns; commands: "one after the other"; jobs: "is stale"
//   5  withdrawal     jobs: "rule 5" (five); commands: "wherever its run stood"; run_book
//   6  what was sent  jobs: "rule 6"; commands: "is told to stop"
//                     group: "a cancel waits", "a claim that is unresolved"
//   7  Start          group: "what a leader holds when it is cut off"; here: a failed look
//   8  the channel    channel; worker; group: "stay unanswered", "its list has arrived"
//                     here: a session that is opened later
//   9  taken          worker: "an outcome is kept"; executor/callback: "is not called"
//  10  sessions       jobs: "rule 10" (five); single_node: "after five deliveries"
//                     group: "restarts before it is missed"
//  11  liveness       group: "a follower that is silent", "whose lane was late"
//                     here: a new leader's grace, a leader that hears nobody
//  12  acknowledging  worker: "of smaller terms"; group: "left alone after 5 s"
//                     here: without a lease, after a hand-over
//  13  the node       worker: "before the first acknowledged", "1.5 s ago", "a closed session"
//  14  a new leader   worker: "Reconcile lists"; group: "what a dead leader had claimed"
//  15  into slots     jobs: "rule 15" (two)
//  16  clocks         clock_agreement; group: "jumps a year", "is outvoted"
//                     single_node: "set forward", "set back"; here: no readings yet
#include <algorithm>
#include <catch2/catch.hpp>

#include "consensus/packing.h"
#include "proto/commands.pb.h"
#include "raft/messages.h"
#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

constexpr GroupId kGroup(1);

// All that is in the log of the first node.
std::vector<pb::Command> CommandsInLog(World& world) {
  LogStore* log = world.log(1);
  const LogState state = *log->Load(kGroup);
  std::vector<pb::Command> commands;
  LogIndex next = state.first;
  while (next <= state.last) {
    const auto records = log->Read(kGroup, next, LogIndex(state.last.value + 1), 1 << 20);
    REQUIRE(records.ok());
    for (const LogRecord& record : *records) {
      next = LogIndex(record.index.value + 1);
      if (record.kind != static_cast<uint8_t>(raft::EntryKind::kCommand)) continue;
      absl::StatusOr<PackedReader> reader = PackedReader::Open(record.bytes.view());
      REQUIRE(reader.ok());
      for (uint32_t i = 0; i < reader->count(); ++i) {
        const std::string_view bytes = reader->Next();
        REQUIRE(commands.emplace_back().ParseFromArray(bytes.data(), bytes.size()));
      }
    }
  }
  return commands;
}

// `count` jobs of the executor, due together in two seconds.
void ScheduleMany(World& world, const std::string& executor, int count) {
  const absl::Time due = world.now() + absl::Seconds(2);
  std::vector<Job> jobs;
  for (int i = 0; i < count; ++i) {
    jobs.push_back(Job::At(due).Id(executor + std::to_string(i)).Executor(executor));
    if (jobs.size() < 500 && i + 1 < count) continue;
    REQUIRE(world.ScheduleBatch(world.leader(), std::exchange(jobs, {})).ok());
  }
}

NodeBox& OtherThan(World& world, const NodeBox& one, const NodeBox& two) {
  for (int i = 1; i <= world.count(); ++i) {
    if (&world.node(i) != &one && &world.node(i) != &two) return world.node(i);
  }
  FAIL("there is a third node");
  return world.node(1);
}

void HandOver(World& world, NodeBox& from, NodeBox& to) {
  from.node().Transfer(to.id(), ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return to.leads(); }));
}

TEST_CASE("rule 1: a claim names at most 1,024 runs, and a node has at most 4,096") {
  World world;
  std::vector<Done> kept;
  for (const char* executor : {"wide", "broad"}) {
    world.node(1).Serve(
        executor, [&kept](const SeenRun&, Done done) { kept.push_back(std::move(done)); }, 3000);
    ScheduleMany(world, executor, 2100);
  }
  world.Run(absl::Seconds(3));
  CHECK(kept.size() == 4096);
  int largest = 0;
  for (const pb::Command& command : CommandsInLog(world)) {
    largest = std::max(largest, command.claims().items_size());
  }
  CHECK(largest == 1024);
  for (Done& done : kept) done(absl::OkStatus());
  world.Run(absl::Seconds(1));
  CHECK(kept.size() == 4200);
  for (size_t i = 4096; i < kept.size(); ++i) kept[i](absl::OkStatus());
}

TEST_CASE("rule 2: a claim that is not in the log holds nothing") {
  World world(3);
  NodeBox& old = world.leader();
  const absl::Time due = world.now() + absl::Seconds(2);
  REQUIRE(world.Schedule(Job::At(due).Id("a").Executor("work")).ok());
  world.Run(due - absl::Milliseconds(51) - world.now());
  REQUIRE(world.seen().empty());
  world.Isolate(old);
  world.Run(absl::Milliseconds(150));  // its lease still holds, past the due time
  CHECK(old.node().leader()->dispatcher().runs() == 0);
  CHECK(world.seen().empty());
  REQUIRE(world.RunUntil([&] { return !world.seen().empty(); }, absl::Seconds(3)));
  CHECK(world.seen()[0].node != old.id());
}

TEST_CASE("rule 7: a look at the lease that fails delays the start, and is repeated") {
  World world(3, [](NodeOptions* options) { options->claim_ahead = absl::Milliseconds(270); });
  NodeBox& leader = world.leader();
  const Term term = leader.status().term;
  const absl::Time due = world.now() + absl::Seconds(2);
  REQUIRE(world.Schedule(Job::At(due).Id("a").Executor("work")).ok());
  REQUIRE(world.RunUntil([&] { return leader.node().leader()->dispatcher().runs() == 1; }));
  // What the others answer is lost, so that the lease ends while the run is held.
  for (int i = 1; i <= 3; ++i) {
    if (&world.node(i) != &leader) world.network().CutOneWay(world.node(i).id(), leader.id());
  }
  world.Run(due + absl::Milliseconds(5) - world.now());
  REQUIRE(leader.leads());
  CHECK_FALSE(leader.node().HasLease());
  CHECK(world.seen().empty());
  world.network().HealAll();
  REQUIRE(world.RunUntil([&] { return !world.seen().empty(); }, absl::Milliseconds(150)));
  CHECK(world.seen()[0].node == leader.id());
  CHECK(leader.status().term == term);
}

TEST_CASE("rule 7: what a node has not answered is sent again only under the lease") {
  World world(3);
  NodeBox& old = world.leader();
  NodeBox& deaf = world.follower();
  NodeBox& next = OtherThan(world, old, deaf);
  int under_lease = 0;
  int without = 0;
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId& to, const std::string& frame) {
        if (from != next.id() || to != deaf.id()) return false;
        if (!std::holds_alternative<ChannelMessages>(*DecodePeerMessage(frame))) return false;
        ++(next.node().HasLease() ? under_lease : without);
        return true;
      });
  HandOver(world, old, next);
  world.Run(absl::Milliseconds(500));
  CHECK(under_lease > 2);
  world.network().CutOneWay(old.id(), next.id());
  world.network().CutOneWay(deaf.id(), next.id());
  REQUIRE(world.RunUntil([&] { return !next.node().HasLease(); }));
  REQUIRE(world.RunUntil([&] { return !next.leads(); }));
  CHECK(without == 0);
}

TEST_CASE("rule 8: a session that is opened later in a term begins with Reconcile too") {
  World world(3);
  NodeBox& follower = world.follower();
  const SessionId first = follower.node().worker().session();
  std::vector<ChannelMessages> told;
  world.network().DropApplication([&](const NodeId&, const NodeId& to, const std::string& frame) {
    const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
    if (const auto* channel = std::get_if<ChannelMessages>(&*message); channel != nullptr) {
      if (to == follower.id()) told.push_back(*channel);
    }
    return false;
  });
  follower.Crash();
  REQUIRE(follower.Start().ok());
  REQUIRE(world.RunUntil([&] { return follower.node().worker().CanTake(); }, absl::Seconds(2)));
  world.Run(absl::Milliseconds(50));
  const SessionId later = follower.node().worker().session();
  REQUIRE(later > first);
  const auto begin = std::find_if(told.begin(), told.end(),
                                  [&](const ChannelMessages& m) { return m.session == later; });
  REQUIRE(begin != told.end());
  REQUIRE(begin->items.size() == 1);
  CHECK(begin->items[0].number == 1);
  CHECK(std::holds_alternative<ReconcileRequest>(begin->items[0].body));
  CHECK(world.leader().node().leader()->sessions().IsReconciled(later));
}

TEST_CASE("rule 10: a leader on a new disk replaces the session of its life on the lost one") {
  World world(3);
  NodeBox& node = world.follower();
  const auto start = [&](uint64_t boots) {
    node.Crash();
    node.options().boot = BootCounter(boots);
    REQUIRE(node.Start().ok());
  };
  start(100);
  REQUIRE(world.RunUntil([&] { return node.node().worker().CanTake(); }));
  const SessionId lost = node.node().worker().session();
  start(1);  // the clock of the machine has gone back since
  REQUIRE(world.RunUntil([&] { return !node.status().leader.empty(); }));
  HandOver(world, world.leader(), node);
  REQUIRE(node.node().leader()->sessions().NodeOf(lost) != nullptr);
  REQUIRE(world.RunUntil([&] { return node.node().worker().CanTake(); }, absl::Seconds(1)));
  CHECK(node.node().worker().session() > lost);
  CHECK(node.node().leader()->sessions().NodeOf(lost) == nullptr);
}

TEST_CASE("rule 11: a new leader gives every session 1.7 s from its first applied entry") {
  World world(3);
  NodeBox& old = world.leader();
  NodeBox& next = world.follower();
  NodeBox& silent = OtherThan(world, old, next);
  const SessionId session = silent.node().worker().session();
  // Raft hears of it, its sessions' keeper does not.
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId&, const auto&) { return from == silent.id(); });
  HandOver(world, old, next);
  SessionKeeper& keeper = next.node().leader()->sessions();
  world.Run(absl::Milliseconds(1650));
  CHECK(keeper.NodeOf(session) != nullptr);
  world.Run(absl::Milliseconds(250));
  CHECK(keeper.NodeOf(session) == nullptr);
  world.network().DropApplication(nullptr);
}

TEST_CASE("rule 11: a leader that hears nobody's heartbeats closes every session but its own") {
  World world(3);
  NodeBox& leader = world.leader();
  const SessionId own = leader.node().worker().session();
  std::vector<SessionId> others;
  for (int i = 1; i <= 3; ++i) {
    if (&world.node(i) != &leader) others.push_back(world.node(i).node().worker().session());
  }
  world.network().DropApplication([](const auto&, const auto&, const auto&) { return true; });
  world.Run(absl::Seconds(3));
  SessionKeeper& keeper = leader.node().leader()->sessions();
  for (const SessionId session : others) CHECK(keeper.NodeOf(session) == nullptr);
  CHECK(keeper.NodeOf(own) != nullptr);
  CHECK(leader.node().worker().session() == own);
  world.network().DropApplication(nullptr);
}

TEST_CASE("rule 12: without its lease a leader acknowledges nobody, itself included") {
  World world(3);
  NodeBox& old = world.leader();
  world.Isolate(old);
  world.Run(absl::Milliseconds(1400));
  CHECK(old.node().worker().CanTake());  // what was acknowledged before still counts
  world.Run(absl::Milliseconds(450));
  CHECK_FALSE(old.node().worker().CanTake());
}

TEST_CASE("rule 12: a leader that handed over acknowledges nothing more") {
  World world(3);
  NodeBox& old = world.leader();
  NodeBox& next = world.follower();
  NodeBox& third = OtherThan(world, old, next);
  int answers = 0;
  bool handing_over = false;
  world.network().DropApplication([&](const NodeId& from, const NodeId&, const std::string& frame) {
    const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
    if (handing_over && from == old.id() &&
        std::holds_alternative<HeartbeatAnswerMessage>(*message)) {
      ++answers;
    }
    return false;
  });
  // TimeoutNow goes out at once, since `next` has everything; it is lost.
  world.network().CutOneWay(old.id(), next.id());
  old.node().Transfer(next.id(), ReplyTo::kWaiter, [](const absl::Status&) {});
  world.Run(absl::Milliseconds(1));
  handing_over = true;
  world.Run(absl::Milliseconds(240));  // each node beats every 200 ms
  CHECK(old.leads());
  CHECK(third.node().worker().CanTake());
  CHECK(answers == 0);
}

TEST_CASE("rule 12: a session whose close was proposed is acknowledged nothing more") {
  World world(3);
  NodeBox& leader = world.leader();
  NodeBox& silent = world.follower();
  const SessionId session = silent.node().worker().session();
  SessionKeeper& keeper = leader.node().leader()->sessions();
  int acknowledged = 0;
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId& to, const std::string& frame) {
        if (from == silent.id()) return true;
        const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
        const auto* answer = std::get_if<HeartbeatAnswerMessage>(&*message);
        acknowledged += to == silent.id() && answer != nullptr && answer->session == session &&
                        answer->verdict == HeartbeatAnswerMessage::Verdict::kAcknowledged;
        return false;
      });
  // What was lost arrives all at once, after the proposal and before it is committed.
  world.network().SetDelay(absl::Milliseconds(20));
  REQUIRE(world.RunUntil([&] { return !keeper.IsUsable(session); }, absl::Seconds(4)));
  REQUIRE(acknowledged == 0);
  world.network().ReplayApplication(silent.id(), leader.id());
  world.Run(absl::Milliseconds(25));
  REQUIRE(keeper.NodeOf(session) != nullptr);
  CHECK(acknowledged == 0);
  REQUIRE(world.RunUntil([&] { return keeper.NodeOf(session) == nullptr; }));
  CHECK(acknowledged == 0);
  world.network().DropApplication(nullptr);
  CHECK(world.RunUntil([&] { return silent.node().worker().session() > session; }));
}

TEST_CASE("rule 16: a leader that knows nobody's clock claims nothing until it does") {
  World world(3);
  NodeBox& old = world.leader();
  NodeBox& next = world.follower();
  REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
  world.network().DropApplication([&](const NodeId&, const NodeId& to, const std::string& frame) {
    return to == next.id() && std::holds_alternative<HeartbeatMessage>(*DecodePeerMessage(frame));
  });
  HandOver(world, old, next);
  world.Run(absl::Milliseconds(2400));
  CHECK(next.leads());
  CHECK(world.seen().empty());
  CHECK(next.node().leader()->dispatcher().runs() == 0);
  world.network().DropApplication(nullptr);
  REQUIRE(world.RunUntil([&] { return !world.seen().empty(); }, absl::Milliseconds(400)));
  CHECK(world.seen()[0].started >= kBegin + absl::Seconds(2));
}

}  // namespace
}  // namespace scheduled::test
