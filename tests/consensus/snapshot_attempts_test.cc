// One node's side of transfers on lanes that stand still: what a disk does late meets an attempt
// that has ended, or another one.
#include <catch2/catch.hpp>
#include <deque>
#include <set>

#include "base/virtual_runtime.h"
#include "consensus/snapshots.h"
#include "raft/codec.h"
#include "storage/memory_snapshot_files.h"

namespace scheduled {
namespace {

// Runs what was posted when the test says so.
class HandLane : public Lane {
 public:
  explicit HandLane(Lane* timers) : timers_(*timers) {}
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  TimerId PostAt(MonoTime when, Task task) override {
    return timers_.PostAt(
        when, [this, task = std::move(task)]() mutable { tasks_.push_back(std::move(task)); });
  }
  TimerId PostAtWall(absl::Time when, Task task) override {
    return timers_.PostAtWall(when, std::move(task));
  }
  void Cancel(TimerId timer) override { timers_.Cancel(timer); }
  bool IsCurrent() const override { return true; }
  void Stop() override { tasks_.clear(); }

  size_t waiting() const { return tasks_.size(); }
  bool RunOne() {
    if (tasks_.empty()) return false;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    std::move(task)();
    return true;
  }

 private:
  Lane& timers_;
  std::deque<Task> tasks_;
};

class FailingFiles : public MemorySnapshotFiles {
 public:
  absl::Status Append(std::string_view dir, std::string_view file,
                      std::string_view bytes) override {
    if (failures > 0) {
      --failures;
      return absl::UnavailableError("the disk failed");
    }
    return MemorySnapshotFiles::Append(dir, file, bytes);
  }
  int failures = 0;
};

class CopyingMachine : public StateMachine {
 public:
  explicit CopyingMachine(SnapshotFiles* files) : files_(*files) {}
  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command>,
                                                 AppliedPosition) override {
    return std::vector<std::string>();
  }
  AppliedPosition applied() const override { return {LogIndex(5), Term(1)}; }
  absl::StatusOr<LogIndex> Durable() const override { return LogIndex(5); }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Checkpoint(const std::string& dir) override {
    absl::Status made = files_.Create(dir);
    return made.ok() ? files_.Append(dir, "state", std::string(size, 's')) : made;
  }
  absl::Status Install(const std::string&, AppliedPosition) override { return absl::OkStatus(); }
  size_t size = 100;

 private:
  SnapshotFiles& files_;
};

raft::SnapshotMeta MetaAt(uint64_t index) {
  raft::Configuration members;
  members.voters = {{NodeId("a"), "", {}}, {NodeId("b"), "", {}}};
  return {{LogIndex(index), Term(1)}, members, LogIndex(1)};
}

struct Side {
  VirtualLoop loop{{.seed = 1}};
  std::unique_ptr<VirtualRuntime> runtime = loop.NewRuntime("a");
  std::unique_ptr<Lane> timers = runtime->NewLane("timers");
  HandLane raft{timers.get()}, files{timers.get()}, apply{timers.get()};
  FailingFiles disk;
  CopyingMachine machine{&disk};
  std::vector<EnvelopeKind> sent;
  std::vector<raft::Event> stepped;
  std::vector<raft::SnapshotReply> replies;
  std::optional<Snapshots> snapshots;

