// The LogStore on disk: one RocksDB for all groups of a process, its write-ahead log synced once
// per Write. It guards against what RocksDB alone would not notice: a write-ahead log that is
// missing, and a database that ends before a point which it is known to have reached. Owned by the
// host.
//
// Beside RocksDB's own files the directory has MARK, a FileRecord written when the store is opened
// and when it is stopped: the database's sequence number, which only grows whatever is truncated,
// and the number of the write-ahead log in use. A later open finds at least that sequence number,
// and a write-ahead log of at least that number, or something was lost.
#ifndef SCHEDULED_LIB_STORAGE_ROCKS_LOG_STORE_H_
#define SCHEDULED_LIB_STORAGE_ROCKS_LOG_STORE_H_

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"
#include "storage/failure_latch.h"
#include "storage/log_store.h"
#include "storage/rocks_options.h"

namespace scheduled {

struct RocksLogOptions {
  // The directory belongs to a member of a cluster, which cannot have an empty log: one that is not
  // there is an error, and is not created.
  bool must_exist = false;
  // False leaves out the one sync per Write, and with it everything that the store promises. Only
  // for the test that shows that its power cuts would notice.
  bool sync = true;
};

class RocksLogStore : public LogStore {
 public:
  // Opens or creates the store in `dir`, whose parent must exist. `resources` outlives the store.
  // DATA_LOSS if what is there is damaged or incomplete; otherwise as the port says.
  static absl::StatusOr<std::unique_ptr<RocksLogStore>> Open(const std::string& dir,
                                                             const RocksResources& resources,
                                                             const RocksLogOptions& options = {});
  ~RocksLogStore() override;

  absl::StatusOr<LogState> Load(GroupId group) override;
  absl::Status Write(std::span<const LogWrite> writes) override;
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                              size_t max_bytes) override;
  absl::Status CutBefore(GroupId group, LogIndex first_kept) override;
  absl::Status MarkCleanStop() override;

 private:
  struct Group {
    LogState state;  // log lane only; what is written is derived from it

    // What readers see, guarded by mutex_: trails `state` until the write is durable.
    LogIndex first{1};
    LogIndex last{0};
    // Odd while entries are being removed, even else; only grows. A reader that misses an entry
    // while it stood still has found damage.
    uint64_t removals = 0;
  };

  RocksLogStore(std::string dir, rocksdb::Env* env, const RocksLogOptions& options);

  absl::Status CheckMarkBeforeOpen() const;
  absl::Status CheckMarkAfterOpen() const;
  absl::Status WriteMark() const;
  absl::StatusOr<LogState> ReadState(GroupId group) const;
  absl::Status ReadBounds(GroupId group, LogState* state) const;
  absl::Status ReadEnds(GroupId group, LogState* state) const;
  absl::Status ReadTermRuns(GroupId group, LogState* state) const;
  absl::StatusOr<Term> ReadTerm(GroupId group, LogIndex index) const;
  absl::StatusOr<LogIndex> LastOfRun(GroupId group, LogIndex in_run, Term term,
                                     LogIndex last) const;
  absl::Status ReadRow(const std::string& key, std::string* value, bool* found) const;
  Group& LoadedGroup(GroupId group);
  void Stage(GroupId id, Group& group, const LogWrite& write);
  absl::Status Commit(std::string_view doing);
  void BeginRemoval(Group& group);
  void Publish(Group& group);

  const std::string dir_;
  rocksdb::Env* const env_;
  const RocksLogOptions options_;
  mutable FailureLatch latch_;
  std::unique_ptr<rocksdb::DB> db_;  // destroyed before latch_, which it tells of errors
  rocksdb::WriteBatch batch_;        // log lane only; empty between calls

  std::mutex mutex_;
  std::map<GroupId, Group> groups_;  // the map is guarded by mutex_; its nodes stay where they are
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_ROCKS_LOG_STORE_H_
