// What waits to be sent on one stream: a bounded queue for each class of frames. Consensus goes
// first, so that a burst of the application's frames never stands before a heartbeat. Within a
// class frames keep their order: a leader takes the answer to a heartbeat for a sign that the
// appends before it have arrived or are lost, and would send them again if it overtook them. Not
// thread-safe: its link's lock guards it.
#ifndef SCHEDULED_LIB_TRANSPORT_GRPC_OUTBOUND_QUEUE_H_
#define SCHEDULED_LIB_TRANSPORT_GRPC_OUTBOUND_QUEUE_H_

#include <array>
#include <deque>
#include <string>

#include "proto/transport_service.pb.h"
#include "scheduled/transport.h"

namespace scheduled::peer {

// Of each class; a frame beyond it is dropped. Each frame weighs its bytes and what it costs to
// keep.
inline constexpr size_t kMaxQueuedBytes = size_t{8} << 20;
inline constexpr size_t kFrameOverheadBytes = 64;
// Of consensus, small frames have this much more: a window of appends fills the queue by itself,
// and is not to cost the heartbeats, votes and answers behind it.
inline constexpr size_t kSmallFrameBytes = size_t{4} << 10;
inline constexpr size_t kSmallFrameReserve = size_t{256} << 10;
// Small frames that wait are sent as one message up to here.
inline constexpr size_t kGatherBytes = size_t{256} << 10;
inline constexpr int kGatherFrames = 1024;
// A message is a whole frame of the largest size, or gathered smaller ones, and what is around it.
inline constexpr size_t kMaxPacketBytes = kMaxQueuedBytes + kGatherBytes + (size_t{64} << 10);

class OutboundQueue {
 public:
  // False: the class is full, and the frame is dropped.
  bool Push(FrameClass frame_class, std::string frame);
  bool empty() const;
  // Moves what goes out next into `packet`. Precondition: not empty.
  void Fill(pb::PeerPacket* packet);
  void Clear();

 private:
  struct Waiting {
    std::deque<std::string> frames;
    size_t bytes = 0;
  };

  std::array<Waiting, 3> classes_;  // by class, kConsensus first
};

}  // namespace scheduled::peer

#endif  // SCHEDULED_LIB_TRANSPORT_GRPC_OUTBOUND_QUEUE_H_
