// Where a SlotQueue that writes its own rows keeps them: tables, and before them a log, as the
// scheduler does it: tables are written without a log of their own, and after a crash the log is
// replayed into them. In memory there is no log. Owned by a SlotQueue; its owner's thread.
//
//   log      one record for each change, synced: op u8 (1 put, 2 delete), then the key
//   tables   'Q', then the key of slot_key.h behind an empty prefix · 'M' "entries": their number
#ifndef SCHEDULED_LIB_SLOTS_SLOT_STORE_H_
#define SCHEDULED_LIB_SLOTS_SLOT_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/log_store.h"
#include "storage/rocks_options.h"
#include "storage/table_batch.h"
#include "storage/table_store.h"

namespace scheduled {

class SlotStore {
 public:
  static constexpr std::string_view kPrefix = "Q";

  static std::unique_ptr<SlotStore> InMemory();
  // In `dir`, which is created if missing. Its errors are the stores'.
  static absl::StatusOr<std::unique_ptr<SlotStore>> Open(const std::string& dir);
  // Flushes, so that the next Open has nothing to replay.
  ~SlotStore();

  const TableStore& tables() const { return *tables_; }
  uint64_t entries() const { return entries_; }

  absl::StatusOr<bool> Contains(std::string_view key) const;
  // Durable on return. Preconditions: the key is not there; it is.
  absl::Status Put(std::string_view key);
  absl::Status Delete(std::string_view key);

 private:
  enum class Op : uint8_t { kPut = 1, kDelete = 2 };

  SlotStore() = default;

  absl::Status Load();
  absl::Status Replay(const LogRecord& record);
  absl::Status Write(Op op, std::string_view key);
  absl::Status ApplyToTables(Op op, std::string_view key, LogIndex index);
  absl::Status CutLog();

  std::unique_ptr<RocksResources> resources_;  // null in memory
  std::unique_ptr<LogStore> log_;              // null in memory
  std::unique_ptr<TableStore> tables_;
  std::unique_ptr<TableBatch> batch_;
  uint64_t entries_ = 0;
  LogIndex last_;       // of the log and of the tables
  LogIndex cut_at_{0};  // the log is cut once it has a record of this index
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SLOTS_SLOT_STORE_H_
