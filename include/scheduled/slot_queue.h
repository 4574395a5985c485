// A time-ordered queue, on disk or in memory, that can be looked at in slots of a fixed width. Only
// a bounded window of what is due next is held in memory, so it may hold any number of entries, and
// any number at one instant. The scheduler's dispatcher runs on this very class.
#ifndef SCHEDULED_SLOT_QUEUE_H_
#define SCHEDULED_SLOT_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled {

// Ordered by (due, 3 - priority, id).
struct SlotEntry {
  absl::Time due;    // microseconds; what is finer is cut off
  int priority = 0;  // 0 to 3; 3 first among entries of one instant
  std::string id;    // 1 to 255 bytes without NUL; unique within one (due, priority)
  bool operator==(const SlotEntry&) const = default;
};

// One slot's entries: those with min_time <= due <= max_time, in whole seconds.
struct Slot {
  int64_t key = 0;  // floor(due / gap)
  absl::Time min_time;
  absl::Time max_time;  // min_time + gap - 1 s
  std::vector<std::string> job_ids;
};

struct SlotQueueOptions {
  absl::Duration gap = absl::Seconds(10);  // whole seconds, at least 1
  size_t window = 8192;                    // entries held in memory at most
  size_t load = 512;                       // entries read from the store at a time
};

// Not thread-safe: one owner at a time, on any thread.
class SlotQueue {
 public:
  static std::unique_ptr<SlotQueue> InMemory(SlotQueueOptions options = {});
  // Opens or creates a queue in a directory of its own. What Add and Remove acknowledged survives.
  static absl::StatusOr<std::unique_ptr<SlotQueue>> Open(const std::string& dir,
                                                         SlotQueueOptions options = {});
  ~SlotQueue();

  // kAlreadyExists, kInvalidArgument; or the store's error.
  absl::Status Add(const SlotEntry& entry);
  // kNotFound.
  absl::Status Remove(const SlotEntry& entry);
  // The first entry that was not taken.
  std::optional<SlotEntry> Peek();
  // The first entries that are due at or before `until`, at most `max`, in order. They are marked
  // as taken and not seen again by Peek and Take, but stay in the store until they are removed;
  // Return unmarks.
  std::vector<SlotEntry> Take(absl::Time until, size_t max);
  void Return(const SlotEntry& entry);

  // The slots from `from` on that hold anything, at most `limit`, by reading the store.
  absl::StatusOr<std::vector<Slot>> Slots(absl::Time from, size_t limit) const;
  uint64_t size() const;
  absl::Duration gap() const;

 private:
  class Impl;
  explicit SlotQueue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled

#endif  // SCHEDULED_SLOT_QUEUE_H_
