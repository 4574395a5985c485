// Feeds the decoders of what storage keeps on disk: rows of the log, the applied row, file records
// and the judgement of the database's log files. No input may crash one, and what is accepted must
// be exactly what encoding its meaning gives.
//
// Input: 1 byte chooses the decoder; for rows of the log, 1 byte is the key's length; then key,
// value.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "storage/applied_row.h"
#include "storage/durable_file.h"
#include "storage/log_record.h"
#include "storage/torn_tail.h"

namespace scheduled {
namespace {

void FuzzLogRow(std::string_view input) {
  if (input.empty()) return;
  const size_t key_size = std::min<size_t>(static_cast<uint8_t>(input[0]), input.size() - 1);
  const std::string_view key = input.substr(1, key_size);
  const std::string_view value = input.substr(1 + key_size);
  if (absl::StatusOr<LogEntryKey> decoded = DecodeLogEntryKey(key); decoded.ok()) {
    SCHEDULED_ASSERT(LogRowKey(decoded->group, LogRowKind::kEntry, decoded->index) == key,
                     "a key has one meaning");
  }
  if (absl::StatusOr<HardState> decoded = DecodeHardStateRow(key, value); decoded.ok()) {
    SCHEDULED_ASSERT(EncodeHardStateRow(key, *decoded) == value, "a hard state has one form");
  }
  if (absl::StatusOr<LogPosition> decoded = DecodePositionRow(key, value); decoded.ok()) {
    SCHEDULED_ASSERT(EncodePositionRow(key, *decoded) == value, "a position has one form");
  }
  if (absl::StatusOr<LogEntryView> decoded = DecodeEntryRow(key, value); decoded.ok()) {
    const LogRecord entry{.term = decoded->term,
                          .index = LogIndex(0),
                          .kind = decoded->kind,
                          .bytes = SharedBuffer(std::string(decoded->bytes))};
    SCHEDULED_ASSERT(EncodeEntryHead(key, entry) + std::string(decoded->bytes) == value,
                     "an entry has one form");
  }
}

void FuzzAppliedRow(std::string_view value) {
  if (absl::StatusOr<LogPosition> decoded = DecodeAppliedRow(value); decoded.ok()) {
    SCHEDULED_ASSERT(EncodeAppliedRow(*decoded) == value, "an applied row has one form");
  }
}

void FuzzFileRecord(std::string_view text) {
  const std::string_view title = text.substr(0, text.find('\n'));
  if (absl::StatusOr<FileRecord> decoded = FileRecord::Decode(title, text); decoded.ok()) {
    SCHEDULED_ASSERT(decoded->Encode() == text, "a file record has one form");
  }
}

void FuzzLogTail(std::string_view file) {
  const LogTail tail = FindLogTail(file);
  SCHEDULED_ASSERT(tail.whole_bytes <= file.size(), "what is whole is within the file");
  const LogTail again = FindLogTail(file.substr(0, tail.whole_bytes));
  SCHEDULED_ASSERT(again.kind == LogTail::Kind::kWhole, "what is left after a trim is whole");
}

}  // namespace
}  // namespace scheduled

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      scheduled::FuzzLogRow(input);
      break;
    case 1:
      scheduled::FuzzAppliedRow(input);
      break;
    case 2:
      scheduled::FuzzFileRecord(input);
      break;
    default:
      scheduled::FuzzLogTail(input);
      break;
  }
  return 0;
}
