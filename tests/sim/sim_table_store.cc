// See sim_table_store.h.
#include "sim/sim_table_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/codec.h"
#include "storage/applied_row.h"
#include "storage/memory_snapshot_files.h"
#include "storage/table_batch.h"

namespace scheduled::sim {
namespace {

constexpr absl::Duration kLongestSync = absl::Seconds(20);
constexpr std::string_view kRowsFile = "rows";

}  // namespace

absl::StatusOr<std::optional<std::string>> SimTableStore::Get(std::string_view key) const {
  if (!failure_.ok()) return failure_;
  const auto row = rows_.find(key);
  if (row == rows_.end()) return std::optional<std::string>();
  return std::optional<std::string>(row->second);
}

absl::StatusOr<std::vector<TableRow>> SimTableStore::Scan(std::string_view from,
                                                          std::string_view to, size_t limit) const {
  if (!failure_.ok()) return failure_;
  std::vector<TableRow> result;
  for (auto row = rows_.lower_bound(from); row != rows_.end() && result.size() < limit; ++row) {
    if (!to.empty() && row->first >= to) break;
    result.push_back({.key = row->first, .value = row->second});
  }
  return result;
}

absl::Status SimTableStore::Apply(const TableBatch& batch) {
  if (!failure_.ok()) return failure_;
  if (sync_.full() && sync_.random().Chance(1, 8)) {
    Probe("disk.full");
    failure_ = absl::ResourceExhaustedError("simulated: the disk is full");
    return failure_;
  }
  Batch done;
  absl::StatusOr<LogPosition> applied = absl::InternalError("a batch without the applied row");
  for (const TableBatch::Op& op : batch.ops()) {
    if (op.key == kAppliedRowKey && op.value) applied = DecodeAppliedRow(*op.value);
    auto row = rows_.lower_bound(op.key);
    const bool known = row != rows_.end() && row->first == op.key;
    std::optional<std::string> before;
    if (known) before = std::move(row->second);
    done.undo.emplace_back(std::string(op.key), std::move(before));
    if (!op.value) {
      if (known) rows_.erase(row);
    } else if (known) {
      row->second.assign(*op.value);
    } else {
      rows_.emplace_hint(row, std::string(op.key), std::string(*op.value));
    }
  }
  if (!applied.ok()) return applied.status();
  if (applied->index < this->applied()) {
    return absl::InternalError("a batch whose applied row falls");
  }
  done.applied = applied->index;
  batches_.push_back(std::move(done));
  return absl::OkStatus();
}

absl::Status SimTableStore::Sync() {
  if (absl::Status synced = sync_.Sync(); !synced.ok()) failure_ = synced;
  return failure_;
}

absl::Status SimTableStore::Flush() {
  if (!failure_.ok()) return failure_;
  Settle(sync_.now() - kLongestSync);
  const LogIndex through = applied();
  if (absl::Status synced = Sync(); !synced.ok()) return synced;
  flushes_.push_back({sync_.now(), through});
  return absl::OkStatus();
}

absl::StatusOr<LogIndex> SimTableStore::FlushedIndex() const {
  if (!failure_.ok()) return failure_;
  LogIndex flushed = base_applied_;
  for (const FlushEnd& flush : flushes_) {
    if (flush.at <= sync_.now()) flushed = std::max(flushed, flush.applied);
  }
  return flushed;
}

absl::Status SimTableStore::Checkpoint(const std::string& dir) {
  if (!failure_.ok()) return failure_;
  std::string bytes;
  for (const auto& [key, value] : rows_) {
    for (const std::string* text : {&key, &value}) {
      AppendU32(&bytes, static_cast<uint32_t>(text->size()));
      bytes += *text;
    }
  }
  absl::Status written = files_.Create(dir);
  if (written.ok()) written = files_.Append(dir, kRowsFile, bytes);
  if (!written.ok()) return written;
  return Sync();
}

absl::Status SimTableStore::InstallFrom(const std::string& dir,
                                        std::optional<LogPosition> must_be) {
  if (!failure_.ok()) return failure_;
  absl::StatusOr<std::string> bytes = ReadSnapshotFile(files_, dir, kRowsFile);
  if (!bytes.ok()) return absl::InvalidArgumentError("no tables are there to be installed");
  Rows rows;
  for (KeyReader reader(*bytes); !reader.rest().empty();) {
    std::array<std::string_view, 2> row;
    for (std::string_view& text : row) {
      uint32_t size = 0;
      if (!reader.U32(&size) || !reader.Raw(size, &text)) {
        return absl::InvalidArgumentError("the tables to be installed are damaged");
      }
    }
    rows.emplace(row[0], row[1]);
  }
  if (must_be) {
    const auto row = rows.find(kAppliedRowKey);
    const absl::StatusOr<LogPosition> at =
        row == rows.end() ? LogPosition{} : DecodeAppliedRow(row->second);
    if (!at.ok() || *at != *must_be) {
      return absl::InvalidArgumentError("the tables to be installed are of another position");
    }
  }
  Replaced old{{}, {}, base_applied_, std::move(batches_), std::move(flushes_)};
  batches_.clear();
  flushes_.clear();
  old.rows = std::move(rows_);
  rows_ = std::move(rows);
  const absl::StatusOr<LogPosition> applied = ReadApplied(*this);
  if (!applied.ok()) return applied.status();
  base_applied_ = applied->index;
  // A crash before the end of the sync leaves the old tables or, as a rename that got through, the
  // new ones.
  const absl::Status synced = Sync();
  old.until = synced.ok() ? sync_.now() : MonoTime::Infinite();
  replaced_ = std::move(old);
  if (!synced.ok()) return synced;
  Probe("disk.tables-installed");
  return files_.Remove(dir);
}

void SimTableStore::Settle(MonoTime now) {
  if (replaced_ && replaced_->until <= now) replaced_.reset();
  while (!flushes_.empty() && flushes_.front().at <= now) {
    while (!batches_.empty() && batches_.front().applied <= flushes_.front().applied) {
      base_applied_ = batches_.front().applied;
      batches_.pop_front();
    }
    flushes_.pop_front();
  }
}

// By chance, if the crash came within an install.
void SimTableStore::UndoInstall(Random* random) {
  if (!replaced_) return;
  Replaced old = *std::exchange(replaced_, std::nullopt);
  if (old.until <= sync_.now()) return;
  if (random->Chance(1, 2)) {
    Probe("disk.crash-after-switch");
    return;
  }
  Probe("disk.crash-before-switch");
  rows_ = std::move(old.rows);
  base_applied_ = old.base_applied;
  batches_ = std::move(old.batches);
  flushes_ = std::move(old.flushes);
}

void SimTableStore::Wipe() {
  rows_.clear();
  batches_.clear();
  flushes_.clear();
  base_applied_ = LogIndex();
  replaced_.reset();
  failure_ = absl::OkStatus();
}

void SimTableStore::Crash(Random* random) {
  UndoInstall(random);
  Settle(sync_.now());
  flushes_.clear();
  // Often all or nothing, which are the usual cases; else anything in between.
  size_t kept = random->Uniform(batches_.size() + 1);
  if (random->Chance(1, 4)) kept = 0;
  if (random->Chance(1, 4)) kept = batches_.size();
  if (batches_.size() > kept) Probe("disk.tables-fall-back");
  while (batches_.size() > kept) {
    Batch& last = batches_.back();
    for (auto undo = last.undo.rbegin(); undo != last.undo.rend(); ++undo) {
      if (undo->second) {
        rows_.insert_or_assign(undo->first, *std::move(undo->second));
      } else {
        rows_.erase(undo->first);
      }
    }
    batches_.pop_back();
  }
  if (!batches_.empty()) base_applied_ = batches_.back().applied;
  batches_.clear();
  failure_ = absl::OkStatus();
}

}  // namespace scheduled::sim
