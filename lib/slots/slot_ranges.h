// Slots: the rows of one or more queues looked at in steps of a fixed width. A slot is a range of
// time and nothing that is stored, so each reader may choose its own width. Any thread.
#ifndef SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_
#define SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

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
  absl::Time from;   // its whole slot is the first that is read
  size_t limit = 0;  // slots, of those that hold anything
};

// The slots of all queues whose rows begin with one of `prefixes`, each slot's ids in the order of
// (due, priority, id) within a queue, queue after queue. Memory grows with what the slots hold.
absl::StatusOr<std::vector<Slot>> ReadSlots(const TableStore& store,
                                            std::span<const std::string> prefixes,
                                            const SlotRange& range);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SLOTS_SLOT_RANGES_H_
