// The one row that the storage layer understands: `meta/applied`, the log position that the tables
// have reached. It is in every batch, so that what survives a crash says of itself how far it goes.
//
//   key    'M' "applied"                      table tag of `meta`, name
//   value  version (1 byte, 1) | index (8) | term (8)      big-endian
#ifndef SCHEDULED_LIB_STORAGE_APPLIED_ROW_H_
#define SCHEDULED_LIB_STORAGE_APPLIED_ROW_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/log_store.h"
#include "storage/table_batch.h"
#include "storage/table_store.h"

namespace scheduled {

// The tag that every key of the table `meta` begins with.
inline constexpr char kMetaTableTag = 'M';
inline constexpr std::string_view kAppliedRowKey = "Mapplied";

std::string EncodeAppliedRow(LogPosition applied);
// DATA_LOSS for anything that EncodeAppliedRow did not make.
absl::StatusOr<LogPosition> DecodeAppliedRow(std::string_view value);

// Writes the row into the batch.
void PutApplied(TableBatch& batch, LogPosition applied);
// What the batch says of itself. Every batch has the row, well-formed and not before `last`, what
// the batch before it said: asserted.
LogPosition AppliedBy(const TableBatch& batch, LogPosition last);
// Reads the row as committed; {0, 0} if the tables were never written.
absl::StatusOr<LogPosition> ReadApplied(const TableStore& store);

// Of tables in `dir` that are not at the position that they should be at: INVALID_ARGUMENT.
absl::Status WrongPosition(const std::string& dir, LogPosition found);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_APPLIED_ROW_H_
