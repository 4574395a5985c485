// A small world for tests of RaftNode: disks that outlive their nodes, a state machine that keeps
// what it applies, and nodes that are started, crashed, cut off and asked. There are two: one on
// threads over the in-process network, and one in virtual time over a network of its own. A test is
// written once, for both.
#ifndef SCHEDULED_TESTS_CONSENSUS_WORLD_H_
#define SCHEDULED_TESTS_CONSENSUS_WORLD_H_

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/thread_runtime.h"
#include "base/virtual_runtime.h"
#include "consensus/machine.h"
#include "consensus/raft_parts.h"
#include "scheduled/inproc_transport.h"
#include "scheduled/raft_node.h"

namespace scheduled::testing {

// A disk that can be made to fail, and that counts its syncs.
class FaultyLog : public LogStore {
 public:
  explicit FaultyLog(LogStore* base) : base_(*base) {}
  absl::StatusOr<LogState> Load(GroupId group) override { return base_.Load(group); }
  absl::Status Write(std::span<const LogWrite> writes) override {
    if (on_write) on_write();
    if (fail) return absl::UnavailableError("the disk failed");
    ++syncs;
    return base_.Write(writes);
  }
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                              size_t max_bytes) override {
    return base_.Read(group, from, to, max_bytes);
  }
  absl::Status CutBefore(GroupId group, LogIndex first_kept) override {
    return base_.CutBefore(group, first_kept);
  }
  absl::Status MarkCleanStop() override { return base_.MarkCleanStop(); }

  std::atomic<bool> fail{false};
  std::atomic<int> syncs{0};
  std::function<void()> on_write;  // log lane; set before the node starts

 private:
  LogStore& base_;
};

// A status of its own. The count of those who share one is kept in a library that the thread
// sanitizer does not see into.
inline absl::Status Unshared(const absl::Status& status) {
  return absl::Status(status.code(), std::string(status.message()));
}
inline absl::StatusOr<Applied> Unshared(const absl::StatusOr<Applied>& applied) {
  if (applied.ok()) return *applied;
  return Unshared(applied.status());
}

// What became of something that was asked for.
template <typename T>
struct Outcome {
  std::mutex mutex;
  std::optional<T> value;
  int times = 0;

  void Set(T v) {
    std::lock_guard lock(mutex);
    value = std::move(v);
    ++times;
  }
  bool done() {
    std::lock_guard lock(mutex);
    return value.has_value();
  }
  T get() {
    std::lock_guard lock(mutex);
    REQUIRE(value.has_value());
    REQUIRE(times == 1);
    return Unshared(*value);
  }
};
using ProposeOutcome = std::shared_ptr<Outcome<absl::StatusOr<Applied>>>;
using StatusOutcome = std::shared_ptr<Outcome<absl::Status>>;

// One node and all that it runs on.
class Node {
 public:
  struct Parts {
    RaftOptions options;
    Runtime* runtime = nullptr;
    std::unique_ptr<Transport> transport;
    Disk* disk = nullptr;
    Signal* signal = nullptr;
    raft::DiskId disk_id;
    std::function<void()> on_write;
    bool extra_lanes = false;
    bool snapshots = true;
  };
  explicit Node(Parts parts)
      : signal_(*parts.signal),
        log_(&parts.disk->log),
        machine_(parts.disk, parts.signal),
        transport_(std::move(parts.transport)),
        raft_(parts.runtime->NewLane("raft")),
        log_lane_(parts.runtime->NewLane("log")),
        apply_(parts.runtime->NewLane("apply")),
        completions_(parts.runtime->NewLane("completions")),
        flush_(parts.extra_lanes ? parts.runtime->NewLane("flush") : nullptr),
        files_(parts.extra_lanes ? parts.runtime->NewLane("files") : nullptr) {
    log_.on_write = std::move(parts.on_write);
    RaftParts raft{.runtime = parts.runtime,
                   .log_store = &log_,
                   .state_machine = &machine_,
                   .transport = transport_.get(),
                   .raft = raft_.get(),
                   .log = log_lane_.get(),
                   .apply = apply_.get(),
                   .completions = completions_.get(),
                   .flush = flush_.get(),
                   .files = files_.get(),
                   .snapshots = parts.snapshots ? &parts.disk->snapshots : nullptr,
                   .disk = parts.disk_id,
                   .on_cluster_id = [this](const std::string& id) {
                     std::lock_guard lock(mutex_);
                     cluster_id_ = id;
                     signal_.Notify();
                     return absl::OkStatus();
                   }};
    auto node = RaftNode::OpenWith(parts.options, raft);
    status_ = node.status();
    if (!node.ok()) return;
    node_ = *std::move(node);
    node_->OnRoleChange([this](const RoleChange& change) {
      std::lock_guard lock(mutex_);
      roles_.push_back(change);
      signal_.Notify();
    });
    node_->OnApplicationFrame([this](const NodeId& from, std::string frame) {
      std::lock_guard lock(mutex_);
      frames_.push_back(from.value + ":" + frame);
      signal_.Notify();
    });
  }
  ~Node() { Crash(); }

