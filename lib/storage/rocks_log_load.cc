// How a RocksLogStore is opened and a log is loaded: everything that is checked before a node
// trusts what it finds. See rocks_log_store.h for what MARK holds. Runs once at start, before the
// lanes.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/assert.h"
#include "storage/durable_file.h"
#include "storage/log_record.h"
#include "storage/log_state.h"
#include "storage/rocks_log_store.h"
#include "storage/torn_tail.h"

namespace scheduled {
namespace {

constexpr std::string_view kMarkTitle = "scheduled log mark";
constexpr uint64_t kMarkFormat = 1;

struct Mark {
  uint64_t sequence = 0;  // the database had reached it, durably
  uint64_t wal = 0;       // the write-ahead log in use then
};

std::string MarkPath(const std::string& dir) { return dir + "/MARK"; }

absl::StatusOr<Mark> ReadMark(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::string> text = ReadWholeFile(env, MarkPath(dir));
  if (!text.ok()) return text.status();
  absl::StatusOr<FileRecord> record = FileRecord::Decode(kMarkTitle, *text);
  if (!record.ok()) {
    return absl::DataLossError(absl::StrCat(MarkPath(dir), ": ", record.status().message()));
  }
  absl::StatusOr<uint64_t> format = record->GetNumber("format");
  if (format.ok() && *format != kMarkFormat) {
    return absl::FailedPreconditionError(absl::StrCat(MarkPath(dir), " has format ", *format,
                                                      ", and this program knows ", kMarkFormat,
                                                      ": run the newer program on it"));
  }
  absl::StatusOr<uint64_t> sequence = record->GetNumber("sequence");
  absl::StatusOr<uint64_t> wal = record->GetNumber("wal");
  for (const absl::Status& status : {format.status(), sequence.status(), wal.status()}) {
    if (!status.ok()) {
      return absl::DataLossError(absl::StrCat(MarkPath(dir), ": ", status.message()));
    }
  }
  return Mark{.sequence = *sequence, .wal = *wal};
}

// The largest number of a write-ahead log in the directory, 0 if there is none.
uint64_t LargestWal(const std::vector<std::string>& names) {
  uint64_t largest = 0;
  for (const std::string& name : names) {
    absl::string_view stem = name;
    uint64_t number = 0;
    if (absl::ConsumeSuffix(&stem, ".log") && absl::SimpleAtoi(stem, &number)) {
      largest = std::max(largest, number);
    }
  }
  return largest;
}

absl::Status DamagedLog(GroupId group, std::string_view how) {
  return absl::DataLossError(absl::StrCat("the log of group ", group.value, " is damaged: ",
                                          absl::string_view(how.data(), how.size())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksLogStore>> RocksLogStore::Open(const std::string& dir,
                                                                   const RocksResources& resources,
                                                                   const RocksLogOptions& options) {
  std::unique_ptr<RocksLogStore> store(new RocksLogStore(dir, resources.env(), options));
  if (absl::Status status = CreateDirectoryDurably(store->env_, dir); !status.ok()) return status;
  if (absl::Status status = store->CheckMarkBeforeOpen(); !status.ok()) return status;
  if (absl::Status status = CheckLogFiles(store->env_, dir); !status.ok()) return status;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(resources.LogOptions(&store->latch_), dir, &db);
  store->db_.reset(db);
  if (!opened.ok()) return FromRocks(opened, absl::StrCat("cannot open the log in ", dir));
  if (absl::Status status = store->CheckMarkAfterOpen(); !status.ok()) return status;
  if (absl::Status status = store->WriteMark(); !status.ok()) return status;
  return store;
}

absl::Status RocksLogStore::CheckMarkBeforeOpen() const {
  absl::StatusOr<Mark> mark = ReadMark(env_, dir_);
  // Without a mark the store was never opened to the end, and nothing was ever written to it.
  if (absl::IsNotFound(mark.status())) {
    if (!options_.must_exist) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("the log is missing in ", dir_, ", and this node is a member of a cluster"));
  }
  if (!mark.ok()) return mark.status();
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env_, dir_);
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), "CURRENT") == names->end()) {
    return absl::DataLossError(absl::StrCat("the database of the log is missing in ", dir_));
  }
  if (LargestWal(*names) < mark->wal) {
    Probe("storage.wal_missing");
    return absl::DataLossError(
        absl::StrCat("the write-ahead log is missing in ", dir_, ": expected ", mark->wal,
                     ".log or a later one; what was acknowledged last may be lost"));
  }
  return absl::OkStatus();
}

