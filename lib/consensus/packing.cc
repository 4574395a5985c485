// See packing.h, where the format is described.
#include "consensus/packing.h"

#include <utility>

#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kAloneBit = 1;

uint32_t ReadU32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < sizeof(value); ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

SharedBuffer Pack(std::span<const std::string> commands, bool alone) {
  SCHEDULED_ASSERT(!commands.empty(), "an entry has a command");
  SCHEDULED_ASSERT(!alone || commands.size() == 1, "what is alone has no company");
  size_t size = kPackedHeaderBytes;
  for (const std::string& command : commands) size += kPackedCommandBytes + command.size();
  std::string entry;
  entry.reserve(size);
  AppendU8(&entry, kVersion << 4 | (alone ? kAloneBit : 0));
  AppendU32(&entry, static_cast<uint32_t>(commands.size()));
  for (const std::string& command : commands) {
    AppendU32(&entry, static_cast<uint32_t>(command.size()));
  }
  for (const std::string& command : commands) entry += command;
  SCHEDULED_ASSERT(entry.size() == size, "the size of an entry is known before it is made");
  return SharedBuffer(std::move(entry));
}

absl::StatusOr<PackedReader> PackedReader::Open(std::string_view entry) {
  if (entry.size() < kPackedHeaderBytes) return absl::DataLossError("an entry is too short");
  const uint8_t first = static_cast<uint8_t>(entry[0]);
  if (first >> 4 != kVersion) {
    return absl::UnimplementedError("an entry was packed by a newer version of this program");
  }
  if ((first & 0x0f & ~kAloneBit) != 0) {
    return absl::DataLossError("an entry has bits set that mean nothing");
  }
  PackedReader reader;
  reader.alone_ = (first & kAloneBit) != 0;
  reader.count_ = ReadU32(entry.substr(1));
  const std::string_view rest = entry.substr(kPackedHeaderBytes);
  if (reader.count_ == 0 || (reader.alone_ && reader.count_ != 1) ||
      reader.count_ > rest.size() / kPackedCommandBytes) {
    return absl::DataLossError("an entry has an impossible number of commands");
  }
  reader.sizes_ = rest.substr(0, reader.count_ * kPackedCommandBytes);
  reader.commands_ = rest.substr(reader.sizes_.size());
  uint64_t total = 0;
  for (size_t at = 0; at < reader.sizes_.size(); at += kPackedCommandBytes) {
    total += ReadU32(reader.sizes_.substr(at));
  }
  if (total != reader.commands_.size()) {
    return absl::DataLossError("the commands of an entry do not fill it");
  }
  return reader;
}

std::string_view PackedReader::Next() {
  SCHEDULED_ASSERT(!sizes_.empty(), "an entry has no command behind its last");
  const std::string_view command = commands_.substr(0, ReadU32(sizes_));
  sizes_.remove_prefix(kPackedCommandBytes);
  commands_.remove_prefix(command.size());
  return command;
}

}  // namespace scheduled
