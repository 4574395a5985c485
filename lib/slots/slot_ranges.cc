// See slot_ranges.h.
#include "slots/slot_ranges.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "slots/slot_key.h"

namespace scheduled {
namespace {

constexpr size_t kRowsPerScan = 512;

Slot MakeSlot(int64_t number, absl::Duration gap) {
  Slot slot;
  slot.key = number;
  slot.min_time = absl::UnixEpoch() + number * gap;
  slot.max_time = slot.min_time + gap - absl::Seconds(1);
  return slot;
}

// The slots found so far: the earliest `limit` that hold anything. An ordered map, so that a queue
// that is read later can push out a slot that is too late after all.
using Found = std::map<int64_t, Slot>;

// Reads one queue until its rows lie behind every slot that can still count.
absl::Status ReadQueue(const TableStore& store, const std::string& prefix, const SlotRange& range,
                       Found* found) {
  const absl::Time first = absl::UnixEpoch() + SlotNumber(range.from, range.gap) * range.gap;
  std::string from = FirstSlotKey(prefix, first);
  while (true) {
    absl::StatusOr<std::vector<TableRow>> rows = store.Scan(from, PrefixEnd(prefix), kRowsPerScan);
    if (!rows.ok()) return rows.status();
    for (const TableRow& row : *rows) {
      SlotEntry entry;
      if (!DecodeSlotEntry(prefix, row.key, &entry)) {
        return absl::DataLossError("a row of the slots has a damaged key");
      }
      const int64_t number = SlotNumber(entry.due, range.gap);
      const bool is_full = found->size() >= range.limit;
      if (is_full && number > found->rbegin()->first) return absl::OkStatus();
      auto [slot, is_new] = found->try_emplace(number);
      if (is_new) slot->second = MakeSlot(number, range.gap);
      slot->second.job_ids.push_back(std::move(entry.id));
      if (found->size() > range.limit) found->erase(std::prev(found->end()));
    }
    if (rows->size() < kRowsPerScan) return absl::OkStatus();
    from = KeyAfter(rows->back().key);
  }
}

}  // namespace

absl::Status ValidateSlotGap(absl::Duration gap) {
  const int64_t seconds = absl::ToInt64Seconds(gap);
  if (seconds >= 1 && gap == absl::Seconds(seconds)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the slot gap is ", absl::FormatDuration(gap),
                                                 "; it needs to be whole seconds, at least 1s"));
}

int64_t SlotNumber(absl::Time due, absl::Duration gap) {
  SCHEDULED_ASSERT(gap >= absl::Seconds(1), "a slot is a second wide at least");
  const int64_t width = absl::ToInt64Microseconds(gap);
  const int64_t micros = absl::ToUnixMicros(due);
  return micros / width - (micros % width < 0 ? 1 : 0);
}

absl::StatusOr<std::vector<Slot>> ReadSlots(const TableStore& store,
                                            std::span<const std::string> prefixes,
                                            const SlotRange& range) {
  Found found;
  if (range.limit > 0) {
    for (const std::string& prefix : prefixes) {
      if (absl::Status status = ReadQueue(store, prefix, range, &found); !status.ok()) {
        return status;
      }
    }
  }
  std::vector<Slot> slots;
  slots.reserve(found.size());
  for (auto& [number, slot] : found) slots.push_back(std::move(slot));
  return slots;
}

}  // namespace scheduled
