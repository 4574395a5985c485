// See log_record.h, where the format is described.
#include "storage/log_record.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr uint8_t kLogVersion = 1;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kEntryFixedBytes = 9;  // kind and term

uint64_t Sum(std::string_view key, std::string_view fixed, std::string_view end) {
  std::string seeded(key);
  seeded.append(fixed);
  return Checksum64(end, Checksum64(seeded));
}

// Checksum, then `fixed`, which begins with the version; what is in `end` follows it on disk.
std::string Head(std::string_view key, std::string_view fixed, std::string_view end) {
  std::string head;
  head.reserve(kChecksumBytes + fixed.size());
  AppendU64(&head, Sum(key, fixed, end));
  head.append(fixed);
  return head;
}

absl::Status DamagedRecord(std::string_view key, std::string_view how) {
  absl::StatusOr<LogEntryKey> entry = DecodeLogEntryKey(key);
  if (entry.ok()) {
    return absl::DataLossError(
        absl::StrCat("entry ", entry->index.value, " in the log of group ", entry->group.value,
                     " is damaged: ", absl::string_view(how.data(), how.size())));
  }
  return absl::DataLossError(
      absl::StrCat("the row ", absl::BytesToHexString(absl::string_view(key.data(), key.size())),
                   " of the log is damaged: ", absl::string_view(how.data(), how.size())));
}

// Checks sum and version; the body, without the version, is left in `body`. `fixed_bytes` is the
// length of the body's fixed start.
absl::Status OpenRecord(std::string_view key, std::string_view value, size_t fixed_bytes,
                        std::string_view* body) {
  KeyReader reader(value);
  uint64_t sum = 0;
  std::string_view fixed;
  reader.U64(&sum);
  if (!reader.Raw(1 + fixed_bytes, &fixed)) return DamagedRecord(key, "it is too short");
  if (sum != Sum(key, fixed, reader.rest()))
    return DamagedRecord(key, "its checksum does not match");
  if (static_cast<uint8_t>(fixed[0]) != kLogVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the log was written in format ", static_cast<uint8_t>(fixed[0]),
                     ", and this program knows ", kLogVersion, ": run the newer program on it"));
  }
  *body = value.substr(kChecksumBytes + 1);
  return absl::OkStatus();
}

}  // namespace

std::string LogRowKey(GroupId group, LogRowKind kind, LogIndex index) {
  return KeyWriter().U32(group.value).U8(static_cast<uint8_t>(kind)).U64(index.value).Take();
}

std::string LogEntriesEnd(GroupId group) {
  return KeyWriter().U32(group.value).U8(static_cast<uint8_t>(LogRowKind::kEntry) + 1).Take();
}

absl::StatusOr<LogEntryKey> DecodeLogEntryKey(std::string_view key) {
  KeyReader reader(key);
  LogEntryKey result;
  uint8_t kind = 0;
  reader.U32(&result.group.value);
  reader.U8(&kind);
  reader.U64(&result.index.value);
  if (!reader.AtEnd() || kind != static_cast<uint8_t>(LogRowKind::kEntry)) {
    return absl::DataLossError("a key in the log is damaged");
  }
  return result;
}

std::string EncodeHardStateRow(std::string_view key, const HardState& state) {
  KeyWriter fixed;
  fixed.U8(kLogVersion).U64(state.term.value).U8(state.vote.has_value() ? 1 : 0);
  const std::string_view vote = state.vote.has_value() ? std::string_view(state.vote->value) : "";
  return Head(key, fixed.key(), vote).append(vote);
}

absl::StatusOr<HardState> DecodeHardStateRow(std::string_view key, std::string_view value) {
  std::string_view body;
  if (absl::Status status = OpenRecord(key, value, 9, &body); !status.ok()) return status;
  KeyReader reader(body);
  HardState state;
  uint8_t has_vote = 0;
  reader.U64(&state.term.value);
  reader.U8(&has_vote);
  if (has_vote > 1 || (has_vote == 0 && !reader.rest().empty())) {
    return DamagedRecord(key, "it holds no vote and yet one");
  }
  if (has_vote == 1) state.vote = NodeId(reader.rest());
  return state;
}

std::string EncodePositionRow(std::string_view key, LogPosition position) {
  KeyWriter fixed;
  fixed.U8(kLogVersion).U64(position.index.value).U64(position.term.value);
  return Head(key, fixed.key(), "");
}

absl::StatusOr<LogPosition> DecodePositionRow(std::string_view key, std::string_view value) {
  std::string_view body;
  if (absl::Status status = OpenRecord(key, value, 16, &body); !status.ok()) return status;
  KeyReader reader(body);
  LogPosition position;
  reader.U64(&position.index.value);
  reader.U64(&position.term.value);
  if (!reader.AtEnd()) return DamagedRecord(key, "it is too long");
  return position;
}

std::string EncodeEntryHead(std::string_view key, const LogRecord& entry) {
  KeyWriter fixed;
  fixed.U8(kLogVersion).U8(entry.kind).U64(entry.term.value);
  return Head(key, fixed.key(), entry.bytes.view());
}

absl::StatusOr<LogEntryView> DecodeEntryRow(std::string_view key, std::string_view value) {
  std::string_view body;
  if (absl::Status status = OpenRecord(key, value, kEntryFixedBytes, &body); !status.ok())
    return status;
  KeyReader reader(body);
  LogEntryView entry;
  reader.U8(&entry.kind);
  reader.U64(&entry.term.value);
  entry.bytes = reader.rest();
  if (entry.bytes.size() > kMaxLogRecordBytes)
    return DamagedRecord(key, "it is larger than any entry");
  return entry;
}

}  // namespace scheduled
