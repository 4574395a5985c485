// Every setting of the two databases, and what they share: memory, the environment, and how their
// errors are told. Nothing else in the library sets an option of RocksDB. Internal; the headers of
// the ports do not need it.
#ifndef SCHEDULED_LIB_STORAGE_ROCKS_OPTIONS_H_
#define SCHEDULED_LIB_STORAGE_ROCKS_OPTIONS_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "rocksdb/options.h"
#include "rocksdb/status.h"
#include "storage/failure_latch.h"

namespace scheduled {

struct RocksLimits {
  // Rows that are not flushed yet, of all databases together. More defers writing for longer, and
  // lengthens the replay after a crash; less writes more often. Default 128 MiB: 64 MiB for the
  // tables that are being filled, and as much for what is on its way to disk and for the log.
  size_t write_buffer_bytes = size_t{128} << 20;
  // Blocks, filters and indexes read from disk, of all databases together. Default 64 MiB. Raise it
  // where many old jobs are read at random; the operating system's own cache stands behind it.
  size_t block_cache_bytes = size_t{64} << 20;
};

// What the databases of one process share. Owned by whoever opens them, and outlives them.
// Thread-safe.
class RocksResources {
 public:
  // `env` is the disk; null for the real one. Not owned.
  explicit RocksResources(const RocksLimits& limits = {}, rocksdb::Env* env = nullptr);

  rocksdb::Env* env() const { return env_; }
  // Bytes in use, for metrics.
  size_t write_buffer_usage() const;
  size_t block_cache_usage() const;

  // The log: small batches that are synced, read in order, deleted from the front. `latch` is told
  // of errors in the background and must outlive the database.
  rocksdb::Options LogOptions(FailureLatch* latch) const;
  // The tables: no log of their own, point reads that often find nothing, rows that live as long as
  // it takes a job to fall due.
  rocksdb::Options TableOptions(FailureLatch* latch) const;

 private:
  rocksdb::Options CommonOptions(FailureLatch* latch) const;

  rocksdb::Env* env_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
};

// The status as the ports name it; `doing` begins the message: "cannot write the log". OK stays OK.
absl::Status FromRocks(const rocksdb::Status& status, std::string_view doing);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_ROCKS_OPTIONS_H_
