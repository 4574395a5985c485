// A TableStore in memory, for hosts on a ManualClock and for tests: an ordered map behind a lock.
// Flush moves a mark and writes nothing; Checkpoint and InstallFrom use one file in the directory
// that they are given. Thread-safe as the port says.
#ifndef SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_
#define SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_

#include <map>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/table_store.h"

namespace scheduled {

class MemoryTableStore : public TableStore {
 public:
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const override;
  absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                             size_t limit) const override;
  absl::Status Apply(const TableBatch& batch) override;
  absl::Status Flush() override;
  absl::StatusOr<LogIndex> FlushedIndex() const override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::Status InstallFrom(const std::string& dir) override;

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;

  mutable std::shared_mutex mutex_;
  Rows rows_;         // guarded by mutex_
  LogIndex flushed_;  // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_
