// A network between nodes of one virtual loop: frames take a fixed time, links can be cut in one
// direction or both. Frames to a node that is down are lost.
#ifndef SCHEDULED_TESTS_SCHEDULER_VIRTUAL_NETWORK_H_
#define SCHEDULED_TESTS_SCHEDULER_VIRTUAL_NETWORK_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/virtual_runtime.h"
#include "consensus/envelope.h"
#include "scheduled/transport.h"

namespace scheduled::test {

class VirtualNetwork {
 public:
  explicit VirtualNetwork(VirtualLoop* loop)
      : runtime_(loop->NewRuntime("network")), lane_(runtime_->NewLane("wire")) {}

  std::unique_ptr<Transport> NewTransport() { return std::make_unique<Port>(this); }

  void SetDelay(absl::Duration delay) { delay_ = delay; }
  // Frames from `a` to `b` are lost from now on.
  void CutOneWay(const NodeId& a, const NodeId& b) { cut_.insert({a, b}); }
  void Cut(const NodeId& a, const NodeId& b) {
    CutOneWay(a, b);
    CutOneWay(b, a);
  }
  void HealAll() { cut_.clear(); }
  // Application frames for which this is true are lost; null lets all through.
  using Drop = std::function<bool(const NodeId& from, const NodeId& to, const std::string& frame)>;
  void DropApplication(Drop drop) { drop_application_ = std::move(drop); }
  // Delivers once more every application frame of one link that was ever sent.
  void ReplayApplication(const NodeId& from, const NodeId& to) {
    for (const auto& [link, frame] : sent_) {
      if (link == std::pair(from, to)) Deliver(from, to, FrameClass::kApplication, frame);
    }
  }

 private:
  class Port : public Transport {
   public:
    explicit Port(VirtualNetwork* network) : network_(*network) {}
    ~Port() override { Stop(); }
    absl::Status Start(PeerIdentity self, Receiver receiver) override {
      self_ = self.node;
      receiver_ = std::move(receiver);
      network_.ports_[self_] = this;
      return absl::OkStatus();
    }
    void Stop() override {
      const auto it = network_.ports_.find(self_);
      if (it != network_.ports_.end() && it->second == this) network_.ports_.erase(it);
    }
    void SetPeers(const std::map<NodeId, std::string>&) override {}
    void SetClusterId(std::string) override {}
    void Send(const NodeId& to, FrameClass frame_class, std::string frame) override {
      network_.Send(self_, to, frame_class, std::move(frame));
    }
    void Receive(const NodeId& from, FrameClass frame_class, std::string frame) {
      receiver_(from, frame_class, std::move(frame));
    }

   private:
    VirtualNetwork& network_;
    NodeId self_;
    Receiver receiver_;
  };

  void Send(const NodeId& from, const NodeId& to, FrameClass frame_class, std::string frame) {
    if (cut_.contains({from, to})) return;
    if (frame_class == FrameClass::kApplication) {
      sent_.emplace_back(std::pair(from, to), frame);
      std::string content = frame;
      if (drop_application_ && Unseal(&content) && drop_application_(from, to, content)) return;
    }
    Deliver(from, to, frame_class, std::move(frame));
  }

  void Deliver(NodeId from, NodeId to, FrameClass frame_class, std::string frame) {
    lane_->PostAt(runtime_->clock().MonoNow() + delay_,
                  [this, from = std::move(from), to = std::move(to), frame_class,
                   frame = std::move(frame)]() mutable {
                    if (cut_.contains({from, to})) return;
                    const auto it = ports_.find(to);
                    if (it != ports_.end())
                      it->second->Receive(from, frame_class, std::move(frame));
                  });
  }

  std::unique_ptr<VirtualRuntime> runtime_;
  std::unique_ptr<Lane> lane_;
  absl::Duration delay_ = absl::Microseconds(200);
  std::set<std::pair<NodeId, NodeId>> cut_;
  Drop drop_application_;
  std::vector<std::pair<std::pair<NodeId, NodeId>, std::string>> sent_;
  std::map<NodeId, Port*> ports_;
};

}  // namespace scheduled::test

#endif  // SCHEDULED_TESTS_SCHEDULER_VIRTUAL_NETWORK_H_
