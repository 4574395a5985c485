// Heads of frames, and messages in pieces. The format is described in frame.h.
#include "raft/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "raft/codec.h"

namespace scheduled::raft {
namespace {

constexpr uint8_t kFrameVersion = 1;
constexpr size_t kPieceBytes = kMaxFrameBytes - kPieceHeadBytes;
constexpr size_t kMaxPieces = (kMaxMessageBytes + kPieceBytes - 1) / kPieceBytes;

}  // namespace

void BeginFrame(FrameForm form, std::string* out) {
  SCHEDULED_ASSERT(out->empty(), "a frame begins with its head");
  AppendU8(out, kFrameVersion);
  AppendU8(out, static_cast<uint8_t>(form));
  AppendU64(out, 0);
}

void FinishFrame(std::string* out) {
  std::string sum;
  AppendU64(&sum, Checksum64(std::string_view(*out).substr(kFrameHeadBytes)));
  out->replace(2, 8, sum);
}

absl::StatusOr<Frame> OpenFrame(std::string_view bytes) {
  KeyReader in(bytes);
  uint8_t version = 0;
  uint8_t form = 0;
  uint64_t sum = 0;
  if (!in.U8(&version)) return absl::DataLossError("raft: a frame is empty");
  if (version != kFrameVersion) {
    return absl::UnimplementedError(absl::StrCat("raft: a frame of version ", version,
                                                 "; this program knows version ", kFrameVersion));
  }
  if (!in.U8(&form) || !in.U64(&sum)) return absl::DataLossError("raft: a frame is cut short");
  if (form < static_cast<uint8_t>(FrameForm::kWhole) ||
      form > static_cast<uint8_t>(FrameForm::kPiece)) {
    return absl::DataLossError("raft: a frame has no known form");
  }
  if (Checksum64(in.rest()) != sum) {
    return absl::DataLossError("raft: a frame does not agree with its checksum");
  }
  return Frame{static_cast<FrameForm>(form), in.rest()};
}

void EncodeFrames(const Message& message, uint64_t sequence, std::vector<std::string>* frames) {
  std::string whole = EncodeMessage(message);
  if (whole.size() <= kMaxFrameBytes) {
    frames->push_back(std::move(whole));
    return;
  }
  SCHEDULED_ASSERT(whole.size() <= kMaxMessageBytes, "appends are bounded");
  const size_t pieces = (whole.size() + kPieceBytes - 1) / kPieceBytes;
  for (size_t i = 0; i < pieces; ++i) {
    std::string frame;
    frame.reserve(std::min(kMaxFrameBytes, kPieceHeadBytes + whole.size() - i * kPieceBytes));
    BeginFrame(FrameForm::kPiece, &frame);
    AppendU64(&frame, sequence);
    AppendU32(&frame, static_cast<uint32_t>(i));
    AppendU32(&frame, static_cast<uint32_t>(pieces));
    frame.append(whole, i * kPieceBytes, kPieceBytes);
    FinishFrame(&frame);
    frames->push_back(std::move(frame));
  }
}

absl::StatusOr<std::optional<Message>> FrameAssembler::Add(std::string frame) {
  auto opened = OpenFrame(frame);
  if (!opened.ok()) {
    Drop();
    return opened.status();
  }
  if (opened->form == FrameForm::kWhole) return Decode(std::move(frame));
  KeyReader in(opened->rest);
  uint64_t sequence = 0;
  uint32_t piece = 0;
  uint32_t pieces = 0;
  if (!in.U64(&sequence) || !in.U32(&piece) || !in.U32(&pieces) || piece >= pieces ||
      pieces > kMaxPieces || in.rest().size() > kPieceBytes) {
    Drop();
    return absl::DataLossError("raft: a piece of a message is out of range");
  }
  if (piece == 0) {
    Drop();
    sequence_ = sequence;
    pieces_ = pieces;
  } else if (piece != next_piece_ || sequence != sequence_ || pieces != pieces_) {
    Drop();  // a piece before it was lost, and the message with it
    return std::nullopt;
  }
  gathered_.append(in.rest());
  next_piece_ = piece + 1;
  if (next_piece_ < pieces_) return std::nullopt;
  std::string whole = std::move(gathered_);
  Drop();
  return Decode(std::move(whole));
}

absl::StatusOr<std::optional<Message>> FrameAssembler::Decode(std::string whole) {
  auto message = DecodeMessage(SharedBuffer(std::move(whole)));
  if (!message.ok()) return message.status();
  return std::optional<Message>(*std::move(message));
}

void FrameAssembler::Drop() {
  next_piece_ = 0;
  pieces_ = 0;
  gathered_ = std::string();
}

}  // namespace scheduled::raft
