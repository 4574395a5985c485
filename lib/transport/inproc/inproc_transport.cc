// The network inside one process. A frame goes straight from the sender's thread into the
// receiver, under no lock: each node has a queue, and the thread that finds nobody delivering from
// it delivers until it is empty, so that a node gets its frames one at a time and in order. A
// receiver that answers from within is safe: its answer is queued, and delivered by whoever is at
// work there already.
#include "scheduled/inproc_transport.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/assert.h"

namespace scheduled {
namespace {

constexpr size_t kMaxQueuedBytes = size_t{8} << 20;

using Pair = std::pair<NodeId, NodeId>;

Pair Ordered(const NodeId& a, const NodeId& b) { return a < b ? Pair(a, b) : Pair(b, a); }

bool MayTalk(const PeerIdentity& a, const PeerIdentity& b) {
  return a.wire_version == b.wire_version &&
         (a.cluster_id.empty() || b.cluster_id.empty() || a.cluster_id == b.cluster_id);
}

// What waits for one node.
class Inbox {
 public:
  explicit Inbox(Transport::Receiver receiver) : receiver_(std::move(receiver)) {}

  void Deliver(const NodeId& from, FrameClass frame_class, std::string frame) {
    std::unique_lock lock(mutex_);
    if (stopped_) return;
    size_t& queued = queued_bytes_[{from, frame_class}];
    if (queued + frame.size() > kMaxQueuedBytes) return;
    queued += frame.size();
    queue_.push_back({from, frame_class, std::move(frame)});
    if (delivering_) return;
    delivering_ = true;
    deliverer_ = std::this_thread::get_id();
    while (!queue_.empty() && !stopped_) {
      Waiting next = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_[{next.from, next.frame_class}] -= next.frame.size();
      lock.unlock();
      receiver_(next.from, next.frame_class, std::move(next.frame));
      lock.lock();
    }
    delivering_ = false;
    idle_.notify_all();
  }

  void Stop() {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    queue_.clear();
    if (delivering_ && deliverer_ == std::this_thread::get_id()) return;
    idle_.wait(lock, [this] { return !delivering_; });
  }

 private:
  struct Waiting {
    NodeId from;
    FrameClass frame_class;
    std::string frame;
  };

  const Transport::Receiver receiver_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::deque<Waiting> queue_;
  std::map<std::pair<NodeId, FrameClass>, size_t> queued_bytes_;
  bool delivering_ = false;
  std::thread::id deliverer_;  // valid while delivering_
  bool stopped_ = false;
};

// Who is on the network, and who is cut off from whom.
class Switchboard {
 public:
  struct Node {
    PeerIdentity identity;
    std::set<NodeId> peers;
    std::shared_ptr<Inbox> inbox;
  };

  absl::Status Join(PeerIdentity self, std::set<NodeId> peers, std::shared_ptr<Inbox> inbox) {
    std::lock_guard lock(mutex_);
    const NodeId id = self.node;
    if (!nodes_.try_emplace(id, Node{std::move(self), std::move(peers), std::move(inbox)}).second) {
      return absl::UnavailableError("a node named " + id.value + " is on this network already");
    }
    return absl::OkStatus();
  }

  void Leave(const NodeId& id) {
    std::lock_guard lock(mutex_);
    nodes_.erase(id);
  }

  template <typename F>
  void Change(const NodeId& id, F change) {
    std::lock_guard lock(mutex_);
    if (auto it = nodes_.find(id); it != nodes_.end()) change(it->second);
  }

  // Null: nothing gets from one to the other now.
  std::shared_ptr<Inbox> Route(const NodeId& from, const NodeId& to) {
    std::lock_guard lock(mutex_);
    auto source = nodes_.find(from);
    auto target = nodes_.find(to);
    if (source == nodes_.end() || target == nodes_.end() || source == target) return nullptr;
    if (!source->second.peers.contains(to) || cut_.contains(Ordered(from, to))) return nullptr;
    if (!MayTalk(source->second.identity, target->second.identity)) return nullptr;
    return target->second.inbox;
  }

  void Cut(const NodeId& a, const NodeId& b, bool cut) {
    std::lock_guard lock(mutex_);
    if (cut) {
      cut_.insert(Ordered(a, b));
    } else {
      cut_.erase(Ordered(a, b));
    }
  }

 private:
  std::mutex mutex_;
  std::map<NodeId, Node> nodes_;
  std::set<Pair> cut_;
};

class InprocTransport final : public Transport {
 public:
  explicit InprocTransport(std::shared_ptr<Switchboard> network) : network_(std::move(network)) {}
  ~InprocTransport() override { Stop(); }

  absl::Status Start(PeerIdentity self, Receiver receiver) override {
    std::lock_guard lock(mutex_);
    SCHEDULED_ASSERT(inbox_ == nullptr, "a transport is started once");
    auto inbox = std::make_shared<Inbox>(std::move(receiver));
    id_ = self.node;
    if (absl::Status joined = network_->Join(std::move(self), peers_, inbox); !joined.ok()) {
      return joined;
    }
    inbox_ = std::move(inbox);
    return absl::OkStatus();
  }

  void Stop() override {
    std::shared_ptr<Inbox> inbox;
    {
      std::lock_guard lock(mutex_);
      if (inbox_ == nullptr || stopped_) return;
      stopped_ = true;
      inbox = inbox_;
    }
    network_->Leave(id_);
    inbox->Stop();
  }

  void SetPeers(const std::map<NodeId, std::string>& addresses) override {
    std::lock_guard lock(mutex_);
    peers_.clear();
    for (const auto& [id, address] : addresses) peers_.insert(id);
    if (!Running()) return;
    network_->Change(id_, [&](Switchboard::Node& node) { node.peers = peers_; });
  }

  void SetClusterId(std::string cluster_id) override {
    std::lock_guard lock(mutex_);
    if (!Running()) return;
    network_->Change(
        id_, [&](Switchboard::Node& node) { node.identity.cluster_id = std::move(cluster_id); });
  }

  void Send(const NodeId& to, FrameClass frame_class, std::string frame) override {
    NodeId from;
    {
      std::lock_guard lock(mutex_);
      if (!Running()) return;
      from = id_;
    }
    if (auto inbox = network_->Route(from, to)) inbox->Deliver(from, frame_class, std::move(frame));
  }

 private:
  bool Running() const { return inbox_ != nullptr && !stopped_; }

  const std::shared_ptr<Switchboard> network_;
  std::mutex mutex_;  // taken before the network's
  NodeId id_;
  std::set<NodeId> peers_;
  std::shared_ptr<Inbox> inbox_;
  bool stopped_ = false;
};

}  // namespace

class InprocNetwork::Impl : public Switchboard {};

InprocNetwork::InprocNetwork() : impl_(std::make_shared<Impl>()) {}
InprocNetwork::~InprocNetwork() = default;

std::unique_ptr<Transport> InprocNetwork::NewTransport() {
  return std::make_unique<InprocTransport>(impl_);
}

void InprocNetwork::Disconnect(const NodeId& a, const NodeId& b) { impl_->Cut(a, b, true); }
void InprocNetwork::Reconnect(const NodeId& a, const NodeId& b) { impl_->Cut(a, b, false); }

}  // namespace scheduled
