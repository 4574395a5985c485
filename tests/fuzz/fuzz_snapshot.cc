// Feeds the decoders of what carries a snapshot from node to node: the container's records and the
// envelopes around them. No input may crash one, and what is accepted is exactly what encoding its
// meaning gives.
//
// Input: 1 byte; its low bits choose the decoder, its highest says that the right checksum is put
// into the record first, or nothing behind it would ever be reached.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "consensus/envelope.h"
#include "storage/snapshot_container.h"

namespace scheduled {
namespace {

constexpr uint8_t kWithChecksum = 0x80;
// Version and kind stand before a record's checksum, which covers what is behind it.
constexpr size_t kChecksumAt = 2;
constexpr size_t kSourceBytes = 16;  // before the manifest of an offer

void FillInChecksum(size_t record_at, std::string* input) {
  const size_t body_at = record_at + kChecksumAt + sizeof(uint64_t);
  if (input->size() < body_at) return;
  const auto kind = static_cast<uint8_t>((*input)[record_at + 1]);
  std::string sum;
  AppendU64(&sum, Checksum64(std::string_view(*input).substr(body_at), kind));
  input->replace(record_at + kChecksumAt, sum.size(), sum);
}

void FuzzManifest(std::string_view record) {
  const absl::StatusOr<SnapshotManifest> manifest = DecodeManifest(record);
  if (!manifest.ok()) return;
  SCHEDULED_ASSERT(IsWithinBounds(*manifest), "a manifest is within its bounds");
  SCHEDULED_ASSERT(EncodeManifest(*manifest) == record, "a manifest has one form");
  const SnapshotPlace begin = Settle(*manifest, kSnapshotBegin);
  SCHEDULED_ASSERT(
      begin.file == manifest->files.size() || begin.offset < manifest->files[begin.file].size,
      "a place is in a file, or behind all");
}

void FuzzPiece(std::string_view record) {
  const absl::StatusOr<SnapshotPiece> piece = DecodePiece(record);
  if (!piece.ok()) return;
  SCHEDULED_ASSERT(EncodePiece(*piece) == record, "a piece has one form");
}

void FuzzOffer(std::string_view content) {
  const std::optional<SnapshotOffer> offer = DecodeSnapshotOffer(content);
  if (!offer) return;
  SCHEDULED_ASSERT(EncodeSnapshotOffer(offer->source, offer->manifest) == content,
                   "an offer has one form");
}

void FuzzProgress(std::string_view content) {
  const std::optional<SnapshotProgress> progress = DecodeSnapshotProgress(content);
  if (!progress) return;
  SCHEDULED_ASSERT(EncodeSnapshotProgress(*progress) == content, "progress has one form");
}

}  // namespace
}  // namespace scheduled

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool with_checksum = (data[0] & scheduled::kWithChecksum) != 0;
  const int decoder = data[0] % 4;
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (with_checksum) scheduled::FillInChecksum(decoder == 2 ? scheduled::kSourceBytes : 0, &input);
  switch (decoder) {
    case 0:
      scheduled::FuzzManifest(input);
      break;
    case 1:
      scheduled::FuzzPiece(input);
      break;
    case 2:
      scheduled::FuzzOffer(input);
      break;
    default:
      scheduled::FuzzProgress(input);
      break;
  }
  return 0;
}
