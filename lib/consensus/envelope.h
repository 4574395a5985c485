// What nodes put around and beside the messages of Raft in frames: the cluster that the
// sender belongs to, and the few messages of the host itself. Every frame has it, the application's
// too: a transport's own check of the cluster passes a node that belongs to none yet, and the
// connection outlives that. Pure functions.
//
// A frame is its content and a trailer of 17 bytes (behind it, so that a large content is not
// moved):
//
//   content         kRaft: a frame of raft/codec.h
//                   kAskData: u64 disk id of the sender
//                   kTellData: u64 disk id of the sender, u8 1 if it has data
//                   kCutHint: u64 index; every member has the log through it
//                   kSnapshotOffer: u64 term · u64 disk id of the sender · a manifest of
//                     storage/snapshot_container.h
//                   kSnapshotPiece: a piece of the same
//                   kSnapshotProgress: u64 snapshot id · u32 file · u64 offset · u8 1 to resume
//                   kApplication: the application's own
//   cluster id      16 bytes; zeros: the sender belongs to none yet
//   u8              kind
#ifndef SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_
#define SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raft/configuration.h"
#include "scheduled/transport.h"
#include "scheduled/types.h"
#include "storage/snapshot_container.h"

namespace scheduled {

inline constexpr size_t kClusterIdBytes = 16;

// Of what is put behind a content.
inline constexpr size_t kEnvelopeTrailerBytes = kClusterIdBytes + 1;

enum class EnvelopeKind : uint8_t {
  kRaft = 1,
  kAskData = 2,
  kTellData = 3,
  kCutHint = 4,
  kSnapshotOffer = 5,
  kSnapshotPiece = 6,
  kSnapshotProgress = 7,
  kApplication = 8,
};

// No larger content stands before a heartbeat on the stream that they share.
inline constexpr size_t kMaxUrgentBytes = size_t{256} << 10;
// The class that a content travels in, and is taken from.
FrameClass ClassOf(EnvelopeKind kind, size_t content_bytes);

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

// The leader that offers a snapshot.
struct SnapshotSource {
  Term term;
  raft::DiskId disk;
};
struct SnapshotOffer {
  SnapshotSource source;
  SnapshotManifest manifest;
};
std::string EncodeSnapshotOffer(const SnapshotSource& source, const SnapshotManifest& manifest);
std::optional<SnapshotOffer> DecodeSnapshotOffer(std::string_view content);

// How far the receiver has come; see snapshot_transfer.h.
struct SnapshotProgress {
  SnapshotId id;
  SnapshotPlace place;
  bool resume = false;
};
std::string EncodeSnapshotProgress(const SnapshotProgress& progress);
std::optional<SnapshotProgress> DecodeSnapshotProgress(std::string_view content);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_ENVELOPE_H_
