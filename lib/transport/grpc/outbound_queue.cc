// See outbound_queue.h.
#include "transport/grpc/outbound_queue.h"

#include <utility>

#include "base/assert.h"

namespace scheduled::peer {

bool OutboundQueue::Push(FrameClass frame_class, std::string frame) {
  Waiting& waiting = classes_.at(static_cast<size_t>(frame_class) - 1);
  const size_t weight = frame.size() + kFrameOverheadBytes;
  const bool reserve = frame_class == FrameClass::kConsensus && frame.size() <= kSmallFrameBytes;
  const size_t most = kMaxQueuedBytes + (reserve ? kSmallFrameReserve : 0);
  if (waiting.bytes + weight > most) return false;
  waiting.bytes += weight;
  waiting.frames.push_back(std::move(frame));
  return true;
}

bool OutboundQueue::empty() const {
  for (const Waiting& waiting : classes_) {
    if (!waiting.frames.empty()) return false;
  }
  return true;
}

void OutboundQueue::Fill(pb::PeerPacket* packet) {
  SCHEDULED_ASSERT(!empty(), "a packet carries at least one frame");
  packet->Clear();
  size_t bytes = 0;
  for (size_t c = 0; c < classes_.size(); ++c) {
    Waiting& waiting = classes_[c];
    while (!waiting.frames.empty() && packet->frames_size() < kGatherFrames) {
      std::string& frame = waiting.frames.front();
      if (bytes > 0 && bytes + frame.size() > kGatherBytes) return;
      bytes += frame.size();
      waiting.bytes -= frame.size() + kFrameOverheadBytes;
      pb::ClassedFrame* out = packet->add_frames();
      out->set_frame_class(static_cast<uint32_t>(c + 1));
      out->set_bytes(std::move(frame));
      waiting.frames.pop_front();
    }
  }
}

void OutboundQueue::Clear() { classes_ = {}; }

}  // namespace scheduled::peer
