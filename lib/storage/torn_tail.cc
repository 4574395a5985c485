// See torn_tail.h, where the format is described. Runs at start, before the lanes.
#include "storage/torn_tail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/assert.h"
#include "rocksdb/env.h"
#include "storage/durable_file.h"
#include "storage/rocks_options.h"

namespace scheduled {
namespace {

constexpr size_t kWalBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;

enum RecordType : uint8_t { kWholeBatch = 1, kFirstPart = 2, kMiddlePart = 3, kLastPart = 4 };
bool BeginsBatch(uint8_t type) { return type == kWholeBatch || type == kFirstPart; }
bool IsOfBatch(uint8_t type) { return type >= kWholeBatch && type <= kLastPart; }

// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), bit by bit into a table. No library that
// is at hand offers it, and the speed of this is that of reading the file.
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
  uint8_t type = 0;
  size_t end = 0;  // offset behind it
};

// The record at `offset`, if there is an intact one.
std::optional<Record> RecordAt(std::string_view file, size_t offset) {
  const size_t block_end = std::min(file.size(), (offset / kWalBlockBytes + 1) * kWalBlockBytes);
  if (block_end - offset < kHeaderBytes) return std::nullopt;
  const auto type = static_cast<uint8_t>(file[offset + 6]);
  const size_t length = LittleEndian(file.substr(offset + 4, 2));
  if (type == 0) return std::nullopt;
  if (length > block_end - offset - kHeaderBytes) return std::nullopt;
  if (LittleEndian(file.substr(offset, 4)) != MaskedCrc(file.substr(offset + 6, 1 + length))) {
    return std::nullopt;
  }
  return Record{.type = type, .end = offset + kHeaderBytes + length};
}

bool HasBatchAfter(std::string_view file, size_t offset) {
  for (size_t place = offset; place + kHeaderBytes <= file.size(); ++place) {
    // The type first: it rules out nearly every place without a sum over what may stand there.
    if (BeginsBatch(static_cast<uint8_t>(file[place + 6])) && RecordAt(file, place).has_value()) {
      return true;
    }
  }
  return false;
}

// Where the next record begins: a block's last few bytes hold none.
size_t SkipTrailer(size_t offset) {
  const size_t left = kWalBlockBytes - offset % kWalBlockBytes;
  return left < kHeaderBytes ? offset + left : offset;
}

// RocksDB's file system for POSIX has no Truncate of a closed file, so that the system's is called
// where an environment says that it has none.
absl::Status CutTo(rocksdb::Env* env, const std::string& path, size_t bytes) {
  rocksdb::Status status = env->Truncate(path, bytes);
  if (status.IsNotSupported() && truncate(path.c_str(), static_cast<off_t>(bytes)) == 0) {
    return absl::OkStatus();
  }
  if (status.ok()) return absl::OkStatus();
  return FromRocks(status, absl::StrCat("cannot cut the torn end off ", path));
}

// `may_be_torn` where the last batch need not have been synced.
absl::Status CheckFile(rocksdb::Env* env, const std::string& path, bool may_be_torn) {
  absl::StatusOr<std::string> file = ReadWholeFile(env, path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  if (!file.ok()) return file.status();
  const LogTail tail = FindLogTail(*file);
  if (tail.kind == LogTail::Kind::kWhole) return absl::OkStatus();
  if (tail.kind == LogTail::Kind::kDamaged || !may_be_torn) {
    Probe("storage.log_file_damaged");
    return absl::DataLossError(absl::StrCat(path, " is damaged at byte ", tail.whole_bytes, " of ",
                                            file->size(),
                                            "; what was acknowledged after it may be lost"));
  }
  Probe("storage.torn_tail_trimmed");
  if (absl::Status status = CutTo(env, path, tail.whole_bytes); !status.ok()) return status;
  return SyncFile(env, path);
}

}  // namespace

LogTail FindLogTail(std::string_view file) {
  size_t offset = 0;
  size_t whole_bytes = 0;
  bool in_batch = false;
  while (SkipTrailer(offset) < file.size()) {
    offset = SkipTrailer(offset);
    const std::optional<Record> record = RecordAt(file, offset);
    if (record.has_value() && !IsOfBatch(record->type)) {
      offset = record->end;
      continue;
    }
    // A part that does not go on with the batch before it stands where another one was torn.
    if (!record.has_value() || BeginsBatch(record->type) == in_batch) {
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

absl::Status CheckLogFiles(rocksdb::Env* env, const std::string& dir) {
  absl::StatusOr<std::string> manifest = ReadWholeFile(env, dir + "/CURRENT");
  if (absl::IsNotFound(manifest.status())) return absl::OkStatus();
  if (!manifest.ok()) return manifest.status();
  const std::string manifest_path = absl::StrCat(dir, "/", absl::StripSuffix(*manifest, "\n"));
  if (absl::Status status = CheckFile(env, manifest_path, true); !status.ok()) return status;
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, dir);
  if (!names.ok()) return names.status();
  std::vector<std::pair<uint64_t, std::string>> wals;
  for (const std::string& name : *names) {
    absl::string_view stem = name;
    uint64_t number = 0;
    if (absl::ConsumeSuffix(&stem, ".log") && absl::SimpleAtoi(stem, &number)) {
      wals.emplace_back(number, absl::StrCat(dir, "/", name));
    }
  }
  std::sort(wals.begin(), wals.end());
  for (const auto& [number, path] : wals) {
    const bool newest = number == wals.back().first;
    if (absl::Status status = CheckFile(env, path, newest); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace scheduled
