// The verbs of the storage tests: short ways to make entries, writes and batches, and small worlds
// of a store on a disk that can be crashed and opened again.
#ifndef SCHEDULED_TESTS_STORAGE_WORLD_H_
#define SCHEDULED_TESTS_STORAGE_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/faulty_disk.h"
#include "storage/faulty_env.h"
#include "storage/log_store.h"
#include "storage/rocks_log_store.h"
#include "storage/rocks_options.h"
#include "storage/rocks_table_store.h"
#include "storage/table_store.h"

namespace scheduled {

inline constexpr GroupId kGroup{1};

LogRecord Entry(uint64_t index, uint64_t term, std::string bytes);
// Entries first..last of one term, with bytes that name them.
std::vector<LogRecord> Entries(uint64_t first, uint64_t last, uint64_t term);
// An append to kGroup; the hard state's term is that of the last entry.
LogWrite Append(std::vector<LogRecord> entries);
HardState Promise(uint64_t term, std::optional<std::string> vote = std::nullopt);

// Everything that a log holds, as a store tells it.
struct LogContents {
  LogState state;
  std::vector<LogRecord> entries;
  bool operator==(const LogContents&) const = default;
};
absl::StatusOr<LogContents> ContentsOf(LogStore& store, GroupId group = kGroup);

// A dumb twin of a log: a map of entries.
struct ModelLog {
  HardState hard_state;
  std::optional<LogPosition> installing;
  LogPosition before_first;
  std::map<LogIndex, LogRecord> entries;

  void Write(const LogWrite& write);
  void CutBefore(LogIndex first_kept);
  LogIndex last() const;
  Term TermOf(LogIndex index) const;
  LogContents Contents() const;
};

using Rows = std::map<std::string, std::string>;
Rows RowsOf(const TableStore& store);
// Applies puts (and, where the value is empty, deletes) with the applied row at `index`.
absl::Status ApplyRows(TableStore& store, uint64_t index, const Rows& rows);
std::string AppliedRowOf(uint64_t index);

// A disk with a database environment.
struct DiskWorld {
  enum class Buffers {
    kLarge,  // nothing is flushed unless it is asked for
    kSmall,  // almost every write is followed by a flush, and flushes by compactions
  };
  explicit DiskWorld(uint64_t seed = 1, Buffers buffers = Buffers::kLarge);

  absl::StatusOr<std::unique_ptr<RocksLogStore>> OpenLog(const RocksLogOptions& options = {});
  absl::StatusOr<std::unique_ptr<RocksTableStore>> OpenTables();
  // The only file of the log's directory that ends so.
  std::string LogFile(std::string_view suffix) const;

  FaultyDisk disk;
  std::unique_ptr<rocksdb::Env> env;
  RocksResources resources;
};

// A new directory of the real file system, removed with the object.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_STORAGE_WORLD_H_