  // As by kill -9: nothing of it runs any more, nobody is answered.
  void Crash() {
    if (node_ == nullptr) return;
    machine_.HoldApply(false);  // a test that failed while it held it leaves a lane that never ends
    for (Lane* lane : {raft_.get(), log_lane_.get(), apply_.get(), completions_.get(), flush_.get(),
                       files_.get()}) {
      if (lane != nullptr) lane->Stop();
    }
    node_.reset();
  }
  // As its owner would: what waits is answered.
  void Close() { node_.reset(); }

  ProposeOutcome Propose(std::string command, ProposeOptions options = {}) {
    auto outcome = std::make_shared<Outcome<absl::StatusOr<Applied>>>();
    node_->Propose(
        std::move(command),
        [this, outcome](absl::StatusOr<Applied> applied) {
          outcome->Set(std::move(applied));
          signal_.Notify();
        },
        options);
    return outcome;
  }
  StatusOutcome Barrier() {
    auto outcome = std::make_shared<Outcome<absl::Status>>();
    node_->Barrier([this, outcome](absl::Status status) {
      outcome->Set(std::move(status));
      signal_.Notify();
    });
    return outcome;
  }
  StatusOutcome Transfer(std::optional<NodeId> to) {
    auto outcome = std::make_shared<Outcome<absl::Status>>();
    node_->Transfer(std::move(to), [this, outcome](absl::Status status) {
      outcome->Set(std::move(status));
      signal_.Notify();
    });
    return outcome;
  }

  StatusOutcome ChangeMembers(std::vector<MemberChange> changes) {
    auto outcome = std::make_shared<Outcome<absl::Status>>();
    node_->ChangeMembers(std::move(changes), [this, outcome](absl::Status status) {
      outcome->Set(std::move(status));
      signal_.Notify();
    });
    return outcome;
  }

  RaftNode* operator->() { return node_.get(); }
  bool running() const { return node_ != nullptr; }
  const absl::Status& open_status() const { return status_; }
  Machine& machine() { return machine_; }
  FaultyLog& log() { return log_; }
  std::string cluster_id() {
    std::lock_guard lock(mutex_);
    return cluster_id_;
  }
  std::vector<RoleChange> roles() {
    std::lock_guard lock(mutex_);
    return roles_;
  }
  std::vector<std::string> frames() {
    std::lock_guard lock(mutex_);
    return frames_;
  }

 private:
  Signal& signal_;
  std::mutex mutex_;
  std::string cluster_id_;
  std::vector<RoleChange> roles_;
  std::vector<std::string> frames_;
  FaultyLog log_;
  Machine machine_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Lane> raft_, log_lane_, apply_, completions_, flush_, files_;
  absl::Status status_;
  std::unique_ptr<RaftNode> node_;
};

class World {
 public:
  virtual ~World() = default;

  // Starts node `name`, of a group of `names` (of one if that is empty), on the disk of its name.
  Node& Start(const std::string& name, const std::vector<std::string>& names = {});
  void StartAll(const std::vector<std::string>& names) {
    for (const std::string& name : names) Start(name, names);
  }
  void Crash(const std::string& name) { nodes_.erase(name); }
  // Another disk, empty, and with another id.
  void WipeDisk(const std::string& name) {
    wiped_.push_back(std::move(disks_[name]));
    ++disk_generation_[name];
  }
  Node& node(const std::string& name) { return *nodes_.at(name); }
  Disk& disk(const std::string& name) {
    auto& disk = disks_[name];
    if (disk == nullptr) disk = std::make_unique<Disk>();
    return *disk;
  }
  // Cuts a node off from all others, or lets it back in.
  void Isolate(const std::string& name, const std::vector<std::string>& names, bool cut = true) {
    for (const std::string& other : names) {
      if (other != name) Cut(name, other, cut);
    }
  }

