// See torn_tail.h, where the format is described. Runs at start, before the lanes.
#include "storage/torn_tail.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/assert.h"
#include "rocksdb/env.h"
#include "storage/durable_file.h"

namespace scheduled {
namespace {

constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;

enum RecordType : uint8_t { kWholeBatch = 1, kFirstPart = 2, kMiddlePart = 3, kLastPart = 4 };

// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), bit by bit into a table. No library that
// is at hand offers it, and this runs only where a database did not open.
std::array<uint32_t, 256> CrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}

uint32_t MaskedCrc(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = CrcTable();
  uint32_t crc = 0xffffffffu;
  for (char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xff] ^ (crc >> 8);
  crc ^= 0xffffffffu;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

struct Record {
  RecordType type;
  size_t end;  // offset behind it
};

// The record at `offset`, if there is an intact one.
std::optional<Record> RecordAt(std::string_view file, size_t offset) {
  const size_t block_end = std::min(file.size(), (offset / kBlockBytes + 1) * kBlockBytes);
  if (block_end - offset < kHeaderBytes) return std::nullopt;
  const auto type = static_cast<uint8_t>(file[offset + 6]);
  if (type < kWholeBatch || type > kLastPart) return std::nullopt;
  const size_t length = LittleEndian(file.substr(offset + 4, 2));
  if (length > block_end - offset - kHeaderBytes) return std::nullopt;
  if (LittleEndian(file.substr(offset, 4)) != MaskedCrc(file.substr(offset + 6, 1 + length))) {
    return std::nullopt;
  }
  return Record{.type = static_cast<RecordType>(type), .end = offset + kHeaderBytes + length};
}

bool HasBatchAfter(std::string_view file, size_t offset) {
  for (size_t place = offset; place + kHeaderBytes <= file.size(); ++place) {
    const std::optional<Record> record = RecordAt(file, place);
    if (record.has_value() && (record->type == kWholeBatch || record->type == kFirstPart)) {
      return true;
    }
  }
  return false;
}

// Where the next record begins: a block's last few bytes hold none.
size_t SkipTrailer(size_t offset) {
  const size_t left = kBlockBytes - offset % kBlockBytes;
  return left < kHeaderBytes ? offset + left : offset;
}

// Cuts what is torn off the file; true if there was anything.
bool TrimFile(rocksdb::Env* env, const std::string& path) {
  absl::StatusOr<std::string> file = ReadWholeFile(env, path);
  if (!file.ok()) return false;
  const LogTail tail = FindLogTail(*file);
  if (tail.kind != LogTail::Kind::kTorn) return false;
  if (!env->Truncate(path, tail.whole_bytes).ok()) return false;
  return SyncFile(env, path).ok();
}

std::optional<std::string> NewestWal(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, dir);
  if (!names.ok()) return std::nullopt;
  uint64_t newest = 0;
  for (const std::string& name : *names) {
    absl::string_view stem = name;
    uint64_t number = 0;
    if (absl::ConsumeSuffix(&stem, ".log") && absl::SimpleAtoi(stem, &number)) {
      newest = std::max(newest, number);
    }
  }
  if (newest == 0) return std::nullopt;
  return absl::StrCat(dir, "/", absl::Dec(newest, absl::kZeroPad6), ".log");
}

std::optional<std::string> CurrentManifest(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::string> name = ReadWholeFile(env, dir + "/CURRENT");
  if (!name.ok()) return std::nullopt;
  return absl::StrCat(dir, "/", absl::StripSuffix(*name, "\n"));
}

}  // namespace

LogTail FindLogTail(std::string_view file) {
  size_t offset = 0;
  size_t whole_bytes = 0;
  bool in_batch = false;
  while (SkipTrailer(offset) < file.size()) {
    offset = SkipTrailer(offset);
    const std::optional<Record> record = RecordAt(file, offset);
    const bool begins =
        record.has_value() && (record->type == kWholeBatch || record->type == kFirstPart);
    // A batch that begins within another is one that was torn, and written over by nobody.
    if (!record.has_value() || begins == in_batch) {
      const bool damaged = HasBatchAfter(file, record.has_value() ? offset : offset + 1);
      return {.kind = damaged ? LogTail::Kind::kDamaged : LogTail::Kind::kTorn,
              .whole_bytes = whole_bytes};
    }
    in_batch = record->type == kFirstPart || record->type == kMiddlePart;
    offset = record->end;
    if (!in_batch) whole_bytes = offset;
  }
  if (in_batch) return {.kind = LogTail::Kind::kTorn, .whole_bytes = whole_bytes};
  return {.kind = LogTail::Kind::kWhole, .whole_bytes = file.size()};
}

rocksdb::Status OpenTrimmingTornTail(const rocksdb::Options& options, const std::string& path,
                                     std::unique_ptr<rocksdb::DB>* db) {
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  if (status.IsCorruption()) {
    bool trimmed = false;
    for (const std::optional<std::string>& file :
         {NewestWal(options.env, path), CurrentManifest(options.env, path)}) {
      if (file.has_value() && TrimFile(options.env, *file)) trimmed = true;
    }
    if (trimmed) {
      Probe("storage.torn_tail_trimmed");
      status = rocksdb::DB::Open(options, path, &opened);
    }
  }
  db->reset(opened);
  return status;
}

}  // namespace scheduled
