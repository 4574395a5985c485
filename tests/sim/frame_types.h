// What a frame between simulated nodes says, by looking into it: for faults that hit messages of
// one type, and for checks of what was promised to peers.
#ifndef SCHEDULED_TESTS_SIM_FRAME_TYPES_H_
#define SCHEDULED_TESTS_SIM_FRAME_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raft/messages.h"
#include "scheduled/transport.h"

namespace scheduled::sim {

// Raft's own in the order of raft::MessageBody.
enum class FrameType : uint8_t {
  kVoteRequest,
  kVoteReply,
  kAppendRequest,  // any piece of one
  kAppendReply,
  kHeartbeat,
  kHeartbeatReply,
  kReadRequest,
  kReadReply,
  kTimeoutNow,
  kSnapshotRequest,
  kSnapshotReply,
  kOther,  // of the host's own
  kApplication,
  kBulk,
};
inline constexpr size_t kFrameTypes = 14;

// Raft's message in a frame of FrameClass::kConsensus; none if it is another, or a piece of one.
std::optional<raft::Message> MessageIn(const std::string& frame);
FrameType TypeOf(FrameClass frame_class, const std::string& frame);
std::string_view FrameTypeName(FrameType type);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_FRAME_TYPES_H_
