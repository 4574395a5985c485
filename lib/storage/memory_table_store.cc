// See memory_table_store.h. A checkpoint is one file:
//
//   magic "SCHDMEM1" | rows, each varint key size, key, varint value size, value | XXH3 of all that
//
// It is written and read whole; a file that is short or altered fails its checksum.
#include "storage/memory_table_store.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "storage/applied_row.h"
#include "storage/memory_snapshot_files.h"
#include "storage/table_batch.h"

namespace scheduled {
namespace {

constexpr std::string_view kMagic = "SCHDMEM1";
constexpr std::string_view kFileName = "rows";

absl::StatusOr<LogPosition> AppliedIn(const TableRows& rows) {
  const auto row = rows.find(kAppliedRowKey);
  if (row == rows.end()) return LogPosition{};
  return DecodeAppliedRow(row->second);
}

}  // namespace

std::string EncodeTableRows(const TableRows& rows) {
  std::string file(kMagic);
  for (const auto& [key, value] : rows) {
    AppendVarint(&file, key.size());
    file.append(key);
    AppendVarint(&file, value.size());
    file.append(value);
  }
  AppendU64(&file, Checksum64(file));
  return file;
}

std::optional<TableRows> DecodeTableRows(std::string_view file) {
  if (file.size() < kMagic.size() + sizeof(uint64_t)) return std::nullopt;
  const std::string_view body = file.substr(0, file.size() - sizeof(uint64_t));
  uint64_t sum = 0;
  KeyReader(file.substr(body.size())).U64(&sum);
  if (sum != Checksum64(body) || body.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  TableRows rows;
  KeyReader reader(body.substr(kMagic.size()));
  while (reader.ok() && !reader.rest().empty()) {
    uint64_t key_size = 0, value_size = 0;
    std::string_view key, value;
    reader.Varint(&key_size);
    reader.Raw(key_size, &key);
    reader.Varint(&value_size);
    if (reader.Raw(value_size, &value)) rows.insert_or_assign(std::string(key), value);
  }
  if (!reader.AtEnd()) return std::nullopt;
  return rows;
}

absl::StatusOr<std::optional<std::string>> MemoryTableStore::Get(std::string_view key) const {
  std::shared_lock lock(mutex_);
  const auto row = rows_.find(key);
  if (row == rows_.end()) return std::optional<std::string>();
  return std::optional<std::string>(row->second);
}

absl::StatusOr<std::vector<TableRow>> MemoryTableStore::Scan(std::string_view from,
                                                             std::string_view to,
                                                             size_t limit) const {
  std::shared_lock lock(mutex_);
  std::vector<TableRow> result;
  for (auto row = rows_.lower_bound(from); row != rows_.end() && result.size() < limit; ++row) {
    if (!to.empty() && row->first >= to) break;
    result.push_back({.key = row->first, .value = row->second});
  }
  return result;
}

absl::Status MemoryTableStore::Apply(const TableBatch& batch) {
  std::unique_lock lock(mutex_);
  applied_ = AppliedBy(batch, applied_);
  for (const TableBatch::Op& op : batch.ops()) {
    if (op.value.has_value()) {
      rows_.insert_or_assign(std::string(op.key), std::string(*op.value));
    } else if (const auto row = rows_.find(op.key); row != rows_.end()) {
      rows_.erase(row);
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryTableStore::Flush() {
  std::unique_lock lock(mutex_);
  flushed_ = applied_.index;
  return absl::OkStatus();
}

absl::StatusOr<LogIndex> MemoryTableStore::FlushedIndex() const {
  std::shared_lock lock(mutex_);
  return flushed_;
}

absl::Status MemoryTableStore::Checkpoint(const std::string& dir) {
  std::string file;
  {
    std::shared_lock lock(mutex_);
    file = EncodeTableRows(rows_);
  }
  return WriteCopy(dir, file);
}

absl::Status MemoryTableStore::WriteCopy(const std::string& dir, const std::string& file) {
  if (files_ != nullptr) {
    if (absl::Status made = files_->Create(dir); !made.ok()) return made;
    return files_->Append(dir, kFileName, file);
  }
  std::error_code error;
  if (!std::filesystem::create_directory(dir, error)) {
    return absl::UnavailableError(absl::StrCat("cannot create ", dir, ": ", error.message()));
  }
  std::ofstream out(std::filesystem::path(dir) / kFileName, std::ios::binary);
  out << file;
  out.close();
  if (!out) return absl::UnavailableError(absl::StrCat("cannot write into ", dir));
  return absl::OkStatus();
}

absl::StatusOr<std::string> MemoryTableStore::ReadCopy(const std::string& dir) {
  if (files_ != nullptr) return ReadSnapshotFile(*files_, dir, kFileName);
  std::ifstream in(std::filesystem::path(dir) / kFileName, std::ios::binary);
  std::string file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return absl::NotFoundError("there is no copy of tables");
  return file;
}

absl::Status MemoryTableStore::InstallFrom(const std::string& dir,
                                           std::optional<LogPosition> must_be) {
  const absl::StatusOr<std::string> file = ReadCopy(dir);
  std::optional<TableRows> rows = file.ok() ? DecodeTableRows(*file) : std::nullopt;
  if (!rows) return absl::InvalidArgumentError(absl::StrCat(dir, " does not hold intact tables"));
  absl::StatusOr<LogPosition> applied = AppliedIn(*rows);
  if (!applied.ok()) return absl::InvalidArgumentError(applied.status().message());
  if (must_be && *applied != *must_be) return WrongPosition(dir, *applied);
  {
    std::unique_lock lock(mutex_);
    rows_.swap(*rows);
    applied_ = *applied;
    flushed_ = applied->index;
  }
  if (files_ != nullptr) return files_->Remove(dir);
  std::error_code ignored;  // what is left of the copy is only in the way
  std::filesystem::remove_all(dir, ignored);
  return absl::OkStatus();
}

}  // namespace scheduled
