// One committed row as its message, for whoever reads the tables outside of Apply. Any thread.
#ifndef SCHEDULED_LIB_JOBS_STORED_ROW_H_
#define SCHEDULED_LIB_JOBS_STORED_ROW_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

// False if there is no such row. DATA_LOSS: it does not parse.
absl::StatusOr<bool> ReadRow(const TableStore& store, std::string_view key,
                             google::protobuf::MessageLite* row);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_STORED_ROW_H_
