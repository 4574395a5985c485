// One of the two streams from this node to one peer, for as long as both exist: it connects,
// greets, sends what is queued, and after an end tries again with growing pauses. Frames go out on
// it only; those of the peer come in on the peer's own streams (inbound_service.h).
//
//   state      frames       event                    next        done by
//   waiting    dropped      its pause is over        connecting  Dial
//   connecting dropped      greeting fits            open        Greeted
//                           greeting does not, end   waiting     StreamEnded
//   open       queued       end, error               waiting     StreamEnded
//   closed     dropped      none                     closed      Close
#ifndef SCHEDULED_LIB_TRANSPORT_GRPC_PEER_LINK_H_
#define SCHEDULED_LIB_TRANSPORT_GRPC_PEER_LINK_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/logger.h"
#include "scheduled/transport.h"
#include "transport/grpc/alarm_thread.h"
#include "transport/grpc/greeting.h"
#include "transport/grpc/outbound_queue.h"

namespace scheduled::peer {

// What all links of a transport share; outlives them.
struct LinkContext {
  std::function<PeerIdentity()> self;  // with the cluster id of now
  AlarmThread* alarms = nullptr;
  Logger log;
  absl::Duration max_backoff;
};

// Thread-safe. Held by the transport, by its stream and by its pending alarm.
class PeerLink : public std::enable_shared_from_this<PeerLink> {
 public:
  PeerLink(LinkContext* context, NodeId peer, std::string address, StreamKind kind);
  ~PeerLink();

  // Connects for the first time. Called once.
  void Open();
  // Ends the stream and never connects again. gRPC may still be calling it afterwards, until Gone.
  void Close();
  bool Gone();
  void WaitUntilGone();

  void Send(FrameClass frame_class, std::string frame);

  const std::string& address() const { return address_; }

 private:
  class Stream;
  enum class AfterWrite { kWriteAgain, kNothing, kRelease };

  void DialAfter(absl::Duration delay);
  void Dial();

  // What the stream has to tell, from a thread of gRPC. Greeted: whether to go on. ReadEnded: the
  // stream will end; true if no write holds it up. WriteEnded: what to do next, with the next
  // packet filled in for kWriteAgain.
  bool Greeted(const pb::PeerGreeting& greeting);
  bool ReadEnded();
  AfterWrite WriteEnded(bool ok, pb::PeerPacket* packet);
  void StreamEnded(std::shared_ptr<Stream> stream, const absl::Status& status);

  // To be logged; nothing if it was the last time. mutex_ held.
  std::optional<std::string> NewComplaint(const absl::Status& why);

  LinkContext& context_;
  const NodeId peer_;
  const std::string address_;
  const StreamKind kind_;

  std::mutex mutex_;  // guards all below
  std::condition_variable gone_;
  std::shared_ptr<Stream> stream_;  // while connecting or open
  bool open_ = false;
  bool closed_ = false;
  bool writing_ = false;  // a write is under way, or about to be: the stream lives on meanwhile
  bool broken_ = false;   // stream_ will end: no write may begin
  absl::Status refusal_;  // why the peer's greeting did not fit, if it did not
  absl::Duration backoff_;
  std::string last_complaint_;  // what was logged last, so that it is said once
  OutboundQueue queue_;
};

}  // namespace scheduled::peer

#endif  // SCHEDULED_LIB_TRANSPORT_GRPC_PEER_LINK_H_
