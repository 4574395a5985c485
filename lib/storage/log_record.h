// How the rows of the log database look on disk. Pure functions between values and bytes; every
// decoder is total: any input gives a value or an error.
//
//   key          group u32 | kind u8 | index u64         big-endian, so that a log is a range
//   value        checksum u64 | version u8 (1) | body
//   its body, by kind:
//   kHardState   term u64 | u8 1 if a vote follows, else 0 | the vote, to the end
//   kBounds      index u64 | term u64                    the position before the first entry
//   kInstalling  index u64 | term u64                    see LogWrite::installing
//   kEntry       kind u8 | term u64 | bytes, to the end
//
// The checksum is XXH3 of the body's variable end, seeded by XXH3 of key, version and the body's
// fixed start, so that a row which stands at another key is damaged too. A torn write never shows
// here: the database's own log drops a batch that is not whole. What fails its checksum is damage,
// and a row of another version is an error: both stop the node.
#ifndef SCHEDULED_LIB_STORAGE_LOG_RECORD_H_
#define SCHEDULED_LIB_STORAGE_LOG_RECORD_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/log_store.h"

namespace scheduled {

enum class LogRowKind : uint8_t {
  kHardState = 1,
  kBounds = 2,
  kInstalling = 3,
  kEntry = 8,  // last, so that the other rows of a group are read without passing its entries
};

// Rows that exist once in a group stand at index 0.
std::string LogRowKey(GroupId group, LogRowKind kind, LogIndex index = LogIndex(0));
// The key behind every entry of the group.
std::string LogEntriesEnd(GroupId group);

// Where an entry's key says that it stands. DATA_LOSS if `key` is not one of an entry.
struct LogEntryKey {
  GroupId group;
  LogIndex index;
  bool operator==(const LogEntryKey&) const = default;
};
absl::StatusOr<LogEntryKey> DecodeLogEntryKey(std::string_view key);

std::string EncodeHardStateRow(std::string_view key, const HardState& state);
absl::StatusOr<HardState> DecodeHardStateRow(std::string_view key, std::string_view value);

std::string EncodePositionRow(std::string_view key, LogPosition position);
absl::StatusOr<LogPosition> DecodePositionRow(std::string_view key, std::string_view value);

// What stands before an entry's bytes; the value is the two of them, one behind the other, so that
// the bytes need not be copied to be written.
std::string EncodeEntryHead(std::string_view key, const LogRecord& entry);
// `bytes` of the result is a view into `value`.
struct LogEntryView {
  Term term;
  uint8_t kind = 0;
  std::string_view bytes;
};
absl::StatusOr<LogEntryView> DecodeEntryRow(std::string_view key, std::string_view value);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_LOG_RECORD_H_