  // Waits; false once patience has run out.
  virtual bool Until(const std::function<bool()>& condition) = 0;
  // The node that leads with a lease and that all running nodes of `names` follow.
  Node* WaitForLeader(const std::vector<std::string>& names) {
    Node* leader = nullptr;
    Until([&] {
      leader = nullptr;
      for (const std::string& name : names) {
        if (nodes_.contains(name) && node(name)->HasLease()) leader = &node(name);
      }
      if (leader == nullptr) return false;
      for (const std::string& name : names) {
        if (nodes_.contains(name) && node(name)->status().leader != (*leader)->status().node_id) {
          return false;
        }
      }
      return true;
    });
    return leader;
  }
  absl::StatusOr<Applied> Propose(Node& node, std::string command, ProposeOptions options = {}) {
    auto outcome = node.Propose(std::move(command), options);
    REQUIRE(Until([&] { return outcome->done(); }));
    return outcome->get();
  }
  absl::Status Wait(const StatusOutcome& outcome) {
    REQUIRE(Until([&] { return outcome->done(); }));
    return outcome->get();
  }
  absl::StatusOr<Applied> Wait(const ProposeOutcome& outcome) {
    REQUIRE(Until([&] { return outcome->done(); }));
    return outcome->get();
  }

  // Many megabytes are to go through the group, which on a busy machine takes its lanes long.
  void ExpectBulk() {
    options.election_timeout = absl::Milliseconds(1500);
    options.lease = absl::Milliseconds(1200);
  }

  // For the nodes that are started afterwards.
  RaftOptions options;
  std::function<void(const std::string& name)> on_write;
  bool extra_lanes = false;  // flush and files
  bool networked = false;    // a group of one, too
  bool snapshots = true;
  std::map<std::string, std::string> moved;  // addresses that are given instead of the names

  virtual void Cut(const std::string& a, const std::string& b, bool cut) = 0;

 protected:
  virtual Runtime& RuntimeOf(const std::string& name) = 0;
  virtual std::unique_ptr<Transport> NewTransport(const std::string& name) = 0;

  // To be called by destructors, before the runtimes go.
  void StopAll() { nodes_.clear(); }

  Signal signal_;

 private:
  std::map<std::string, std::unique_ptr<Disk>> disks_;
  std::map<std::string, uint64_t> disk_generation_;
  std::vector<std::unique_ptr<Disk>> wiped_;
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

class ThreadWorld : public World {
 public:
  // A leader that gets no processor for a while on a busy machine still leads.
  ThreadWorld() {
    options.election_timeout = absl::Milliseconds(600);
    options.lease = absl::Milliseconds(500);
  }
  ~ThreadWorld() override { StopAll(); }
  bool Until(const std::function<bool()>& condition) override {
    return signal_.WaitFor(condition, std::chrono::minutes(2));
  }
  void Cut(const std::string& a, const std::string& b, bool cut) override {
    if (cut) {
      network_.Disconnect(NodeId(a), NodeId(b));
    } else {
      network_.Reconnect(NodeId(a), NodeId(b));
    }
  }

 protected:
  Runtime& RuntimeOf(const std::string&) override { return runtime_; }
  std::unique_ptr<Transport> NewTransport(const std::string&) override {
    return network_.NewTransport();
  }

