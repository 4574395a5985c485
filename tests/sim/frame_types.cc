// See frame_types.h.
#include "sim/frame_types.h"

#include <array>
#include <utility>
#include <variant>

#include "consensus/envelope.h"
#include "raft/codec.h"

namespace scheduled::sim {
namespace {

constexpr std::array<std::string_view, kFrameTypes> kFrameNames = {
    "vote requests", "vote replies",      "appends",          "append replies",
    "heartbeats",    "heartbeat replies", "read requests",    "read replies",
    "TimeoutNow",    "snapshot requests", "snapshot replies", "the host's frames",
    "the sessions'", "bulk frames"};
static_assert(std::variant_size_v<raft::MessageBody> == static_cast<size_t>(FrameType::kOther));

}  // namespace

std::optional<raft::Message> MessageIn(const std::string& frame) {
  std::string content = frame;
  const std::optional<Opened> opened = Unseal(&content);
  if (!opened || opened->kind != EnvelopeKind::kRaft) return std::nullopt;
  raft::FrameAssembler assembler;
  auto message = assembler.Add(std::move(content));
  if (!message.ok()) return std::nullopt;
  return *std::move(message);
}

FrameType TypeOf(FrameClass frame_class, const std::string& frame) {
  if (frame_class == FrameClass::kApplication) return FrameType::kApplication;
  if (frame_class == FrameClass::kBulk) return FrameType::kBulk;
  std::string content = frame;
  const std::optional<Opened> opened = Unseal(&content);
  if (!opened || opened->kind != EnvelopeKind::kRaft) return FrameType::kOther;
  const std::optional<raft::Message> message = MessageIn(frame);
  // Only appends are long enough to come in pieces.
  if (!message) return FrameType::kAppendRequest;
  return static_cast<FrameType>(message->body.index());
}

std::string_view FrameTypeName(FrameType type) { return kFrameNames[static_cast<size_t>(type)]; }

}  // namespace scheduled::sim