absl::Status RocksLogStore::CheckMarkAfterOpen() const {
  absl::StatusOr<Mark> mark = ReadMark(env_, dir_);
  if (absl::IsNotFound(mark.status())) {
    if (db_->GetLatestSequenceNumber() == 0) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(MarkPath(dir_), " is missing beside a log"));
  }
  if (!mark.ok()) return mark.status();
  if (db_->GetLatestSequenceNumber() >= mark->sequence) return absl::OkStatus();
  Probe("storage.log_ends_early");
  return absl::DataLossError(absl::StrCat(
      "the log in ", dir_,
      " ends before a point that it had reached durably: ", db_->GetLatestSequenceNumber(), " of ",
      mark->sequence, " changes are there; what was acknowledged may be lost"));
}

absl::Status RocksLogStore::WriteMark() const {
  std::unique_ptr<rocksdb::LogFile> wal;
  if (rocksdb::Status status = db_->GetCurrentWalFile(&wal); !status.ok()) {
    return FromRocks(status, absl::StrCat("cannot find the write-ahead log in ", dir_));
  }
  const FileRecord record{.title = std::string(kMarkTitle),
                          .fields = {{"format", absl::StrCat(kMarkFormat)},
                                     {"sequence", absl::StrCat(db_->GetLatestSequenceNumber())},
                                     {"wal", absl::StrCat(wal->LogNumber())}}};
  return WriteFileDurably(env_, MarkPath(dir_), record.Encode());
}

absl::StatusOr<LogState> RocksLogStore::Load(GroupId group) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  absl::StatusOr<LogState> state = ReadState(group);
  if (!state.ok()) return latch_.Fail(state.status());
  CheckInvariants(*state);
  std::lock_guard lock(mutex_);
  Group& log = groups_[group];
  log.state = *state;
  log.first = state->first;
  log.last = state->last;
  return state;
}

absl::StatusOr<LogState> RocksLogStore::ReadState(GroupId group) const {
  LogState state = EmptyLogState();
  if (absl::Status status = ReadBounds(group, &state); !status.ok()) return status;
  if (absl::Status status = ReadEnds(group, &state); !status.ok()) return status;
  if (state.empty()) return state;
  if (absl::Status status = ReadTermRuns(group, &state); !status.ok()) return status;
  if (state.term_runs.front().term < state.before_first.term) {
    return DamagedLog(group, "its first entry is of an older term than what was cut before it");
  }
  if (state.term_runs.back().term > state.hard_state.term) {
    return DamagedLog(group, "it holds an entry of a later term than the node has promised");
  }
  return state;
}

absl::Status RocksLogStore::ReadRow(const std::string& key, std::string* value, bool* found) const {
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), key, value);
  *found = status.ok();
  if (status.IsNotFound()) return absl::OkStatus();
  return FromRocks(status, "cannot read the log");
}

absl::Status RocksLogStore::ReadBounds(GroupId group, LogState* state) const {
  std::string value;
  bool found = false;
  std::string key = LogRowKey(group, LogRowKind::kHardState);
  if (absl::Status status = ReadRow(key, &value, &found); !status.ok()) return status;
  if (found) {
    absl::StatusOr<HardState> hard_state = DecodeHardStateRow(key, value);
    if (!hard_state.ok()) return hard_state.status();
    state->hard_state = *std::move(hard_state);
  }
  key = LogRowKey(group, LogRowKind::kInstalling);
  if (absl::Status status = ReadRow(key, &value, &found); !status.ok()) return status;
  if (found) {
    absl::StatusOr<LogPosition> installing = DecodePositionRow(key, value);
    if (!installing.ok()) return installing.status();
    state->installing = *installing;
  }
  key = LogRowKey(group, LogRowKind::kBounds);
  if (absl::Status status = ReadRow(key, &value, &found); !status.ok()) return status;
  if (found) {
    absl::StatusOr<LogPosition> before_first = DecodePositionRow(key, value);
    if (!before_first.ok()) return before_first.status();
    if (before_first->index.value == UINT64_MAX)
      return DamagedLog(group, "its bounds are impossible");
    state->before_first = *before_first;
  }
  state->first = state->before_first.index.Next();
  state->last = state->before_first.index;
  return absl::OkStatus();
}

