// See world.h.
#include "storage/world.h"

#include <cstdlib>
#include <filesystem>

#include "base/assert.h"
#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled {

LogRecord Entry(uint64_t index, uint64_t term, std::string bytes) {
  return {.term = Term(term),
          .index = LogIndex(index),
          .kind = 1,
          .bytes = SharedBuffer(std::move(bytes))};
}

std::vector<LogRecord> Entries(uint64_t first, uint64_t last, uint64_t term) {
  std::vector<LogRecord> entries;
  for (uint64_t index = first; index <= last; ++index) {
    entries.push_back(
        Entry(index, term, "entry " + std::to_string(index) + " of " + std::to_string(term)));
  }
  return entries;
}

LogWrite Append(std::vector<LogRecord> entries) {
  LogWrite write{.group = kGroup};
  write.hard_state = HardState{.term = entries.back().term, .vote = std::nullopt};
  write.entries = std::move(entries);
  return write;
}

HardState Promise(uint64_t term, std::optional<std::string> vote) {
  HardState state{.term = Term(term), .vote = std::nullopt};
  if (vote.has_value()) state.vote = NodeId(*vote);
  return state;
}

absl::StatusOr<LogContents> ContentsOf(LogStore& store, GroupId group) {
  absl::StatusOr<LogState> state = store.Load(group);
  if (!state.ok()) return state.status();
  LogContents contents{.state = *state, .entries = {}};
  if (state->empty()) return contents;
  absl::StatusOr<std::vector<LogRecord>> entries =
      store.Read(group, state->first, state->last.Next(), SIZE_MAX);
  if (!entries.ok()) return entries.status();
  contents.entries = *std::move(entries);
  return contents;
}

void ModelLog::Write(const LogWrite& write) {
  if (write.hard_state.has_value()) hard_state = *write.hard_state;
  if (write.installing.has_value()) installing = write.installing;
  if (write.reset_to.has_value()) {
    entries.clear();
    before_first = *write.reset_to;
    installing.reset();
  }
  if (write.truncate_from.has_value()) {
    entries.erase(entries.lower_bound(*write.truncate_from), entries.end());
  }
  for (const LogRecord& entry : write.entries) entries[entry.index] = entry;
}

void ModelLog::CutBefore(LogIndex first_kept) {
  if (first_kept <= before_first.index) return;
  before_first = {.index = first_kept.Prev(), .term = TermOf(first_kept.Prev())};
  entries.erase(entries.begin(), entries.lower_bound(first_kept));
}

LogIndex ModelLog::last() const {
  return entries.empty() ? before_first.index : entries.rbegin()->first;
}

Term ModelLog::TermOf(LogIndex index) const {
  return index == before_first.index ? before_first.term : entries.at(index).term;
}

LogContents ModelLog::Contents() const {
  LogContents contents;
  contents.state = {.hard_state = hard_state,
                    .installing = installing,
                    .before_first = before_first,
                    .first = before_first.index.Next(),
                    .last = last(),
                    .term_runs = {}};
  for (const auto& [index, entry] : entries) {
    std::vector<TermRun>& runs = contents.state.term_runs;
    if (runs.empty() || runs.back().term != entry.term) runs.push_back({index, entry.term});
    contents.entries.push_back(entry);
  }
  return contents;
}

Rows RowsOf(const TableStore& store) {
  absl::StatusOr<std::vector<TableRow>> scanned = store.Scan("", "", SIZE_MAX);
  SCHEDULED_ASSERT(scanned.ok(), "the tables can be read");
  Rows rows;
  for (TableRow& row : *scanned) rows[row.key] = std::move(row.value);
  return rows;
}

absl::Status ApplyRows(TableStore& store, uint64_t index, const Rows& rows) {
  TableBatch batch(store);
  for (const auto& [key, value] : rows) {
    if (value.empty()) {
      batch.Delete(key);
    } else {
      batch.Put(key, value);
    }
  }
  PutApplied(batch, {.index = LogIndex(index), .term = Term(1)});
  return store.Apply(batch);
}

std::string AppliedRowOf(uint64_t index) {
  return EncodeAppliedRow({.index = LogIndex(index), .term = Term(1)});
}

DiskWorld::DiskWorld(uint64_t seed, Buffers buffers)
    : disk(seed),
      env(NewFaultyEnv(&disk)),
      resources({.write_buffer_bytes = size_t{buffers == Buffers::kSmall ? 256u : 65'536u} << 10,
                 .block_cache_bytes = size_t{1} << 20},
                env.get()) {
  SCHEDULED_ASSERT(env->CreateDir("/data").ok(), "the disk takes a directory");
  std::unique_ptr<rocksdb::Directory> root;
  SCHEDULED_ASSERT(env->NewDirectory("/", &root).ok() && root->Fsync().ok(), "and keeps it");
}

absl::StatusOr<std::unique_ptr<RocksLogStore>> DiskWorld::OpenLog(const RocksLogOptions& options) {
  return RocksLogStore::Open("/data/raft", resources, options);
}

absl::StatusOr<std::unique_ptr<RocksTableStore>> DiskWorld::OpenTables() {
  return RocksTableStore::Open("/data/tables", resources);
}

std::string DiskWorld::LogFile(std::string_view suffix) const {
  const std::vector<std::string> files = disk.FilesEndingWith("/data/raft", suffix);
  SCHEDULED_ASSERT(files.size() == 1, "there is one such file");
  return files.front();
}

TempDirectory::TempDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "scheduled_storage_XXXXXX";
  SCHEDULED_ASSERT(mkdtemp(name.data()) != nullptr, "a temporary directory can be made");
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace scheduled
