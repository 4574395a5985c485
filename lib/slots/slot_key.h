// The key of one time-ordered row, behind the prefix of its queue. Keys sort as entries do, so a
// range of time is a range of keys, and slots are but a way to look at them. The table `slots` of
// jobs/tables.h is made of such keys. Pure.
//
//   prefix | due, i64 | 3 - priority, u8 | id, 0x00 | number, u64        (base/codec.h)
#ifndef SCHEDULED_LIB_SLOTS_SLOT_KEY_H_
#define SCHEDULED_LIB_SLOTS_SLOT_KEY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/codec.h"
#include "scheduled/slot_queue.h"

namespace scheduled {

inline constexpr int kMaxPriority = 3;
inline constexpr size_t kMaxSlotIdBytes = 255;

// What a key says behind its prefix.
struct SlotKeyParts {
  int64_t due_us = 0;
  int priority = 0;
  std::string_view id;
  uint64_t number = 0;
};
// Precondition: priority and id are within their bounds.
void AppendSlotKey(const SlotKeyParts& parts, KeyWriter* key);
// `rest` is a key without its prefix, and what `parts.id` is a view into. False for anything that
// AppendSlotKey did not make.
bool ReadSlotKey(std::string_view rest, SlotKeyParts* parts);

// What a SlotEntry says of its due time in microseconds, rounded down.
int64_t DueMicros(const SlotEntry& entry);

// Says which field of an entry is out of its bound; kInvalidArgument.
absl::Status ValidateSlotEntry(const SlotEntry& entry);

// Precondition: the entry is valid.
std::string EncodeSlotEntry(std::string_view prefix, const SlotEntry& entry);
// False for anything that EncodeSlotEntry with this prefix did not make.
bool DecodeSlotEntry(std::string_view prefix, std::string_view key, SlotEntry* entry);
// The first key that an entry due at or after `due` can have.
std::string FirstSlotKey(std::string_view prefix, absl::Time due);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SLOTS_SLOT_KEY_H_
