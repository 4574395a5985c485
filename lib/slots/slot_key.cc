// See slot_key.h.
#include "slots/slot_key.h"

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {

int64_t DueMicros(const SlotEntry& entry) { return absl::ToUnixMicros(entry.due); }

absl::Status ValidateSlotEntry(const SlotEntry& entry) {
  if (entry.id.empty() || entry.id.size() > kMaxSlotIdBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("id has ", entry.id.size(), " bytes; it needs 1 to ", kMaxSlotIdBytes));
  }
  if (entry.id.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("id has a NUL byte within");
  }
  if (entry.priority < 0 || entry.priority > kMaxPriority) {
    return absl::InvalidArgumentError(
        absl::StrCat("priority is ", entry.priority, "; it needs to be 0 to ", kMaxPriority));
  }
  return absl::OkStatus();
}

std::string SlotKey(std::string_view prefix, const SlotEntry& entry) {
  return KeyWriter()
      .Raw(prefix)
      .I64(DueMicros(entry))
      .U8(static_cast<uint8_t>(kMaxPriority - entry.priority))
      .String(entry.id)
      .U64(entry.number)
      .Take();
}

std::string SlotKeyFrom(std::string_view prefix, absl::Time due) {
  return KeyWriter().Raw(prefix).I64(absl::ToUnixMicros(due)).Take();
}

bool ParseSlotKey(std::string_view prefix, std::string_view key, SlotEntry* entry) {
  if (key.substr(0, prefix.size()) != prefix) return false;
  KeyReader reader(key.substr(prefix.size()));
  int64_t due = 0;
  uint8_t urgency = 0;
  std::string_view id;
  reader.I64(&due);
  reader.U8(&urgency);
  reader.String(&id);
  reader.U64(&entry->number);
  if (!reader.AtEnd() || urgency > kMaxPriority || id.empty() || id.size() > kMaxSlotIdBytes) {
    return false;
  }
  entry->due = absl::FromUnixMicros(due);
  entry->priority = kMaxPriority - urgency;
  entry->id = id;
  return DueMicros(*entry) == due;
}

}  // namespace scheduled
