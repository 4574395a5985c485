// Where peers connect to: takes their streams, checks their greeting, and hands each frame straight
// to the receiver from the thread of gRPC that read it. A peer that connects anew takes the place
// of its older stream, so that frames of one peer and class come one at a time.
#ifndef SCHEDULED_LIB_TRANSPORT_GRPC_INBOUND_SERVICE_H_
#define SCHEDULED_LIB_TRANSPORT_GRPC_INBOUND_SERVICE_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/logger.h"
#include "proto/transport_service.grpc.pb.h"
#include "scheduled/transport.h"
#include "transport/grpc/greeting.h"

namespace scheduled::peer {

class InboundService final : public pb::PeerTransport::CallbackService {
 public:
  InboundService(std::function<PeerIdentity()> self, Transport::Receiver receiver, Logger log)
      : self_(std::move(self)), receiver_(std::move(receiver)), log_(std::move(log)) {}

  grpc::ServerBidiReactor<pb::PeerPacket, pb::PeerGreeting>* Connect(
      grpc::CallbackServerContext* context) override;

  // Hands over nothing from now on, and waits for what is being handed over. Then the server that
  // carries the service is to be shut down, and WaitUntilIdle.
  void Close();
  // Every stream has ended.
  void WaitUntilIdle();

 private:
  class Stream;
  // Of one peer and kind: the stream that may hand frames over. Its lock is held meanwhile.
  struct Seat {
    std::mutex mutex;
    Stream* holder = nullptr;
    bool closed = false;
  };
  using SeatKey = std::pair<NodeId, StreamKind>;

  void LogRefusal(const NodeId& from, const absl::Status& why);
  std::shared_ptr<Seat> TakeSeat(const SeatKey& key, Stream* stream);
  void StreamBegan();
  void StreamEnded();

  const std::function<PeerIdentity()> self_;
  const Transport::Receiver receiver_;
  const Logger log_;

  std::mutex mutex_;  // guards all below; taken before a seat's
  std::condition_variable idle_;
  std::map<SeatKey, std::shared_ptr<Seat>> seats_;
  std::map<NodeId, std::string> refused_;  // what was logged last, so that it is said once
  bool closed_ = false;
  int streams_ = 0;
};

}  // namespace scheduled::peer

#endif  // SCHEDULED_LIB_TRANSPORT_GRPC_INBOUND_SERVICE_H_
