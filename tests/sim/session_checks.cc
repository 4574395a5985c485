// See session_checks.h.
#include "sim/session_checks.h"

#include <fmt/format.h>

#include <optional>
#include <variant>

#include "consensus/envelope.h"
#include "scheduler/peer_codec.h"
#include "sim/finding.h"
#include "sim/job_client.h"
#include "sim/node_member.h"

namespace scheduled::sim {
namespace {

// An answer to a heartbeat is smaller; most of what is sent is not worth decoding.
constexpr size_t kAnswerBytes = 128;

}  // namespace

void CheckSessionFrame(Machine& from, const std::string& frame) {
  Node* node = JobClient::NodeOf(from);
  if (frame.size() > kAnswerBytes || node == nullptr || node->leader() == nullptr) return;
  std::string content = frame;
  const std::optional<Opened> opened = Unseal(&content);
  if (!opened || opened->kind != EnvelopeKind::kApplication) return;
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(content);
  if (!message.ok()) return;
  const auto* answer = std::get_if<HeartbeatAnswerMessage>(&*message);
  if (answer == nullptr || answer->verdict != HeartbeatAnswerMessage::Verdict::kAcknowledged) {
    return;
  }
  Require(!node->leader()->sessions().IsClosing(answer->session), [&] {
    return fmt::format("{} acknowledges session {}, whose close it has proposed", from.id.value,
                       answer->session.value);
  });
}

}  // namespace scheduled::sim