 private:
  ThreadRuntime runtime_;
  InprocNetwork network_;
};

// A network in virtual time: each frame takes 100 us.
class VirtualNetwork {
 public:
  struct Endpoint {
    Lane* lane = nullptr;
    const Clock* clock = nullptr;
    Transport::Receiver receiver;
  };
  std::map<NodeId, Endpoint> endpoints;
  std::set<std::pair<NodeId, NodeId>> cut;
  std::map<NodeId, std::map<NodeId, std::string>> peers;  // as each node's transport was told last
};

class VirtualTransport : public Transport {
 public:
  VirtualTransport(VirtualNetwork* network, Runtime* runtime)
      : network_(*network), clock_(runtime->clock()), lane_(runtime->NewLane("network")) {}
  ~VirtualTransport() override { Stop(); }
  absl::Status Start(PeerIdentity self, Receiver receiver) override {
    id_ = self.node;
    network_.peers[id_] = peers_;
    network_.endpoints[id_] = {lane_.get(), &clock_, std::move(receiver)};
    return absl::OkStatus();
  }
  void Stop() override {
    lane_->Stop();
    network_.endpoints.erase(id_);
  }
  void SetPeers(const std::map<NodeId, std::string>& peers) override {
    peers_ = peers;
    if (!id_.empty()) network_.peers[id_] = peers;
  }
  void SetClusterId(std::string) override {}
  void Send(const NodeId& to, FrameClass frame_class, std::string frame) override {
    auto endpoint = network_.endpoints.find(to);
    if (endpoint == network_.endpoints.end() || network_.cut.contains({id_, to})) return;
    endpoint->second.lane->PostAt(
        endpoint->second.clock->MonoNow() + absl::Microseconds(100),
        [network = &network_, from = id_, to, frame_class, frame = std::move(frame)]() mutable {
          auto target = network->endpoints.find(to);
          if (target == network->endpoints.end()) return;
          target->second.receiver(from, frame_class, std::move(frame));
        });
  }

 private:
  VirtualNetwork& network_;
  const Clock& clock_;
  NodeId id_;
  std::map<NodeId, std::string> peers_;
  std::unique_ptr<Lane> lane_;
};

class VirtualWorld : public World {
 public:
  explicit VirtualWorld(uint64_t seed = 1) : loop_({.seed = seed}) {}
  ~VirtualWorld() override { StopAll(); }
  bool Until(const std::function<bool()>& condition) override {
    const MonoTime deadline = loop_.now() + absl::Seconds(30);
    while (!condition()) {
      if (loop_.now() > deadline || !loop_.RunOne()) return condition();
    }
    return true;
  }
  void Cut(const std::string& a, const std::string& b, bool cut) override {
    CutOneWay(a, b, cut);
    CutOneWay(b, a, cut);
  }
  void CutOneWay(const std::string& from, const std::string& to, bool cut) {
    const std::pair<NodeId, NodeId> pair{from, to};
    if (cut) {
      network_.cut.insert(pair);
    } else {
      network_.cut.erase(pair);
    }
  }
  // A frame as if `from` had sent it, sealed or not.
  void Inject(const std::string& from, const std::string& to, FrameClass frame_class,
              std::string frame) {
    network_.endpoints.at(NodeId(to)).receiver(NodeId(from), frame_class, std::move(frame));
  }
  VirtualLoop& loop() { return loop_; }
  // Where this node's transport was last told to reach `peer`; empty: it does not know it.
  std::string AddressAt(const std::string& node, const std::string& peer) {
    return network_.peers[NodeId(node)][NodeId(peer)];
  }

 protected:
  Runtime& RuntimeOf(const std::string& name) override {
    auto& runtime = runtimes_[name];
    if (runtime == nullptr) runtime = loop_.NewRuntime(name);
    return *runtime;
  }
  std::unique_ptr<Transport> NewTransport(const std::string& name) override {
    return std::make_unique<VirtualTransport>(&network_, &RuntimeOf(name));
  }

 private:
  VirtualLoop loop_;
  std::map<std::string, std::unique_ptr<VirtualRuntime>> runtimes_;
  VirtualNetwork network_;
};

inline Node& World::Start(const std::string& name, const std::vector<std::string>& names) {
  Node::Parts parts;
  parts.options = options;
  parts.options.node_id = NodeId(name);
  for (const std::string& each : names) {
    parts.options.peers[NodeId(each)] = moved.contains(each) ? moved[each] : each;
    parts.disk_id = raft::DiskId(std::hash<std::string>()(name) + disk_generation_[name]);
  }
  parts.runtime = &RuntimeOf(name);
  if (!names.empty() || networked) parts.transport = NewTransport(name);
  parts.disk = &disk(name);
  parts.signal = &signal_;
  parts.extra_lanes = extra_lanes;
  parts.snapshots = snapshots;
  if (on_write) parts.on_write = [hook = on_write, name] { hook(name); };
  nodes_.erase(name);
  auto& node = nodes_[name];
  node = std::make_unique<Node>(std::move(parts));
  return *node;
}

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_CONSENSUS_WORLD_H_
