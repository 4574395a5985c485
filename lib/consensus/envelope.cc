// See envelope.h, where the format is described.
#include "consensus/envelope.h"

#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {
namespace {

const std::string kNoCluster(kClusterIdBytes, '\0');

bool IsKind(uint8_t value) {
  return value >= static_cast<uint8_t>(EnvelopeKind::kRaft) &&
         value <= static_cast<uint8_t>(EnvelopeKind::kApplication);
}

}  // namespace

FrameClass ClassOf(EnvelopeKind kind, size_t content_bytes) {
  switch (kind) {
    case EnvelopeKind::kSnapshotOffer:
    case EnvelopeKind::kSnapshotPiece:
      return FrameClass::kBulk;
    case EnvelopeKind::kApplication:
      return content_bytes > kMaxUrgentBytes ? FrameClass::kBulk : FrameClass::kApplication;
    case EnvelopeKind::kRaft:
    case EnvelopeKind::kAskData:
    case EnvelopeKind::kTellData:
    case EnvelopeKind::kCutHint:
    case EnvelopeKind::kSnapshotProgress:
      return FrameClass::kConsensus;
  }
  return FrameClass::kConsensus;
}

void Seal(EnvelopeKind kind, std::string_view cluster_id, std::string* content) {
  SCHEDULED_ASSERT(cluster_id.empty() || cluster_id.size() == kClusterIdBytes,
                   "a cluster id has 16 bytes");
  content->append(cluster_id.empty() ? std::string_view(kNoCluster) : cluster_id);
  AppendU8(content, static_cast<uint8_t>(kind));
}

std::optional<Opened> Unseal(std::string* frame) {
  if (frame->size() < kEnvelopeTrailerBytes) return std::nullopt;
  const uint8_t kind = static_cast<uint8_t>(frame->back());
  if (!IsKind(kind)) return std::nullopt;
  Opened opened;
  opened.kind = static_cast<EnvelopeKind>(kind);
  opened.cluster_id = frame->substr(frame->size() - kEnvelopeTrailerBytes, kClusterIdBytes);
  if (opened.cluster_id == kNoCluster) opened.cluster_id.clear();
  frame->resize(frame->size() - kEnvelopeTrailerBytes);
  return opened;
}

std::string EncodeAskData(raft::DiskId disk) { return KeyWriter().U64(disk.value).Take(); }

std::optional<raft::DiskId> DecodeAskData(std::string_view content) {
  KeyReader reader(content);
  raft::DiskId disk;
  reader.U64(&disk.value);
  if (!reader.AtEnd()) return std::nullopt;
  return disk;
}

std::string EncodeTellData(const TellData& answer) {
  return KeyWriter().U64(answer.disk.value).U8(answer.has_data ? 1 : 0).Take();
}

std::optional<TellData> DecodeTellData(std::string_view content) {
  KeyReader reader(content);
  TellData answer;
  uint8_t has_data = 0;
  reader.U64(&answer.disk.value);
  reader.U8(&has_data);
  if (!reader.AtEnd() || has_data > 1) return std::nullopt;
  answer.has_data = has_data == 1;
  return answer;
}

std::string EncodeCutHint(LogIndex through) { return KeyWriter().U64(through.value).Take(); }

std::optional<LogIndex> DecodeCutHint(std::string_view content) {
  KeyReader reader(content);
  LogIndex through;
  reader.U64(&through.value);
  if (!reader.AtEnd()) return std::nullopt;
  return through;
}

std::string EncodeSnapshotOffer(const SnapshotSource& source, const SnapshotManifest& manifest) {
  return KeyWriter()
      .U64(source.term.value)
      .U64(source.disk.value)
      .Raw(EncodeManifest(manifest))
      .Take();
}

std::optional<SnapshotOffer> DecodeSnapshotOffer(std::string_view content) {
  KeyReader reader(content);
  SnapshotOffer offer;
  reader.U64(&offer.source.term.value);
  if (!reader.U64(&offer.source.disk.value)) return std::nullopt;
  absl::StatusOr<SnapshotManifest> manifest = DecodeManifest(reader.rest());
  if (!manifest.ok()) return std::nullopt;
  offer.manifest = *std::move(manifest);
  return offer;
}

std::string EncodeSnapshotProgress(const SnapshotProgress& progress) {
  return KeyWriter()
      .U64(progress.id.value)
      .U32(progress.place.file)
      .U64(progress.place.offset)
      .U8(progress.resume ? 1 : 0)
      .Take();
}

std::optional<SnapshotProgress> DecodeSnapshotProgress(std::string_view content) {
  KeyReader reader(content);
  SnapshotProgress progress;
  uint8_t resume = 0;
  reader.U64(&progress.id.value);
  reader.U32(&progress.place.file);
  reader.U64(&progress.place.offset);
  reader.U8(&resume);
  if (!reader.AtEnd() || resume > 1) return std::nullopt;
  progress.resume = resume == 1;
  return progress;
}

}  // namespace scheduled
