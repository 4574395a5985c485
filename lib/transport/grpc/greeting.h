// The handshake between peers, as a pure function: each side looks at what the other says of itself
// and goes on, or refuses with a sentence that an operator can act on. Both sides use it.
#ifndef SCHEDULED_LIB_TRANSPORT_GRPC_GREETING_H_
#define SCHEDULED_LIB_TRANSPORT_GRPC_GREETING_H_

#include "absl/status/status.h"
#include "proto/transport_service.pb.h"
#include "scheduled/transport.h"

namespace scheduled::peer {

// Which of the two streams between a pair of nodes.
enum class StreamKind : uint32_t { kUrgent = 1, kBulk = 2 };
inline StreamKind StreamOf(FrameClass frame_class) {
  return frame_class == FrameClass::kBulk ? StreamKind::kBulk : StreamKind::kUrgent;
}
std::string_view StreamName(StreamKind kind);

pb::PeerGreeting MakeGreeting(const PeerIdentity& self, const NodeId& to, StreamKind kind);

// Whether `self` may talk to whoever greets so. FAILED_PRECONDITION: it may not, and why. Feature
// levels may differ by one, which is what a rolling upgrade needs.
absl::Status CheckGreeting(const PeerIdentity& self, const pb::PeerGreeting& greeting);

}  // namespace scheduled::peer

#endif  // SCHEDULED_LIB_TRANSPORT_GRPC_GREETING_H_
