// Peers over gRPC: puts the server side (inbound_service.h) and the links to each peer
// (peer_link.h) together.
#include "scheduled/grpc_transport.h"

#include <grpcpp/grpcpp.h>

#include <array>
#include <mutex>
#include <vector>

#include "base/assert.h"
#include "transport/grpc/inbound_service.h"
#include "transport/grpc/peer_link.h"

namespace scheduled {
namespace {

using peer::InboundService;
using peer::LinkContext;
using peer::PeerLink;
using peer::StreamKind;

std::unique_ptr<grpc::Server> StartServer(const std::string& address, InboundService* service) {
  constexpr int kMinPingIntervalMs = 500;
  grpc::ServerBuilder builder;
  // Without this a second process on the port would quietly take half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(peer::kMaxPacketBytes));
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server != nullptr && port == 0) {
    server->Shutdown();
    return nullptr;
  }
  return server;
}

class GrpcTransportImpl final : public Transport {
 public:
  explicit GrpcTransportImpl(GrpcTransportOptions options) : options_(std::move(options)) {}
  ~GrpcTransportImpl() override { Stop(); }

  absl::Status Start(PeerIdentity self, Receiver receiver) override {
    std::lock_guard lock(mutex_);
    SCHEDULED_ASSERT(service_ == nullptr, "a transport is started once");
    Logger log = Logger(options_.log).With("node", self.node.value);
    SetSelf(std::move(self));
    link_context_ = {[this] { return Self(); }, &alarms_, log, options_.max_backoff};
    service_ = std::make_unique<InboundService>([this] { return Self(); }, std::move(receiver),
                                                std::move(log));
    server_ = StartServer(options_.listen_address, service_.get());
    if (server_ == nullptr) {
      return absl::UnavailableError("cannot listen for peers on '" + options_.listen_address +
                                    "': the address is in use, or is none of this machine");
    }
    running_ = true;
    ApplyPeers();
    return absl::OkStatus();
  }

  void Stop() override {
    std::vector<std::shared_ptr<PeerLink>> links;
    {
      std::lock_guard lock(mutex_);
      running_ = false;
      CloseAll();
      links = leaving_;
    }
    for (const auto& link : links) link->WaitUntilGone();
    std::lock_guard stopping(stop_mutex_);
    if (service_ != nullptr) service_->Close();
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now());
      service_->WaitUntilIdle();
      server_ = nullptr;
    }
    alarms_.Stop();
  }

  void SetPeers(const std::map<NodeId, std::string>& addresses) override {
    std::lock_guard lock(mutex_);
    addresses_ = addresses;
    if (running_) ApplyPeers();
  }

  void SetClusterId(std::string cluster_id) override {
    std::lock_guard lock(self_mutex_);
    self_.cluster_id = std::move(cluster_id);
  }

  void Send(const NodeId& to, FrameClass frame_class, std::string frame) override {
    std::shared_ptr<PeerLink> link;
    {
      std::lock_guard lock(mutex_);
      auto it = links_.find(to);
      if (it == links_.end()) return;
      link = it->second[LinkSlot(peer::StreamOf(frame_class))];
    }
    link->Send(frame_class, std::move(frame));
  }

 private:
  using Links = std::array<std::shared_ptr<PeerLink>, 2>;  // urgent, bulk

  static size_t LinkSlot(StreamKind kind) { return static_cast<size_t>(kind) - 1; }

  PeerIdentity Self() {
    std::lock_guard lock(self_mutex_);
    return self_;
  }
  void SetSelf(PeerIdentity self) {
    std::lock_guard lock(self_mutex_);
    self_ = std::move(self);
  }

  // Makes the links those of addresses_. mutex_ held.
  void ApplyPeers() {
    std::erase_if(leaving_, [](const auto& link) { return link->Gone(); });
    const NodeId self = Self().node;
    for (auto it = links_.begin(); it != links_.end();) {
      auto wanted = addresses_.find(it->first);
      const bool stays =
          wanted != addresses_.end() && wanted->second == it->second.front()->address();
      if (!stays) Leave(it->second);
      it = stays ? std::next(it) : links_.erase(it);
    }
    for (const auto& [id, address] : addresses_) {
      if (id == self || links_.contains(id)) continue;
      Links& links = links_[id];
      for (StreamKind kind : {StreamKind::kUrgent, StreamKind::kBulk}) {
        auto link = std::make_shared<PeerLink>(&link_context_, id, address, kind);
        link->Open();
        links[LinkSlot(kind)] = std::move(link);
      }
    }
  }

  void Leave(const Links& links) {
    for (const auto& link : links) {
      link->Close();
      leaving_.push_back(link);
    }
  }

  void CloseAll() {
    for (const auto& [id, links] : links_) Leave(links);
    links_.clear();
  }

  const GrpcTransportOptions options_;
  peer::AlarmThread alarms_;

  std::mutex self_mutex_;
  PeerIdentity self_;  // guarded by self_mutex_

  std::mutex stop_mutex_;  // one Stop at a time
  std::mutex mutex_;       // guards all below, but what Start sets once
  bool running_ = false;
  std::map<NodeId, std::string> addresses_;
  std::map<NodeId, Links> links_;
  std::vector<std::shared_ptr<PeerLink>> leaving_;  // closed, until gRPC is done with them
  LinkContext link_context_;                        // set by Start
  std::unique_ptr<InboundService> service_;         // set by Start
  std::unique_ptr<grpc::Server> server_;            // set by Start
};

}  // namespace

std::unique_ptr<Transport> GrpcTransport(GrpcTransportOptions options) {
  return std::make_unique<GrpcTransportImpl>(std::move(options));
}

}  // namespace scheduled
