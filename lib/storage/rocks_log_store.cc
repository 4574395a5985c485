// See rocks_log_store.h. This file writes and reads; rocks_log_load.cc opens and loads.
#include "storage/rocks_log_store.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "rocksdb/convenience.h"
#include "storage/log_record.h"
#include "storage/log_state.h"

namespace scheduled {

RocksLogStore::RocksLogStore(std::string dir, rocksdb::Env* env, const RocksLogOptions& options)
    : dir_(std::move(dir)), env_(env), options_(options) {}

RocksLogStore::~RocksLogStore() = default;

RocksLogStore::Group& RocksLogStore::LoadedGroup(GroupId group) {
  std::lock_guard lock(mutex_);
  const auto found = groups_.find(group);
  SCHEDULED_ASSERT(found != groups_.end(), "a log is loaded before it is used");
  return found->second;
}

void RocksLogStore::BeginRemoval(Group& group) {
  std::lock_guard lock(mutex_);
  if (group.removals % 2 == 0) ++group.removals;
}

void RocksLogStore::Publish(Group& group) {
  std::lock_guard lock(mutex_);
  group.first = group.state.first;
  group.last = group.state.last;
  if (group.removals % 2 == 1) ++group.removals;
}

void RocksLogStore::Stage(GroupId id, Group& group, const LogWrite& write) {
  ApplyWrite(group.state, write);
  if (write.hard_state.has_value()) {
    const std::string key = LogRowKey(id, LogRowKind::kHardState);
    batch_.Put(key, EncodeHardStateRow(key, *write.hard_state));
  }
  if (write.installing.has_value()) {
    const std::string key = LogRowKey(id, LogRowKind::kInstalling);
    batch_.Put(key, EncodePositionRow(key, *write.installing));
  }
  if (write.reset_to.has_value()) {
    BeginRemoval(group);
    const std::string key = LogRowKey(id, LogRowKind::kBounds);
    batch_.Put(key, EncodePositionRow(key, *write.reset_to));
    batch_.Delete(LogRowKey(id, LogRowKind::kInstalling));
    batch_.DeleteRange(LogRowKey(id, LogRowKind::kEntry), LogEntriesEnd(id));
  }
  if (write.truncate_from.has_value()) {
    BeginRemoval(group);
    batch_.DeleteRange(LogRowKey(id, LogRowKind::kEntry, *write.truncate_from), LogEntriesEnd(id));
  }
  for (const LogRecord& entry : write.entries) {
    const std::string key = LogRowKey(id, LogRowKind::kEntry, entry.index);
    const std::string head = EncodeEntryHead(key, entry);
    const rocksdb::Slice key_part(key);
    const std::array<rocksdb::Slice, 2> value = {
        rocksdb::Slice(head), rocksdb::Slice(entry.bytes.view().data(), entry.bytes.size())};
    batch_.Put(rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(value.data(), 2));
  }
}

absl::Status RocksLogStore::Commit(std::string_view doing) {
  rocksdb::WriteOptions write_options;
  write_options.sync = options_.sync;
  const rocksdb::Status status = db_->Write(write_options, &batch_);
  batch_.Clear();
  if (!status.ok()) return latch_.Fail(FromRocks(status, doing));
  // An error in the background may have been told while this write went through.
  return latch_.status();
}

absl::Status RocksLogStore::Write(std::span<const LogWrite> writes) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  for (const LogWrite& write : writes) Stage(write.group, LoadedGroup(write.group), write);
  if (batch_.Count() == 0) return absl::OkStatus();
  if (absl::Status status = Commit("cannot write the log"); !status.ok()) return status;
  for (const LogWrite& write : writes) Publish(LoadedGroup(write.group));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LogRecord>> RocksLogStore::Read(GroupId group, LogIndex from,
                                                           LogIndex to, size_t max_bytes) {
  SCHEDULED_ASSERT(from < to, "a read asks for something");
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  Group& log = LoadedGroup(group);
  const absl::Status gone = absl::OutOfRangeError("the entries are no longer in the log");
  uint64_t removals = 0;
  {
    std::lock_guard lock(mutex_);
    if (from < log.first || to > log.last.Next()) return gone;
    removals = log.removals;
  }
  const std::string begin = LogRowKey(group, LogRowKind::kEntry, from);
  const std::string end = LogRowKey(group, LogRowKind::kEntry, to);
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions read_options;
  read_options.fill_cache = false;  // read once, in order: it would push out what is read again
  read_options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_options));

  std::vector<LogRecord> result;
  size_t bytes = 0;
  LogIndex index = from;
  for (iterator->Seek(begin); iterator->Valid() && index < to; iterator->Next()) {
    const std::string_view key = iterator->key().ToStringView();
    if (key != LogRowKey(group, LogRowKind::kEntry, index)) break;
    absl::StatusOr<LogEntryView> entry = DecodeEntryRow(key, iterator->value().ToStringView());
    if (!entry.ok()) return latch_.Fail(entry.status());
    bytes += entry->bytes.size();
    if (!result.empty() && bytes > max_bytes) return result;
    result.push_back({.term = entry->term,
                      .index = index,
                      .kind = entry->kind,
                      .bytes = SharedBuffer(std::string(entry->bytes))});
    index = index.Next();
  }
  if (!iterator->status().ok()) {
    return latch_.Fail(FromRocks(iterator->status(), "cannot read the log"));
  }
  if (index == to) return result;

  std::lock_guard lock(mutex_);
  if (removals % 2 == 1 || log.removals != removals) return gone;
  return latch_.Fail(absl::DataLossError(absl::StrCat(
      "entry ", index.value, " in the log of group ", group.value, " is missing in ", dir_)));
}

absl::Status RocksLogStore::CutBefore(GroupId group, LogIndex first_kept) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  Group& log = LoadedGroup(group);
  if (first_kept <= log.state.first) return absl::OkStatus();
  ApplyCut(log.state, first_kept);
  BeginRemoval(log);
  const std::string key = LogRowKey(group, LogRowKind::kBounds);
  const std::string begin = LogRowKey(group, LogRowKind::kEntry);
  const std::string end = LogRowKey(group, LogRowKind::kEntry, first_kept);
  batch_.Put(key, EncodePositionRow(key, log.state.before_first));
  // From 0 and not from the old first entry: files are dropped whole below, tombstones in them too.
  batch_.DeleteRange(begin, end);
  if (absl::Status status = Commit("cannot cut the log"); !status.ok()) return status;
  Publish(log);
  // Frees the disk at once where a file has nothing else in it. The cut is durable by now, so that
  // a file's loss can never precede it.
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  const rocksdb::Status status = rocksdb::DeleteFilesInRange(
      db_.get(), db_->DefaultColumnFamily(), &begin_slice, &end_slice, /*include_end=*/false);
  if (!status.ok()) return latch_.Fail(FromRocks(status, "cannot cut the log"));
  return absl::OkStatus();
}

absl::Status RocksLogStore::MarkCleanStop() {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  // Into a table file, so that the next start has nothing to replay.
  if (rocksdb::Status status = db_->Flush(rocksdb::FlushOptions()); !status.ok()) {
    return latch_.Fail(FromRocks(status, "cannot flush the log"));
  }
  if (absl::Status status = WriteMark(); !status.ok()) return latch_.Fail(status);
  return absl::OkStatus();
}

}  // namespace scheduled
