// The head that every frame between replicas begins with. Internal to the codec.
//
//   u8 version (1) · u8 form (1 whole, 2 piece) · u64 checksum of all that follows · the rest
//   a piece's rest: u64 sequence · u32 piece (from 0) · u32 pieces · bytes of the whole message
//
// A torn or damaged frame fails its checksum; a frame of another version is not looked into.
#ifndef SCHEDULED_LIB_RAFT_FRAME_H_
#define SCHEDULED_LIB_RAFT_FRAME_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace scheduled::raft {

enum class FrameForm : uint8_t { kWhole = 1, kPiece = 2 };
inline constexpr size_t kFrameHeadBytes = 10;
inline constexpr size_t kPieceHeadBytes = kFrameHeadBytes + 16;

struct Frame {
  FrameForm form = FrameForm::kWhole;
  std::string_view rest;
};

// Appends a head without checksum to an empty `out`; FinishFrame fills it in.
void BeginFrame(FrameForm form, std::string* out);
void FinishFrame(std::string* out);
// kDataLoss: damaged; kUnimplemented: another version. `rest` is a view into `bytes`.
absl::StatusOr<Frame> OpenFrame(std::string_view bytes);

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_FRAME_H_