absl::Status RocksLogStore::ReadEnds(GroupId group, LogState* state) const {
  const std::string lower = LogRowKey(group, LogRowKind::kEntry);
  const std::string upper = LogEntriesEnd(group);
  const rocksdb::Slice lower_slice(lower);
  const rocksdb::Slice upper_slice(upper);
  rocksdb::ReadOptions read_options;
  read_options.iterate_lower_bound = &lower_slice;
  read_options.iterate_upper_bound = &upper_slice;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(read_options));
  iterator->SeekToFirst();
  if (iterator->Valid()) {
    absl::StatusOr<LogEntryKey> key = DecodeLogEntryKey(iterator->key().ToStringView());
    if (!key.ok()) return key.status();
    if (key->index != state->first) {
      return DamagedLog(group, absl::StrCat("it begins with entry ", key->index.value,
                                            " and not with ", state->first.value));
    }
    iterator->SeekToLast();
  }
  if (!iterator->status().ok()) return FromRocks(iterator->status(), "cannot read the log");
  if (!iterator->Valid()) return absl::OkStatus();
  absl::StatusOr<LogEntryKey> key = DecodeLogEntryKey(iterator->key().ToStringView());
  if (!key.ok()) return key.status();
  state->last = key->index;
  return absl::OkStatus();
}

absl::StatusOr<Term> RocksLogStore::ReadTerm(GroupId group, LogIndex index) const {
  const std::string key = LogRowKey(group, LogRowKind::kEntry, index);
  std::string value;
  bool found = false;
  if (absl::Status status = ReadRow(key, &value, &found); !status.ok()) return status;
  if (!found) return DamagedLog(group, absl::StrCat("entry ", index.value, " is missing"));
  absl::StatusOr<LogEntryView> entry = DecodeEntryRow(key, value);
  if (!entry.ok()) return entry.status();
  return entry->term;
}

// Terms do not fall along a log, so that the ends of a run are found by doubling steps and then by
// halving them: a log of few elections is known after few reads, however long it is.
absl::Status RocksLogStore::ReadTermRuns(GroupId group, LogState* state) const {
  LogIndex next = state->first;
  while (next <= state->last) {
    absl::StatusOr<Term> term = ReadTerm(group, next);
    if (!term.ok()) return term.status();
    if (!state->term_runs.empty() && *term <= state->term_runs.back().term) {
      return DamagedLog(group, absl::StrCat("the terms fall at entry ", next.value));
    }
    state->term_runs.push_back({.first = next, .term = *term});
    absl::StatusOr<LogIndex> last = LastOfRun(group, next, *term, state->last);
    if (!last.ok()) return last.status();
    next = last->Next();
  }
  return absl::OkStatus();
}

absl::StatusOr<LogIndex> RocksLogStore::LastOfRun(GroupId group, LogIndex in_run, Term term,
                                                  LogIndex last) const {
  LogIndex beyond = last.Next();  // the smallest index that is known to be behind the run
  for (uint64_t step = 1; in_run.Next() < beyond;) {
    const uint64_t gap = beyond.value - in_run.value;
    const bool doubling = beyond == last.Next();
    const uint64_t stride = doubling ? std::min(step, gap - 1) : gap / 2;
    const LogIndex probe(in_run.value + stride);
    absl::StatusOr<Term> found = ReadTerm(group, probe);
    if (!found.ok()) return found.status();
    if (*found == term) {
      in_run = probe;
      step *= 2;
    } else {
      beyond = probe;
    }
  }
  return in_run;
}

}  // namespace scheduled
