// A TableStore on a modelled disk. What was applied is durable only once it was flushed, by the
// node or by the store itself whenever it likes: a crash leaves an exact prefix of the batches,
// from the last flush that had ended to the last batch. A checkpoint is one file with all rows; one
// is installed in a single switch. The object is the disk, as SimLogStore is.
#ifndef SCHEDULED_TESTS_SIM_SIM_TABLE_STORE_H_
#define SCHEDULED_TESTS_SIM_SIM_TABLE_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/types/compare.h"
#include "sim/sync_model.h"
#include "storage/snapshot_files.h"
#include "storage/table_store.h"

namespace scheduled::sim {

class SimTableStore final : public TableStore {
 public:
  struct KeyOrder {
    using is_transparent = void;
    absl::weak_ordering operator()(std::string_view a, std::string_view b) const {
      const int order = a.compare(b);
      if (order == 0) return absl::weak_ordering::equivalent;
      return order < 0 ? absl::weak_ordering::less : absl::weak_ordering::greater;
    }
  };
  using Rows = absl::btree_map<std::string, std::string, KeyOrder>;

  // Checkpoints are written to `files`, and installed from there.
  SimTableStore(SyncModel* sync, SnapshotFiles* files) : sync_(*sync), files_(*files) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const override;
  absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                             size_t limit) const override;
  absl::Status Apply(const TableBatch& batch) override;
  absl::Status Flush() override;
  absl::StatusOr<LogIndex> FlushedIndex() const override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::Status InstallFrom(const std::string& dir, std::optional<LogPosition> must_be) override;

  // The node is dead: goes back to a prefix that a flush may have left.
  void Crash(Random* random);
  // The node is dead, and its disk is another one, with nothing on it.
  void Wipe();

  const Rows& rows() const { return rows_; }
  // Of the applied row; 0 where there is none.
  LogIndex applied() const { return batches_.empty() ? base_applied_ : batches_.back().applied; }
  bool failed() const { return !failure_.ok(); }

 private:
  // A batch that is not durable for certain, with what it replaced.
  struct Batch {
    LogIndex applied;
    std::vector<std::pair<std::string, std::optional<std::string>>> undo;
  };
  // Everything up to `applied` is durable from then on.
  struct FlushEnd {
    MonoTime at;
    LogIndex applied;
  };

  // What an install replaced, for as long as a crash may bring it back.
  struct Replaced {
    MonoTime until;  // the end of the switch's sync
    Rows rows;
    LogIndex base_applied;
    std::deque<Batch> batches;
    std::deque<FlushEnd> flushes;
  };

  void Settle(MonoTime now);
  void UndoInstall(Random* random);
  absl::Status Sync();

  SyncModel& sync_;
  SnapshotFiles& files_;
  absl::Status failure_;
  Rows rows_;
  LogIndex base_applied_;  // before the first of batches_; durable
  std::deque<Batch> batches_;
  std::deque<FlushEnd> flushes_;
  std::optional<Replaced> replaced_;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SIM_TABLE_STORE_H_
