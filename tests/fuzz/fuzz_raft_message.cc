// Feeds the decoders of what replicas send and the core stores. No input may crash one, ask for
// memory that it does not justify, or be accepted and then mean something else when it is encoded
// and decoded again.
//
// Input: 1 byte chooses the decoder. A body or a piece is given a head with its right checksum, or
// nothing behind that would ever be reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "raft/codec.h"
#include "raft/frame.h"

namespace scheduled::raft {
namespace {

std::string Framed(FrameForm form, std::string_view rest) {
  std::string frame;
  BeginFrame(form, &frame);
  frame.append(rest);
  FinishFrame(&frame);
  return frame;
}

void CheckMessage(const Message& message) {
  const std::string encoded = EncodeMessage(message);
  const absl::StatusOr<Message> again = DecodeMessage(SharedBuffer(encoded));
  SCHEDULED_ASSERT(again.ok(), "what is encoded is decoded");
  SCHEDULED_ASSERT(EncodeMessage(*again) == encoded, "a message has one meaning");
  (void)IsWellFormed(message);
}

void FuzzMessage(std::string_view bytes) {
  if (auto message = DecodeMessage(SharedBuffer(std::string(bytes))); message.ok()) {
    CheckMessage(*message);
  }
}

// The input, cut at each byte 0xff, as the frames of one peer.
void FuzzPieces(std::string_view input) {
  FrameAssembler assembler;
  while (!input.empty()) {
    const size_t end = std::min(input.find('\xff'), input.size());
    auto message = assembler.Add(Framed(FrameForm::kPiece, input.substr(0, end)));
    if (message.ok() && message->has_value()) CheckMessage(**message);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
}

void FuzzStored(std::string_view bytes) {
  if (auto decoded = DecodeConfiguration(bytes); decoded.ok()) {
    SCHEDULED_ASSERT(decoded->IsWellFormed(), "a configuration that is accepted makes sense");
    const auto again = DecodeConfiguration(EncodeConfiguration(*decoded));
    SCHEDULED_ASSERT(again.ok() && *again == *decoded, "a configuration has one meaning");
  }
  if (auto decoded = DecodeHardState(bytes); decoded.ok()) {
    const auto again = DecodeHardState(EncodeHardState(*decoded));
    SCHEDULED_ASSERT(again.ok() && *again == *decoded, "a hard state has one meaning");
  }
  if (auto decoded = DecodeSnapshotMeta(bytes); decoded.ok()) {
    const auto again = DecodeSnapshotMeta(EncodeSnapshotMeta(*decoded));
    SCHEDULED_ASSERT(again.ok() && *again == *decoded, "a snapshot's description has one meaning");
  }
}

}  // namespace
}  // namespace scheduled::raft

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scheduled::raft;
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      FuzzMessage(input);
      break;
    case 1:
      FuzzMessage(Framed(FrameForm::kWhole, input));
      break;
    case 2:
      FuzzPieces(input);
      break;
    default:
      FuzzStored(input);
      break;
  }
  return 0;
}