  explicit Side(SnapshotLimits limits = {}) {
    RaftParts parts{.runtime = runtime.get(), .state_machine = &machine};
    parts.raft = &raft;
    parts.apply = &apply;
    parts.files = &files;
    parts.snapshots = &disk;
    SnapshotsEvents events;
    events.step = [this](raft::Event event) { stepped.push_back(std::move(event)); };
    events.send = [this](const NodeId&, FrameClass, EnvelopeKind kind, std::string_view,
                         std::string) { sent.push_back(kind); };
    events.describe = [](LogIndex index) { return MetaAt(index.value); };
    events.reply = [this](const NodeId&, raft::SnapshotReply reply) { replies.push_back(reply); };
    events.cluster_id = [] { return std::string(kClusterIdBytes, 'c'); };
    events.flush_beside = [](Task then) { std::move(then)(); };
    snapshots.emplace(SnapshotsParts{parts, NodeId("a"), Logger(nullptr)}, limits,
                      std::move(events));
  }
  void RunAll() {
    while (raft.RunOne() || files.RunOne() || apply.RunOne()) {
    }
  }
  void Wait(absl::Duration time) {
    loop.RunUntil(loop.now() + time);
    RunAll();
  }
  void Piece(SnapshotId id, uint64_t offset, std::string bytes) {
    snapshots->OnPiece(NodeId("b"), EncodePiece({id, {0, offset}, bytes}));
  }
};

SnapshotManifest ThirtyBytes() {
  return {SnapshotId(7), raft::EncodeSnapshotMeta(MetaAt(9)), {{"state", 30}}};
}

TEST_CASE("what an attempt at a snapshot wrote late does not count for the next one") {
  Side side;
  side.snapshots->Work(NodeId("b"), Term(1));
  side.snapshots->OnOffer(NodeId("b"), ThirtyBytes(), LogIndex());
  side.RunAll();
  // Three pieces are on their way to the disk; the first one fails.
  side.disk.failures = 1;
  for (const uint64_t offset : {0, 10, 20}) {
    side.Piece(SnapshotId(7), offset, std::string(10, 'x'));
  }
  REQUIRE(side.files.RunOne());
  REQUIRE(side.raft.RunOne());
  REQUIRE(side.replies.size() == 1);
  CHECK_FALSE(side.replies[0].installed);
  // The reply is lost: the same snapshot is offered again, and its end is written by the old one.
  side.snapshots->OnOffer(NodeId("b"), ThirtyBytes(), LogIndex());
  side.Piece(SnapshotId(7), 0, std::string(10, 'x'));
  side.RunAll();
  CHECK(side.stepped.empty());
  for (const uint64_t offset : {10, 20}) side.Piece(SnapshotId(7), offset, std::string(10, 'x'));
  side.RunAll();
  REQUIRE(side.stepped.size() == 1);
  REQUIRE(std::holds_alternative<raft::SnapshotReceived>(side.stepped[0]));
  const std::string dir = side.snapshots->PathForInstall();
  CHECK(*side.disk.List(dir) == ThirtyBytes().files);
}

TEST_CASE("a snapshot is kept while no leader is heard, and goes on with the same one") {
  Side side;
  const auto work = [&](const char* leader, uint64_t term) {
    side.snapshots->Work(NodeId(leader), Term(term));
    side.RunAll();
  };
  work("b", 1);
  side.snapshots->OnOffer(NodeId("b"), ThirtyBytes(), LogIndex());
  side.Piece(SnapshotId(7), 0, std::string(20, 'x'));
  side.RunAll();
  REQUIRE(side.disk.directories() == 1);
  SECTION("in the middle") {
    work("", 1);
    CHECK(side.disk.directories() == 1);
    work("b", 1);
    side.snapshots->OnOffer(NodeId("b"), ThirtyBytes(), LogIndex());
    side.Piece(SnapshotId(7), 20, std::string(10, 'x'));
    side.RunAll();
    CHECK(side.stepped.size() == 1);
  }
  SECTION("at its end") {
    work("", 1);
    side.Piece(SnapshotId(7), 20, std::string(10, 'x'));
    side.RunAll();
    CHECK(side.stepped.empty());
    CHECK_FALSE(side.snapshots->IsAwaiting(raft::TransferId(7)));
    work("b", 1);
    CHECK(side.stepped.size() == 1);
    CHECK(side.snapshots->IsAwaiting(raft::TransferId(7)));
    work("b", 1);
    CHECK(side.stepped.size() == 1);
  }
  SECTION("but not under another leader") {
    work("c", 1);
    CHECK(side.disk.directories() == 0);
  }
  SECTION("and not in another term") {
    work("", 2);
    CHECK(side.disk.directories() == 0);
  }
}

raft::Status LeaderOf(const std::vector<const char*>& peers) {
  raft::Status status;
  status.role = raft::Role::kLeader;
  for (const char* peer : peers) {
    raft::PeerStatus& each = status.peers.emplace_back();
    each.id = NodeId(peer);
  }
  return status;
}

TEST_CASE("a transfer that failed while its copy was made stays failed, and leaves no copy") {
  Side side;
  side.snapshots->Work(NodeId("a"), Term(1));
  side.snapshots->Send(NodeId("b"), LogIndex(5));
  REQUIRE(side.apply.waiting() == 1);
  // b is no member any more: nothing is removed yet, and nothing will be there.
  side.snapshots->Hold(LeaderOf({"c"}), LogSizes());
  CHECK(side.snapshots->counts().dropped == 1);
  CHECK(side.files.waiting() == 0);
  const bool is_early = GENERATE(true, false);
  if (is_early) side.RunAll();
  side.loop.RunUntil(side.loop.now() + absl::Seconds(2));
  side.RunAll();
  CHECK(side.sent.empty());
  CHECK(side.disk.directories() == 0);
  CHECK(side.snapshots->counts().dropped == 1);
  REQUIRE(side.stepped.size() == 1);
  CHECK_FALSE(std::get<raft::SnapshotSent>(side.stepped[0]).installed);
}

TEST_CASE("a transfer holds the log for as much as its copy, but not for ever") {
  SnapshotLimits limits;
  limits.log_bytes = 1000;
  Side side(limits);
  side.machine.size = GENERATE(100, 2000);
  side.snapshots->Work(NodeId("a"), Term(1));
  side.snapshots->Send(NodeId("b"), LogIndex(5));
  side.RunAll();
  LogSizes sizes;
  sizes.Append({LogIndex(1), LogIndex(5), 1'000'000});
  const uint64_t most = std::max<uint64_t>(side.machine.size, 1000);
  sizes.Append({LogIndex(6), LogIndex(6), most});
  CHECK(side.snapshots->Hold(LeaderOf({"b"}), sizes) == LogIndex(5));
  sizes.Append({LogIndex(7), LogIndex(7), 1});
  CHECK(side.snapshots->Hold(LeaderOf({"b"}), sizes) == LogIndex(UINT64_MAX));
  CHECK(side.snapshots->counts().dropped == 1);
}

}  // namespace
}  // namespace scheduled
