// Peer messages to frames of the transport and back (proto/peer.proto describes the frames). Total:
// any bytes decode to a message or to an error, and what decodes is within the bounds below. Pure;
// any thread.
#ifndef SCHEDULED_LIB_SCHEDULER_PEER_CODEC_H_
#define SCHEDULED_LIB_SCHEDULER_PEER_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "scheduler/messages.h"

namespace scheduled {

inline constexpr uint32_t kPeerFrameVersion = 1;
inline constexpr size_t kRequestIdBytes = 16;
// An outcome's job id and record: texts of 64, 1,024 and 1,024 bytes, names, numbers.
inline constexpr size_t kMaxOutcomeBytes = 4096;

std::string EncodePeerMessage(const PeerMessage& message);

// kInvalidArgument: cut, damaged, of another version, without a body, or with a part that no
// encoder makes: no term, a message without a number, an unknown status or verdict, a definition
// that does not parse, a request that is not a client's.
absl::StatusOr<PeerMessage> DecodePeerMessage(std::string_view frame);

// True for the commands that a client's request can be; the leader makes all others itself.
bool IsClientCommand(const pb::Command& command);

pb::RunRef ToRunRef(const RunKey& key);
RunKey FromRunRef(const pb::RunRef& ref);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_PEER_CODEC_H_
