// See applied_row.h.
#include "storage/applied_row.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr uint8_t kAppliedVersion = 1;

}  // namespace

static_assert(kAppliedRowKey.front() == kMetaTableTag, "the row is one of the table `meta`");

std::string EncodeAppliedRow(LogPosition applied) {
  return KeyWriter().U8(kAppliedVersion).U64(applied.index.value).U64(applied.term.value).Take();
}

absl::StatusOr<LogPosition> DecodeAppliedRow(std::string_view value) {
  KeyReader reader(value);
  uint8_t version = 0;
  LogPosition applied;
  reader.U8(&version);
  reader.U64(&applied.index.value);
  reader.U64(&applied.term.value);
  if (!reader.AtEnd() || version != kAppliedVersion) {
    return absl::DataLossError("the row of the applied position is damaged");
  }
  return applied;
}

void PutApplied(TableBatch& batch, LogPosition applied) {
  batch.Put(kAppliedRowKey, EncodeAppliedRow(applied));
}

LogPosition AppliedBy(const TableBatch& batch, LogPosition last) {
  std::optional<std::string_view> row;
  for (const TableBatch::Op& op : batch.ops()) {
    if (op.key == kAppliedRowKey) row = op.value;
  }
  SCHEDULED_ASSERT(row.has_value(), "every batch says which entry it ends with");
  const absl::StatusOr<LogPosition> applied = DecodeAppliedRow(*row);
  SCHEDULED_ASSERT(applied.ok(), "the applied row is well-formed when it is written");
  SCHEDULED_ASSERT(*applied >= last, "the applied position does not fall");
  return *applied;
}

absl::StatusOr<LogPosition> ReadApplied(const TableStore& store) {
  absl::StatusOr<std::optional<std::string>> row = store.Get(kAppliedRowKey);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return LogPosition{};
  return DecodeAppliedRow(**row);
}

absl::Status WrongPosition(const std::string& dir, LogPosition found) {
  return absl::InvalidArgumentError(absl::StrCat(dir, " holds tables of another position: entry ",
                                                 found.index.value, " of term ", found.term.value));
}

}  // namespace scheduled
