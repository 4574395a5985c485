// The port between nodes: moves opaque frames, each of one class, to a named peer. It promises
// little, and everything above is written for that: a frame may be lost, come twice or late. It is
// never cut or damaged, and frames of one class between two nodes mostly keep their order.
#ifndef SCHEDULED_TRANSPORT_H_
#define SCHEDULED_TRANSPORT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "scheduled/types.h"

namespace scheduled {

// What a frame is for, so that no large one stands before a heartbeat.
enum class FrameClass : uint8_t {
  kConsensus = 1,    // votes, heartbeats, reads, appends: at most 256 KiB a frame
  kBulk = 2,         // snapshots, and what of the application's is larger than 256 KiB
  kApplication = 3,  // session channels and forwarded requests
};

// Who a process says it is when it connects, and who it expects there. A peer with another cluster
// id is refused; an empty cluster id (a node without data) is accepted by both sides.
struct PeerIdentity {
  NodeId node;
  std::string cluster_id;  // 16 bytes, or empty before the node belongs to a cluster
  uint32_t wire_version = 1;
  uint32_t feature_level = 1;
};

class Transport {
 public:
  // Called for each frame that arrives, from the transport's own threads, frames of one peer and
  // class one at a time. Must not block.
  using Receiver = std::function<void(const NodeId& from, FrameClass, std::string frame)>;

  virtual ~Transport() = default;  // implies Stop

  // Begins to listen and to connect. Called once. kUnavailable: the address is in use.
  virtual absl::Status Start(PeerIdentity self, Receiver receiver) = 0;
  // After it returns the receiver is not called again. Idempotent.
  virtual void Stop() = 0;

  // The peers to be connected to, by name; replaces the earlier set. The own name is ignored.
  virtual void SetPeers(const std::map<NodeId, std::string>& addresses) = 0;
  // The cluster that this node has come to belong to; used in later handshakes.
  virtual void SetClusterId(std::string cluster_id) = 0;

  // Sends if the peer is connected, drops the frame if not or if the peer's queue is full (8 MiB
  // for each class; a little more for small frames of kConsensus, so that appends never cost the
  // heartbeats). Never blocks. Thread-safe.
  virtual void Send(const NodeId& to, FrameClass frame_class, std::string frame) = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_TRANSPORT_H_
