// Fuzz target: frames of a peer's scheduler. Any bytes decode or are refused as the sender's fault;
// what decodes and is encoded again comes back as the same bytes from then on.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "scheduler/peer_codec.h"

using namespace scheduled;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer silence;
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
  if (!message.ok()) {
    SCHEDULED_ASSERT(absl::IsInvalidArgument(message.status()), "a refusal is the sender's fault");
    return 0;
  }
  if (const auto* channel = std::get_if<ChannelMessages>(&*message)) {
    for (const ChannelItem& item : channel->items) {
      const auto* start = std::get_if<StartRequest>(&item.body);
      SCHEDULED_ASSERT(item.number > 0, "a message has a number");
      SCHEDULED_ASSERT(start == nullptr || start->job != nullptr, "a start says what to run");
    }
  }
  const std::string once = EncodePeerMessage(*message);
  const absl::StatusOr<PeerMessage> again = DecodePeerMessage(once);
  SCHEDULED_ASSERT(again.ok(), "what was encoded decodes");
  SCHEDULED_ASSERT(EncodePeerMessage(*again) == once, "encoding says all that decoding takes");
  return 0;
}
