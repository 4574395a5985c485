// See greeting.h: the rules of the handshake, one sentence for each refusal.
#include "transport/grpc/greeting.h"

#include <fmt/format.h>

#include "base/codec.h"

namespace scheduled::peer {
namespace {

absl::Status Refuse(const std::string& why) {
  return absl::FailedPreconditionError(absl::string_view(why.data(), why.size()));
}

bool LevelsFit(uint32_t a, uint32_t b) { return a != 0 && b != 0 && (a > b ? a - b : b - a) <= 1; }

}  // namespace

std::string_view StreamName(StreamKind kind) {
  return kind == StreamKind::kUrgent ? "urgent" : "bulk";
}

pb::PeerGreeting MakeGreeting(const PeerIdentity& self, const NodeId& to, StreamKind kind) {
  pb::PeerGreeting greeting;
  greeting.set_wire_version(self.wire_version);
  greeting.set_feature_level(self.feature_level);
  greeting.set_cluster_id(self.cluster_id);
  greeting.set_from(self.node.value);
  greeting.set_to(to.value);
  greeting.set_stream(static_cast<uint32_t>(kind));
  return greeting;
}

absl::Status CheckGreeting(const PeerIdentity& self, const pb::PeerGreeting& greeting) {
  if (greeting.wire_version() != self.wire_version) {
    return Refuse(fmt::format("node '{}' speaks wire version {} and node '{}' version {}",
                              greeting.from(), greeting.wire_version(), self.node.value,
                              self.wire_version));
  }
  if (greeting.to() != self.node.value) {
    return Refuse(fmt::format("node '{}' looks for node '{}' at the address of node '{}'",
                              greeting.from(), greeting.to(), self.node.value));
  }
  if (greeting.from().empty() || greeting.from() == self.node.value) {
    return Refuse(fmt::format("two nodes are named '{}'", greeting.from()));
  }
  if (!greeting.cluster_id().empty() && !self.cluster_id.empty() &&
      greeting.cluster_id() != self.cluster_id) {
    return Refuse(fmt::format("node '{}' belongs to cluster {} and node '{}' to cluster {}",
                              greeting.from(), ToHex(greeting.cluster_id()), self.node.value,
                              ToHex(self.cluster_id)));
  }
  if (!LevelsFit(greeting.feature_level(), self.feature_level)) {
    return Refuse(fmt::format(
        "node '{}' has feature level {} and node '{}' level {}: they may differ by one at most",
        greeting.from(), greeting.feature_level(), self.node.value, self.feature_level));
  }
  if (greeting.stream() != static_cast<uint32_t>(StreamKind::kUrgent) &&
      greeting.stream() != static_cast<uint32_t>(StreamKind::kBulk)) {
    return Refuse(fmt::format("node '{}' opened a stream of unknown kind {}", greeting.from(),
                              greeting.stream()));
  }
  return absl::OkStatus();
}

}  // namespace scheduled::peer
