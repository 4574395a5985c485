// Feeds the decoders of what nodes put around Raft's messages, and of commands packed into entries.
// No input may crash one, and what is accepted is exactly what encoding its meaning gives.
//
// Input: 1 byte chooses the decoder.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "consensus/envelope.h"
#include "consensus/packing.h"

namespace scheduled {
namespace {

void FuzzEnvelope(std::string_view input) {
  std::string frame(input);
  const std::optional<Opened> opened = Unseal(&frame);
  if (!opened) return;
  SCHEDULED_ASSERT(opened->cluster_id.empty() || opened->cluster_id.size() == kClusterIdBytes,
                   "a cluster id is whole or not there");
  Seal(opened->kind, opened->cluster_id, &frame);
  SCHEDULED_ASSERT(frame == input, "an envelope has one form");
}

void FuzzContents(std::string_view input) {
  if (const auto disk = DecodeAskData(input)) {
    SCHEDULED_ASSERT(EncodeAskData(*disk) == input, "a question has one form");
  }
  if (const auto answer = DecodeTellData(input)) {
    SCHEDULED_ASSERT(EncodeTellData(*answer) == input, "an answer has one form");
  }
  if (const auto through = DecodeCutHint(input)) {
    SCHEDULED_ASSERT(EncodeCutHint(*through) == input, "a hint has one form");
  }
}

void FuzzPacking(std::string_view input) {
  absl::StatusOr<PackedReader> reader = PackedReader::Open(input);
  if (!reader.ok()) return;
  SCHEDULED_ASSERT(reader->count() >= 1, "an entry holds a command");
  SCHEDULED_ASSERT(!reader->alone() || reader->count() == 1, "one that is alone is alone");
  std::vector<std::string> commands;
  for (uint32_t i = 0; i < reader->count(); ++i) commands.emplace_back(reader->Next());
  SCHEDULED_ASSERT(Pack(commands, reader->alone()).view() == input, "an entry has one form");
}

}  // namespace
}  // namespace scheduled

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      scheduled::FuzzEnvelope(input);
      break;
    case 1:
      scheduled::FuzzContents(input);
      break;
    default:
      scheduled::FuzzPacking(input);
      break;
  }
  return 0;
}
