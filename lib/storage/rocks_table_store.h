// The TableStore on disk: one RocksDB without a write-ahead log, in one column family, so that each
// flush of its memory leaves an exact prefix of the batches that were applied. Owned by the host.
//
//   <dir>/GENERATION     a FileRecord that names the directory in use
//   <dir>/g<number>/     the database; the number grows by one with each install
//
// An install moves the new tables in beside the old ones and then replaces GENERATION: that rename
// is the switch. Any other directory is left over from an install that a crash ended, and is
// removed at the next open.
#ifndef SCHEDULED_LIB_STORAGE_ROCKS_TABLE_STORE_H_
#define SCHEDULED_LIB_STORAGE_ROCKS_TABLE_STORE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"
#include "storage/failure_latch.h"
#include "storage/log_store.h"
#include "storage/rocks_options.h"
#include "storage/table_store.h"

namespace scheduled {

// Figures of a store, for metrics.
struct TableStoreFigures {
  uint64_t unflushed_bytes = 0;     // in memory, not durable
  uint64_t disk_bytes = 0;          // table files in use
  uint64_t estimated_rows = 0;      // counts some rows twice that were overwritten or deleted
  uint64_t pending_compaction = 0;  // bytes that compaction is behind
};

class RocksTableStore : public TableStore {
 public:
  // Opens or creates the store in `dir`, whose parent must exist. `resources` outlives the store.
  // DATA_LOSS if what is there is damaged or incomplete; otherwise as the port says.
  static absl::StatusOr<std::unique_ptr<RocksTableStore>> Open(const std::string& dir,
                                                               const RocksResources& resources);
  // What was applied and not flushed is lost, as in a crash: Flush before.
  ~RocksTableStore() override;

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const override;
  absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                             size_t limit) const override;
  absl::Status Apply(const TableBatch& batch) override;
  absl::Status Flush() override;
  absl::StatusOr<LogIndex> FlushedIndex() const override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::Status InstallFrom(const std::string& dir, std::optional<LogPosition> must_be) override;

  // Any thread.
  TableStoreFigures figures() const;

 private:
  RocksTableStore(std::string dir, const RocksResources& resources);

  std::string GenerationDir(uint64_t generation) const;
  absl::StatusOr<uint64_t> ReadGeneration() const;
  absl::Status WriteGeneration(uint64_t generation) const;
  absl::Status RemoveLeftovers() const;
  absl::Status OpenCurrent();
  absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenDatabase(const std::string& path,
                                                            bool create) const;
  absl::StatusOr<std::unique_ptr<rocksdb::DB>> TakeIn(const std::string& dir,
                                                      const std::string& place) const;
  absl::StatusOr<LogPosition> AppliedIn(rocksdb::DB* db, bool durable) const;

  const std::string dir_;
  const RocksResources& resources_;
  mutable FailureLatch latch_;

  // Shared while db_ is used.
  std::shared_lock<std::shared_mutex> HoldDatabase() const;

  // Exclusive only while InstallFrom switches; gate_ is taken before it, so that those who read
  // without a pause do not keep InstallFrom from its turn.
  mutable std::mutex gate_;
  mutable std::shared_mutex switch_;
  uint64_t generation_ = 0;          // guarded by switch_
  std::unique_ptr<rocksdb::DB> db_;  // the pointer is guarded by switch_; destroyed before latch_

  rocksdb::WriteBatch batch_;  // apply lane only; empty between calls
  LogPosition applied_;        // apply lane only: what the last batch said
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_ROCKS_TABLE_STORE_H_
