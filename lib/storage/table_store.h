// The port to the tables of one group: an ordered map from byte keys to byte values that is written
// by whole batches. It has no log of its own: the Raft log is its log, and after a crash the tables
// are an exact prefix of the batches that were applied, never a mixture. Which prefix, the applied
// row in them tells. Seven methods and no more. Implementations: RocksTableStore, MemoryTableStore.
#ifndef SCHEDULED_LIB_STORAGE_TABLE_STORE_H_
#define SCHEDULED_LIB_STORAGE_TABLE_STORE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduled/types.h"
#include "storage/log_store.h"

namespace scheduled {

class TableBatch;

// One row of a table. Keys sort as unsigned bytes, a shorter key before its extensions.
struct TableRow {
  std::string key;
  std::string value;
  bool operator==(const TableRow&) const = default;
};

// Errors. DATA_LOSS: the tables on disk are damaged; RESOURCE_EXHAUSTED: the disk is full;
// UNAVAILABLE: another I/O error, one in a background flush or compaction among them. After any of
// these from any method the node must stop: the store answers every later call with the first such
// error, and what was flushed before it is safe.
class TableStore {
 public:
  virtual ~TableStore() = default;

  // The committed value of `key`, or nothing. Any thread, at any time: it sees each batch whole or
  // not at all, and every batch whose Apply has returned.
  virtual absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const = 0;

  // At most `limit` committed rows with from <= key < to, in the order of keys, all of one instant.
  // An empty `to` has no bound above. To go on, scan from the last key with a zero byte appended.
  // Any thread, at any time, as Get; a row is read whole, so that large rows take small limits.
  virtual absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                                     size_t limit) const = 0;

  // Writes the batch, all or nothing, its operations in their order. Visible on return, durable
  // only later: by Flush, or when the store flushes by itself because its memory is full (64 MiB).
  // One call at a time, on the apply lane. Every batch must contain the applied row
  // (applied_row.h), with an index that does not fall.
  virtual absl::Status Apply(const TableBatch& batch) = 0;

  // Makes durable every batch whose Apply returned before the call. Any thread, also during Apply;
  // blocks while as much as 64 MiB is written. The store flushes by itself by size alone: how much
  // log and how much time may pass in between is for the host to say, which knows both.
  virtual absl::Status Flush() = 0;

  // The index in the applied row that would be found after a crash now: entries up to it need not
  // be replayed, and may be cut from the log. Only grows, but by InstallFrom. 0 if nothing is
  // durable. Any thread, at any time.
  virtual absl::StatusOr<LogIndex> FlushedIndex() const = 0;

  // Writes a copy of the committed tables into `dir`, which must not exist and whose parent must,
  // on the same file system so that files can be linked. It contains every batch whose Apply
  // returned before the call, each one whole. Durable on return, and stays readable whatever
  // happens to the store. Any thread, also during Apply; one call at a time.
  virtual absl::Status Checkpoint(const std::string& dir) = 0;

  // Replaces the tables by those in `dir`, which Checkpoint of some node wrote, and takes the
  // directory over: it is gone on return. Verifies what it takes in before it gives up what it has.
  // The switch is atomic and durable: a crash leaves the old tables or the new ones. Not during
  // Apply, Flush or Checkpoint; Get and Scan of other threads wait for the switch.
  // INVALID_ARGUMENT, which stops nobody, if `dir` does not hold intact tables, or if their applied
  // position is not `must_be`, where that is given: the old ones stay.
  virtual absl::Status InstallFrom(const std::string& dir, std::optional<LogPosition> must_be) = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_TABLE_STORE_H_
