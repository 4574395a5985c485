// Slots: the rows of one or more queues looked at in steps of a fixed width. A slot is a range of
// time and nothing that is stored, so each reader may choose its own width. Any thread.
#ifndef SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_
#define SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/slot_queue.h"
#include "storage/table_store.h"

namespace scheduled {

// Whole seconds, at least 1; kInvalidArgument.
absl::Status ValidateSlotGap(absl::Duration gap);

// The slot of an instant: floor(due / gap). Precondition: the gap is valid.
int64_t SlotNumber(absl::Time due, absl::Duration gap);

struct SlotRange {
  absl::Duration gap;
  absl::Time from;         // its whole slot is the first that is read
  size_t limit = 0;        // slots of a page, of those that hold anything
  std::string_view after;  // SlotPage::next of the page before; empty: the first page
  size_t max_ids = SlotQueue::kMaxPageIds;  // of a page; at least 1
};

// A page of the slots of all queues whose rows begin with one of `prefixes`, each slot's ids in the
// order of (due, priority, id) within a queue, queue after queue. `prefixes` are in order, and none
// begins with another. Holds at most one id more than the page may have. kInvalidArgument: `after`
// is none of this function's.
absl::StatusOr<SlotPage> ReadSlots(const TableStore& store, std::span<const std::string> prefixes,
                                   const SlotRange& range);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_
