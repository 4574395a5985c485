// See inbound_service.h. Everything here runs on threads of gRPC, under one mutex where it is
// shared.
#include "transport/grpc/inbound_service.h"

#include <grpcpp/grpcpp.h>

namespace scheduled::peer {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message().data(), status.message().size()));
}

bool IsFrameClass(uint32_t value) {
  return value >= static_cast<uint32_t>(FrameClass::kConsensus) &&
         value <= static_cast<uint32_t>(FrameClass::kApplication);
}

}  // namespace

// One stream of one peer; owned by gRPC until OnDone. There is always one read under way until
// Finish, so that Finish is called once and last.
class InboundService::Stream final
    : public grpc::ServerBidiReactor<pb::PeerPacket, pb::PeerGreeting> {
 public:
  explicit Stream(InboundService* service) : service_(*service) {
    service_.StreamBegan();
    StartRead(&packet_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
    } else if (absl::Status taken = seat_ == nullptr ? Greet() : HandOver(); !taken.ok()) {
      Finish(ToGrpc(taken));
    } else {
      StartRead(&packet_);
    }
  }

  void OnDone() override {
    if (seat_ != nullptr) {
      std::lock_guard lock(seat_->mutex);
      if (seat_->holder == this) seat_->holder = nullptr;
    }
    InboundService& service = service_;
    delete this;
    service.StreamEnded();
  }

  absl::Status Greet() {
    const PeerIdentity self = service_.self_();
    const pb::PeerGreeting& greeting = packet_.greeting();
    if (absl::Status fits = CheckGreeting(self, greeting); !fits.ok()) {
      service_.LogRefusal(NodeId(greeting.from()), fits);
      return fits;
    }
    from_ = NodeId(greeting.from());
    kind_ = static_cast<StreamKind>(greeting.stream());
    seat_ = service_.TakeSeat({from_, kind_}, this);
    if (seat_ == nullptr) return absl::UnavailableError("this node is stopping");
    answer_ = MakeGreeting(self, from_, kind_);
    StartWrite(&answer_);
    return absl::OkStatus();
  }

  absl::Status HandOver() {
    std::lock_guard lock(seat_->mutex);
    for (pb::ClassedFrame& frame : *packet_.mutable_frames()) {
      if (seat_->closed) return absl::UnavailableError("this node is stopping");
      if (seat_->holder != this) return absl::AbortedError("a newer stream took its place");
      if (!IsFrameClass(frame.frame_class()) ||
          StreamOf(static_cast<FrameClass>(frame.frame_class())) != kind_) {
        return absl::InvalidArgumentError("a frame of an unknown class");
      }
      service_.receiver_(from_, static_cast<FrameClass>(frame.frame_class()),
                         std::move(*frame.mutable_bytes()));
    }
    return absl::OkStatus();
  }

  InboundService& service_;
  pb::PeerPacket packet_;
  pb::PeerGreeting answer_;
  NodeId from_;                            // once greeted
  StreamKind kind_ = StreamKind::kUrgent;  // once greeted
  std::shared_ptr<Seat> seat_;             // null until greeted
};

grpc::ServerBidiReactor<pb::PeerPacket, pb::PeerGreeting>* InboundService::Connect(
    grpc::CallbackServerContext*) {
  return new Stream(this);
}

std::shared_ptr<InboundService::Seat> InboundService::TakeSeat(const SeatKey& key, Stream* stream) {
  std::shared_ptr<Seat> seat;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return nullptr;
    refused_.erase(key.first);
    std::shared_ptr<Seat>& slot = seats_[key];
    if (slot == nullptr) slot = std::make_shared<Seat>();
    seat = slot;
  }
  std::lock_guard lock(seat->mutex);
  seat->holder = stream;
  return seat;
}

void InboundService::LogRefusal(const NodeId& from, const absl::Status& why) {
  const std::string text(why.message().data(), why.message().size());
  {
    std::lock_guard lock(mutex_);
    constexpr size_t kRemembered = 64;  // names come from whoever connects
    if (refused_.size() >= kRemembered && !refused_.contains(from)) refused_.clear();
    std::string& last = refused_[from];
    if (last == text) return;
    last = text;
  }
  log_.Warn("refused a peer", {{"peer", from.value}, {"error", text}});
}

void InboundService::Close() {
  std::map<SeatKey, std::shared_ptr<Seat>> seats;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    seats = seats_;
  }
  for (const auto& [key, seat] : seats) {
    std::lock_guard lock(seat->mutex);
    seat->closed = true;
  }
}

void InboundService::WaitUntilIdle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return streams_ == 0; });
}

void InboundService::StreamBegan() {
  std::lock_guard lock(mutex_);
  ++streams_;
}

void InboundService::StreamEnded() {
  std::lock_guard lock(mutex_);
  --streams_;
  idle_.notify_all();
}

}  // namespace scheduled::peer
