// Fuzz target: the first packet of a peer. It is refused with a sentence, or the one who greets is
// one whom this node may talk to; the frames behind it are opaque here.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "transport/grpc/greeting.h"

using namespace scheduled;  // NOLINT: a program of one page

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer silence;
  pb::PeerPacket packet;
  if (!packet.ParseFromArray(data, static_cast<int>(size))) return 0;
  PeerIdentity self;
  self.node = NodeId("b");
  self.cluster_id = std::string(16, 'c');
  self.wire_version = 1;
  self.feature_level = 1;
  const pb::PeerGreeting& greeting = packet.greeting();
  const absl::Status fits = peer::CheckGreeting(self, greeting);
  if (!fits.ok()) {
    SCHEDULED_ASSERT(absl::IsFailedPrecondition(fits) && !fits.message().empty(),
                     "a refusal says why");
    return 0;
  }
  SCHEDULED_ASSERT(greeting.to() == "b" && greeting.from() != "b" && !greeting.from().empty(),
                   "two nodes with a name each");
  SCHEDULED_ASSERT(greeting.cluster_id().empty() || greeting.cluster_id() == self.cluster_id,
                   "of one cluster");
  SCHEDULED_ASSERT(greeting.stream() == 1 || greeting.stream() == 2, "a stream of a known kind");
  return 0;
}
