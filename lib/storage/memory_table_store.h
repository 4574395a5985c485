// A TableStore in memory, for hosts on a ManualClock and for tests: an ordered map behind a lock.
// Flush moves a mark and writes nothing; Checkpoint and InstallFrom use one file in the directory
// that they are given, of the file system or of SnapshotFiles. Thread-safe as the port says.
#ifndef SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_
#define SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_

#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/log_store.h"
#include "storage/snapshot_files.h"
#include "storage/table_store.h"

namespace scheduled {

using TableRows = std::map<std::string, std::string, std::less<>>;
// All rows as the one file of a checkpoint, and back. Nothing: it is short, or was altered.
std::string EncodeTableRows(const TableRows& rows);
std::optional<TableRows> DecodeTableRows(std::string_view file);

class MemoryTableStore : public TableStore {
 public:
  // With `files` that is where directories are, under the names that its PathOf gives; it outlives
  // the store.
  explicit MemoryTableStore(SnapshotFiles* files = nullptr) : files_(files) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const override;
  absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                             size_t limit) const override;
  absl::Status Apply(const TableBatch& batch) override;
  absl::Status Flush() override;
  absl::StatusOr<LogIndex> FlushedIndex() const override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::Status InstallFrom(const std::string& dir, std::optional<LogPosition> must_be) override;

 private:
  absl::Status WriteCopy(const std::string& dir, const std::string& file);
  absl::StatusOr<std::string> ReadCopy(const std::string& dir);

  SnapshotFiles* const files_;
  mutable std::shared_mutex mutex_;
  TableRows rows_;       // guarded by mutex_, as the next two
  LogPosition applied_;  // what the last batch said
  LogIndex flushed_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_MEMORY_TABLE_STORE_H_
