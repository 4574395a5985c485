// See peer_link.h. Everything here runs on threads of gRPC or the alarm thread, under one mutex.
#include "transport/grpc/peer_link.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "proto/transport_service.grpc.pb.h"

namespace scheduled::peer {
namespace {

constexpr absl::Duration kMinBackoff = absl::Milliseconds(10);
constexpr int kConnectTimeoutMs = 1000;
// Heartbeats of Raft notice a dead peer sooner; this ends the connection below them, so that a new
// one is made.
constexpr int kKeepaliveMs = 2000;

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status ToAbsl(const grpc::Status& status) {
  const std::string& message = status.error_message();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::string_view(message.data(), message.size()));
}

}  // namespace

// One connection and the stream on it. It keeps itself alive until gRPC is done with it; the hold
// keeps gRPC from being done while a write may yet be started.
class PeerLink::Stream final : public grpc::ClientBidiReactor<pb::PeerPacket, pb::PeerGreeting> {
 public:
  Stream(std::shared_ptr<PeerLink> link, const std::string& address)
      : link_(std::move(link)),
        channel_(NewChannel(address)),
        stub_(pb::PeerTransport::NewStub(channel_)) {}

  void Begin(std::shared_ptr<Stream> self, const pb::PeerGreeting& greeting) {
    self_ = std::move(self);
    stub_->async()->Connect(&context_, this);
    AddHold();
    *packet_.mutable_greeting() = greeting;
    StartWrite(&packet_);
    StartRead(&greeting_);
    StartCall();
  }

  void Write() { StartWrite(&packet_); }
  pb::PeerPacket* packet() { return &packet_; }
  void Cancel() { context_.TryCancel(); }

 private:
  // The first read brings the peer's greeting; the second waits for the end of the stream.
  void OnReadDone(bool ok) override {
    if (!ok) {
      if (link_->ReadEnded()) RemoveHold();
      return;
    }
    const bool welcome = !greeted_ && link_->Greeted(greeting_);
    greeted_ = true;
    if (!welcome) context_.TryCancel();
    StartRead(&greeting_);
  }

  void OnWriteDone(bool ok) override {
    switch (link_->WriteEnded(ok, &packet_)) {
      case AfterWrite::kWriteAgain:
        StartWrite(&packet_);
        return;
      case AfterWrite::kRelease:
        RemoveHold();
        return;
      case AfterWrite::kNothing:
        return;
    }
  }

  void OnDone(const grpc::Status& status) override {
    std::shared_ptr<PeerLink> link = std::move(link_);
    link->StreamEnded(std::move(self_), ToAbsl(status));
  }

  std::shared_ptr<PeerLink> link_;
  std::shared_ptr<Stream> self_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::PeerTransport::Stub> stub_;
  grpc::ClientContext context_;
  pb::PeerPacket packet_;
  pb::PeerGreeting greeting_;
  bool greeted_ = false;
};

PeerLink::PeerLink(LinkContext* context, NodeId peer, std::string address, StreamKind kind)
    : context_(*context),
      peer_(std::move(peer)),
      address_(std::move(address)),
      kind_(kind),
      backoff_(kMinBackoff) {}

PeerLink::~PeerLink() { SCHEDULED_ASSERT(stream_ == nullptr, "a link outlives its stream"); }

void PeerLink::Open() { DialAfter(absl::ZeroDuration()); }

void PeerLink::Close() {
  std::shared_ptr<Stream> stream;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    open_ = false;
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel();
}

bool PeerLink::Gone() {
  std::lock_guard lock(mutex_);
  return closed_ && stream_ == nullptr;
}

void PeerLink::WaitUntilGone() {
  std::unique_lock lock(mutex_);
  gone_.wait(lock, [this] { return closed_ && stream_ == nullptr; });
}

void PeerLink::Send(FrameClass frame_class, std::string frame) {
  std::shared_ptr<Stream> stream;
  {
    std::lock_guard lock(mutex_);
    if (!open_ || broken_ || !queue_.Push(frame_class, std::move(frame)) || writing_) return;
    writing_ = true;
    stream = stream_;
    queue_.Fill(stream->packet());
  }
  stream->Write();
}

void PeerLink::DialAfter(absl::Duration delay) {
  context_.alarms->After(delay, [self = shared_from_this()] { self->Dial(); });
}

void PeerLink::Dial() {
  auto stream = std::make_shared<Stream>(shared_from_this(), address_);
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    stream_ = stream;
    broken_ = false;
    writing_ = true;  // the greeting
    refusal_ = absl::OkStatus();
  }
  stream->Begin(stream, MakeGreeting(context_.self(), peer_, kind_));
}

bool PeerLink::Greeted(const pb::PeerGreeting& greeting) {
  absl::Status fits = CheckGreeting(context_.self(), greeting);
  if (fits.ok() && greeting.from() != peer_.value) {
    fits = absl::FailedPreconditionError("the node at this address is '" + greeting.from() + "'");
  }
  {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    if (!fits.ok()) {
      refusal_ = fits;
      return false;
    }
    open_ = true;
    backoff_ = kMinBackoff;
    last_complaint_.clear();
  }
  context_.log.Info("connected to a peer", {{"peer", peer_.value},
                                            {"address", address_},
                                            {"stream", StreamName(kind_)},
                                            {"feature_level", greeting.feature_level()}});
  return true;
}

bool PeerLink::ReadEnded() {
  std::lock_guard lock(mutex_);
  broken_ = true;
  queue_.Clear();
  return !writing_;
}

PeerLink::AfterWrite PeerLink::WriteEnded(bool ok, pb::PeerPacket* packet) {
  std::lock_guard lock(mutex_);
  if (broken_) {
    writing_ = false;
    return AfterWrite::kRelease;
  }
  if (!ok || queue_.empty()) {
    // After a failed write the read fails as well, and ends the stream.
    if (!ok) broken_ = true;
    writing_ = false;
    return AfterWrite::kNothing;
  }
  queue_.Fill(packet);
  return AfterWrite::kWriteAgain;
}

// The log may stand still: whoever sends must not wait for it.
void PeerLink::StreamEnded(std::shared_ptr<Stream> stream, const absl::Status& status) {
  bool was_open = false;
  std::optional<std::string> complaint;
  {
    std::lock_guard lock(mutex_);
    broken_ = true;
    was_open = std::exchange(open_, false);
    queue_.Clear();
    if (!closed_) complaint = NewComplaint(refusal_.ok() ? status : refusal_);
  }
  if (complaint) {
    context_.log.Warn(was_open ? "lost a peer" : "cannot connect to a peer; will try again",
                      {{"peer", peer_.value},
                       {"address", address_},
                       {"stream", StreamName(kind_)},
                       {"error", *complaint}});
  }
  std::lock_guard lock(mutex_);
  stream_ = nullptr;
  if (!closed_) {
    if (!refusal_.ok() || absl::IsFailedPrecondition(status)) backoff_ = context_.max_backoff;
    DialAfter(backoff_);
    backoff_ = std::min(backoff_ * 2, context_.max_backoff);
  }
  // The stream and its channel must not die inside of their own callback.
  context_.alarms->After(absl::ZeroDuration(), [stream = std::move(stream)] {});
  gone_.notify_all();
}

std::optional<std::string> PeerLink::NewComplaint(const absl::Status& why) {
  std::string text(why.message().data(), why.message().size());
  if (text == last_complaint_) return std::nullopt;
  last_complaint_ = text;
  return text;
}

}  // namespace scheduled::peer
