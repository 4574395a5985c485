// See slot_key.h.
#include "slots/slot_key.h"

#include "absl/strings/str_cat.h"

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

void AppendSlotKey(const SlotKeyParts& parts, KeyWriter* key) {
  key->I64(parts.due_us)
      .U8(static_cast<uint8_t>(kMaxPriority - parts.priority))
      .String(parts.id)
      .U64(parts.number);
}

bool ReadSlotKey(std::string_view rest, SlotKeyParts* parts) {
  KeyReader reader(rest);
  uint8_t urgency = 0;
  reader.I64(&parts->due_us);
  reader.U8(&urgency);
  reader.String(&parts->id);
  reader.U64(&parts->number);
  parts->priority = kMaxPriority - urgency;
  return reader.AtEnd() && urgency <= kMaxPriority && !parts->id.empty() &&
         parts->id.size() <= kMaxSlotIdBytes;
}

std::string EncodeSlotEntry(std::string_view prefix, const SlotEntry& entry) {
  KeyWriter key;
  key.Raw(prefix);
  AppendSlotKey({.due_us = DueMicros(entry),
                 .priority = entry.priority,
                 .id = entry.id,
                 .number = entry.number},
                &key);
  return key.Take();
}

bool DecodeSlotEntry(std::string_view prefix, std::string_view key, SlotEntry* entry) {
  SlotKeyParts parts;
  if (!key.starts_with(prefix) || !ReadSlotKey(key.substr(prefix.size()), &parts)) return false;
  *entry = {.due = absl::FromUnixMicros(parts.due_us),
            .priority = parts.priority,
            .id = std::string(parts.id),
            .number = parts.number};
  return DueMicros(*entry) == parts.due_us;
}

std::string FirstSlotKey(std::string_view prefix, absl::Time due) {
  return KeyWriter().Raw(prefix).I64(absl::ToUnixMicros(due)).Take();
}

}  // namespace scheduled
