// See slot_store.h.
#include "slots/slot_store.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "base/shared_buffer.h"
#include "storage/applied_row.h"
#include "storage/memory_table_store.h"
#include "storage/rocks_log_store.h"
#include "storage/rocks_table_store.h"

namespace scheduled {
namespace {

constexpr GroupId kGroup{1};
constexpr Term kTerm{1};
constexpr std::string_view kEntriesKey = "Mentries";
// The log is cut once it has this many records, and again after as many more.
constexpr uint64_t kCutEvery = 65536;
constexpr size_t kReplayBytes = size_t{1} << 20;

absl::StatusOr<uint64_t> ReadEntries(const TableStore& tables) {
  const absl::StatusOr<std::optional<std::string>> row = tables.Get(kEntriesKey);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return uint64_t{0};
  uint64_t entries = 0;
  KeyReader reader(**row);
  reader.U64(&entries);
  if (!reader.AtEnd()) return absl::DataLossError("the number of entries of the queue is damaged");
  return entries;
}

}  // namespace

std::unique_ptr<SlotStore> SlotStore::InMemory() {
  auto store = std::unique_ptr<SlotStore>(new SlotStore);
  store->tables_ = std::make_unique<MemoryTableStore>();
  store->batch_ = std::make_unique<TableBatch>(*store->tables_);
  return store;
}

absl::StatusOr<std::unique_ptr<SlotStore>> SlotStore::Open(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directory(dir, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot create the directory ", dir, ": ", error.message()));
  }
  auto store = std::unique_ptr<SlotStore>(new SlotStore);
  store->resources_ = std::make_unique<RocksResources>();
  absl::StatusOr<std::unique_ptr<RocksLogStore>> log =
      RocksLogStore::Open(dir + "/log", *store->resources_);
  if (!log.ok()) return log.status();
  absl::StatusOr<std::unique_ptr<RocksTableStore>> tables =
      RocksTableStore::Open(dir + "/tables", *store->resources_);
  if (!tables.ok()) return tables.status();
  store->log_ = *std::move(log);
  store->tables_ = *std::move(tables);
  store->batch_ = std::make_unique<TableBatch>(*store->tables_);
  if (absl::Status status = store->Load(); !status.ok()) return status;
  return store;
}

SlotStore::~SlotStore() {
  if (log_ == nullptr) return;
  // A failure here loses nothing: what was acknowledged is in the log.
  if (tables_ != nullptr) tables_->Flush().IgnoreError();
  log_->MarkCleanStop().IgnoreError();
}

absl::Status SlotStore::Load() {
  absl::StatusOr<LogState> log = log_->Load(kGroup);
  if (!log.ok()) return log.status();
  if (log->hard_state.term < kTerm) {
    LogWrite write;
    write.group = kGroup;
    write.hard_state = HardState{.term = kTerm, .vote = std::nullopt};
    if (absl::Status status = log_->Write({&write, 1}); !status.ok()) return status;
  }
  absl::StatusOr<LogPosition> applied = ReadApplied(*tables_);
  if (!applied.ok()) return applied.status();
  absl::StatusOr<uint64_t> entries = ReadEntries(*tables_);
  if (!entries.ok()) return entries.status();
  entries_ = *entries;
  last_ = applied->index;
  if (log->last < last_ || log->first > last_.Next()) {
    return absl::DataLossError(absl::StrCat("the queue's log has the records ", log->first.value,
                                            " to ", log->last.value, ", and its tables are at ",
                                            last_.value));
  }
  while (last_ < log->last) {
    absl::StatusOr<std::vector<LogRecord>> records =
        log_->Read(kGroup, last_.Next(), log->last.Next(), kReplayBytes);
    if (!records.ok()) return records.status();
    for (const LogRecord& record : *records) {
      if (absl::Status status = Replay(record); !status.ok()) return status;
    }
  }
  // From the log's first record, not its last: a log that many short lives have left is cut too.
  cut_at_ = LogIndex(log->first.value + kCutEvery);
  return absl::OkStatus();
}

absl::Status SlotStore::Replay(const LogRecord& record) {
  KeyReader reader(record.bytes.view());
  uint8_t byte = 0;
  reader.U8(&byte);
  const Op op = static_cast<Op>(byte);
  if (op != Op::kPut && op != Op::kDelete) {
    return absl::DataLossError(
        absl::StrCat("record ", record.index.value, " of the queue's log is damaged"));
  }
  return ApplyToTables(op, reader.rest(), record.index);
}

absl::StatusOr<bool> SlotStore::Contains(std::string_view key) const {
  absl::StatusOr<std::optional<std::string>> row = tables_->Get(key);
  if (!row.ok()) return row.status();
  return row->has_value();
}

absl::Status SlotStore::Put(std::string_view key) { return Write(Op::kPut, key); }
absl::Status SlotStore::Delete(std::string_view key) { return Write(Op::kDelete, key); }

absl::Status SlotStore::Write(Op op, std::string_view key) {
  const LogIndex index = last_.Next();
  if (log_ != nullptr) {
    LogWrite write;
    write.group = kGroup;
    write.entries.push_back(
        {.term = kTerm,
         .index = index,
         .bytes = SharedBuffer(KeyWriter().U8(static_cast<uint8_t>(op)).Raw(key).Take())});
    if (absl::Status status = log_->Write({&write, 1}); !status.ok()) return status;
  }
  if (absl::Status status = ApplyToTables(op, key, index); !status.ok()) return status;
  return log_ != nullptr && index >= cut_at_ ? CutLog() : absl::OkStatus();
}

absl::Status SlotStore::ApplyToTables(Op op, std::string_view key, LogIndex index) {
  SCHEDULED_ASSERT(op == Op::kPut || entries_ > 0, "only an entry that is there is removed");
  entries_ = op == Op::kPut ? entries_ + 1 : entries_ - 1;
  batch_->Clear();
  if (op == Op::kPut) {
    batch_->Put(key, "");
  } else {
    batch_->Delete(key);
  }
  batch_->Put(kEntriesKey, KeyWriter().U64(entries_).key());
  PutApplied(*batch_, {.index = index, .term = kTerm});
  if (absl::Status status = tables_->Apply(*batch_); !status.ok()) return status;
  last_ = index;
  return absl::OkStatus();
}

absl::Status SlotStore::CutLog() {
  cut_at_ = LogIndex(last_.value + kCutEvery);
  if (absl::Status status = tables_->Flush(); !status.ok()) return status;
  absl::StatusOr<LogIndex> durable = tables_->FlushedIndex();
  if (!durable.ok()) return durable.status();
  return log_->CutBefore(kGroup, durable->Next());
}

}  // namespace scheduled
