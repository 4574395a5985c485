// The wire form of messages, and the byte form of what the core stores. Decoding is total: any
// bytes give a value or an error, never more memory than the input justifies. The formats are
// described at the head of codec.cc and in frame.h. Pure functions; no lane.
#ifndef SCHEDULED_LIB_RAFT_CODEC_H_
#define SCHEDULED_LIB_RAFT_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/shared_buffer.h"
#include "raft/messages.h"

namespace scheduled::raft {

// No frame is larger, so that no append stands before a heartbeat for long.
inline constexpr size_t kMaxFrameBytes = 256 * 1024;
// The largest entry, and so the largest message: one entry of this size travels alone, in several
// frames.
inline constexpr size_t kMaxEntryBytes = 4 * 1024 * 1024;
inline constexpr size_t kMaxMessageBytes = kMaxEntryBytes + 64 * 1024;

// One whole message with version and checksum.
std::string EncodeMessage(const Message& message);
// Entries of the result are slices of `bytes`. kDataLoss: not a message that EncodeMessage wrote;
// kUnimplemented: one of a newer version.
absl::StatusOr<Message> DecodeMessage(const SharedBuffer& bytes);

// The form of a configuration in an entry of kind kConfiguration, and in snapshots.
std::string EncodeConfiguration(const Configuration& configuration);
absl::StatusOr<Configuration> DecodeConfiguration(std::string_view bytes);

std::string EncodeHardState(const HardState& state);
absl::StatusOr<HardState> DecodeHardState(std::string_view bytes);

std::string EncodeSnapshotMeta(const SnapshotMeta& meta);
absl::StatusOr<SnapshotMeta> DecodeSnapshotMeta(std::string_view bytes);

// Appends the frames of `message` to `frames`: one, or for a message larger than a frame as many as
// it takes. `sequence` tells the pieces of one message from another's: the sender counts it up with
// every call towards one peer.
void EncodeFrames(const Message& message, uint64_t sequence, std::vector<std::string>* frames);

// Puts the frames of one peer together again. Holds at most one incomplete message; frames of
// another message, and gaps, drop it: to lose a piece is to lose the message, which Raft bears. One
// for each peer and stream, used by one thread at a time.
class FrameAssembler {
 public:
  // A message, or nothing yet; an error for bytes that are no frame (the connection is to be
  // closed), after which the assembler is empty and usable.
  absl::StatusOr<std::optional<Message>> Add(std::string frame);

 private:
  static absl::StatusOr<std::optional<Message>> Decode(std::string whole);
  void Drop();

  uint64_t sequence_ = 0;
  uint32_t next_piece_ = 0;  // 0: no incomplete message
  uint32_t pieces_ = 0;
  std::string gathered_;
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_CODEC_H_
