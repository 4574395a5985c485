// See stored_row.h.
#include "jobs/stored_row.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/codec.h"

namespace scheduled::jobs {

absl::StatusOr<bool> ReadRow(const TableStore& store, std::string_view key,
                             google::protobuf::MessageLite* row) {
  const absl::StatusOr<std::optional<std::string>> value = store.Get(key);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return false;
  if (row->ParseFromString(**value)) return true;
  return absl::DataLossError(absl::StrCat("a stored row does not parse: ", ToHex(key)));
}

}  // namespace scheduled::jobs
