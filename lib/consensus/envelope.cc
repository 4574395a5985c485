// See envelope.h, where the format is described.
#include "consensus/envelope.h"

#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr size_t kTrailerBytes = kClusterIdBytes + 1;
const std::string kNoCluster(kClusterIdBytes, '\0');

bool IsKind(uint8_t value) {
  return value >= static_cast<uint8_t>(EnvelopeKind::kRaft) &&
         value <= static_cast<uint8_t>(EnvelopeKind::kCutHint);
}

}  // namespace

void Seal(EnvelopeKind kind, std::string_view cluster_id, std::string* content) {
  SCHEDULED_ASSERT(cluster_id.empty() || cluster_id.size() == kClusterIdBytes,
                   "a cluster id has 16 bytes");
  content->append(cluster_id.empty() ? std::string_view(kNoCluster) : cluster_id);
  AppendU8(content, static_cast<uint8_t>(kind));
}

std::optional<Opened> Unseal(std::string* frame) {
  if (frame->size() < kTrailerBytes) return std::nullopt;
  const uint8_t kind = static_cast<uint8_t>(frame->back());
  if (!IsKind(kind)) return std::nullopt;
  Opened opened;
  opened.kind = static_cast<EnvelopeKind>(kind);
  opened.cluster_id = frame->substr(frame->size() - kTrailerBytes, kClusterIdBytes);
  if (opened.cluster_id == kNoCluster) opened.cluster_id.clear();
  frame->resize(frame->size() - kTrailerBytes);
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

}  // namespace scheduled
