// What nodes put around and beside the messages of Raft in frames of FrameClass::kConsensus: the
// cluster that the sender belongs to, and the few messages of the host itself. Pure functions.
//
// A frame is its content and a trailer of 17 bytes (behind it, so that a large content is not
// moved):
//
//   content         kRaft: a frame of raft/codec.h
//                   kAskData: u64 disk id of the sender
//                   kTellData: u64 disk id of the sender, u8 1 if it has data
//                   kCutHint: u64 index; every member has the log through it
//   cluster id      16 bytes; zeros: the sender belongs to none yet
//   u8              kind
#ifndef SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_
#define SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raft/configuration.h"
#include "scheduled/types.h"

namespace scheduled {

inline constexpr size_t kClusterIdBytes = 16;

enum class EnvelopeKind : uint8_t { kRaft = 1, kAskData = 2, kTellData = 3, kCutHint = 4 };

// `cluster_id` has 16 bytes or none.
void Seal(EnvelopeKind kind, std::string_view cluster_id, std::string* content);

struct Opened {
  EnvelopeKind kind = EnvelopeKind::kRaft;
  std::string cluster_id;  // 16 bytes or none
};
// Takes the trailer off `frame`. Nothing: no frame of this version.
std::optional<Opened> Unseal(std::string* frame);

std::string EncodeAskData(raft::DiskId disk);
std::optional<raft::DiskId> DecodeAskData(std::string_view content);

struct TellData {
  raft::DiskId disk;
  bool has_data = false;
};
std::string EncodeTellData(const TellData& answer);
std::optional<TellData> DecodeTellData(std::string_view content);

std::string EncodeCutHint(LogIndex through);
std::optional<LogIndex> DecodeCutHint(std::string_view content);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_
