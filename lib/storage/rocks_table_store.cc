// See rocks_table_store.h. This file reads and writes rows; rocks_table_files.cc opens, copies and
// installs whole sets of tables.
#include "storage/rocks_table_store.h"

#include <optional>

#include "storage/applied_row.h"
#include "storage/table_batch.h"

namespace scheduled {
namespace {

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

std::shared_lock<std::shared_mutex> RocksTableStore::HoldDatabase() const {
  std::lock_guard gate(gate_);
  return std::shared_lock(switch_);
}

absl::StatusOr<std::optional<std::string>> RocksTableStore::Get(std::string_view key) const {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  const auto hold = HoldDatabase();
  rocksdb::PinnableSlice value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), ToSlice(key), &value);
  if (status.ok()) return std::optional<std::string>(std::in_place, value.data(), value.size());
  if (status.IsNotFound()) return std::optional<std::string>();
  return latch_.Fail(FromRocks(status, "cannot read the tables"));
}

absl::StatusOr<std::vector<TableRow>> RocksTableStore::Scan(std::string_view from,
                                                            std::string_view to,
                                                            size_t limit) const {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  const auto hold = HoldDatabase();
  const rocksdb::Slice upper = ToSlice(to);
  rocksdb::ReadOptions options;
  if (!to.empty()) options.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options));
  std::vector<TableRow> rows;
  if (limit == 0 || (!to.empty() && to <= from)) return rows;
  for (iterator->Seek(ToSlice(from)); iterator->Valid(); iterator->Next()) {
    rows.push_back({.key = iterator->key().ToString(), .value = iterator->value().ToString()});
    if (rows.size() == limit) break;
  }
  if (!iterator->status().ok()) {
    return latch_.Fail(FromRocks(iterator->status(), "cannot read the tables"));
  }
  return rows;
}

absl::Status RocksTableStore::Apply(const TableBatch& batch) {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  applied_ = AppliedBy(batch, applied_);
  for (const TableBatch::Op& op : batch.ops()) {
    if (op.value.has_value()) {
      batch_.Put(ToSlice(op.key), ToSlice(*op.value));
    } else {
      batch_.Delete(ToSlice(op.key));
    }
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const auto hold = HoldDatabase();
  const rocksdb::Status status = db_->Write(options, &batch_);
  batch_.Clear();
  if (!status.ok()) return latch_.Fail(FromRocks(status, "cannot write the tables"));
  return latch_.status();
}

absl::Status RocksTableStore::Flush() {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  const auto hold = HoldDatabase();
  rocksdb::FlushOptions options;
  options.wait = true;
  // Rather a write that waits a little than a flush that waits for writes to end.
  options.allow_write_stall = true;
  const rocksdb::Status status = db_->Flush(options);
  if (!status.ok()) return latch_.Fail(FromRocks(status, "cannot flush the tables"));
  return latch_.status();
}

absl::StatusOr<LogIndex> RocksTableStore::FlushedIndex() const {
  if (absl::Status status = latch_.status(); !status.ok()) return status;
  const auto hold = HoldDatabase();
  absl::StatusOr<LogPosition> flushed = AppliedIn(db_.get(), /*durable=*/true);
  if (!flushed.ok()) return latch_.Fail(flushed.status());
  return flushed->index;
}

TableStoreFigures RocksTableStore::figures() const {
  const auto hold = HoldDatabase();
  TableStoreFigures figures;
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &figures.unflushed_bytes);
  db_->GetIntProperty(rocksdb::DB::Properties::kLiveSstFilesSize, &figures.disk_bytes);
  db_->GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &figures.estimated_rows);
  db_->GetIntProperty(rocksdb::DB::Properties::kEstimatePendingCompactionBytes,
                      &figures.pending_compaction);
  return figures;
}

}  // namespace scheduled
