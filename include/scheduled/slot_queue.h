// A time-ordered queue, on disk or in memory, that can be looked at in slots of a fixed width. Only
// a bounded window of what is due next is held in memory, so it may hold any number of entries, and
// any number at one instant. The scheduler's dispatcher runs on this very class.
//
//   auto queue = SlotQueue::Open("/var/lib/app/queue");
//   (*queue)->Add({.due = absl::Now() + absl::Minutes(5), .id = "order-17"});
//   for (const SlotEntry& entry : (*queue)->Take(absl::Now(), 100)) {
//     Handle(entry.id);
//     (*queue)->Remove(entry);
//   }
#ifndef SCHEDULED_SLOT_QUEUE_H_
#define SCHEDULED_SLOT_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled {

class TableStore;  // internal

// Ordered by (due, 3 - priority, id, number).
struct SlotEntry {
  absl::Time due;       // microseconds; what is finer is cut off
  int priority = 0;     // 0 to 3; 3 first among entries of one instant
  std::string id;       // 1 to 255 bytes without NUL
  uint64_t number = 0;  // tells entries of one id at one instant apart, where there are any
  bool operator==(const SlotEntry&) const = default;
};

// One slot's entries: those with min_time <= due < min_time + gap, in order.
struct Slot {
  int64_t key = 0;  // floor(due / gap)
  absl::Time min_time;
  absl::Time max_time;  // the slot's last whole second: min_time + gap - 1 s
  std::vector<std::string> job_ids;
  bool operator==(const Slot&) const = default;
};

// Some slots in order. One that holds more than a page may is told in parts: it is the last of one
// page and the first of the next.
struct SlotPage {
  std::vector<Slot> slots;
  std::string next;  // bytes that ask for the next page; empty: there is none
};

struct SlotQueueOptions {
  absl::Duration gap = absl::Seconds(10);  // whole seconds, at least 1
  size_t window = 8192;                    // entries held in memory at most, at least 1
  size_t load = 512;                       // entries read from the store at a time, at least 1
};

// Not thread-safe: one owner at a time, on any thread.
class SlotQueue {
 public:
  static std::unique_ptr<SlotQueue> InMemory(SlotQueueOptions options = {});
  // Opens or creates a queue in a directory of its own, whose parent must exist. What Add and
  // Remove acknowledged survives. kFailedPrecondition: the directory cannot be made;
  // kInvalidArgument: options; kDataLoss: it is damaged, or holds something else; else as the disk
  // says.
  static absl::StatusOr<std::unique_ptr<SlotQueue>> Open(const std::string& dir,
                                                         SlotQueueOptions options = {});

  // For the library: a window over the rows of `store` whose keys begin with `prefix`. Add and
  // Remove are not for such a queue: its rows are written by somebody else, who tells of them with
  // Inserted and Erased. `size` is their present number; `store` outlives the queue.
  static std::unique_ptr<SlotQueue> Over(const TableStore& store, std::string prefix, uint64_t size,
                                         SlotQueueOptions options);
  ~SlotQueue();

  // kAlreadyExists, kInvalidArgument; or the store's error.
  absl::Status Add(const SlotEntry& entry);
  // kNotFound, kInvalidArgument; or the store's error.
  absl::Status Remove(const SlotEntry& entry);
  // The first entry that was not taken.
  std::optional<SlotEntry> Peek();
  // The first entries that are due at or before `until`, at most `max`, in order. They are marked
  // as taken and not seen again by Peek and Take, but stay in the store until they are removed;
  // Return unmarks. A mark is in memory only: a queue that is opened anew has none.
  std::vector<SlotEntry> Take(absl::Time until, size_t max);
  // Unmarks; nothing happens to an entry that is not marked.
  void Return(const SlotEntry& entry);
  // The store's first error, after which Peek and Take find nothing; OK as long as there is none.
  absl::Status status() const;

  // A page of the slots from the one of `from` on that hold anything, by reading the store: at most
  // `limit` slots with at most kMaxPageIds ids. `after` is `next` of the page before. What comes
  // and goes meanwhile is seen or not; what stays is told once. kInvalidArgument: `after` is none.
  absl::StatusOr<SlotPage> Slots(absl::Time from, size_t limit, std::string_view after = {}) const;
  static constexpr size_t kMaxPageIds = 65'536;
  // Entries in the store, taken ones included.
  uint64_t size() const;
  absl::Duration gap() const;

  // For the library, on a queue made by Over: a row was committed, or its removal was.
  void Inserted(const SlotEntry& entry);
  void Erased(const SlotEntry& entry);
  // For the library: the window's bound from now on; what does not fit is dropped from it.
  void SetWindow(size_t window);
  // Entries held in memory and not taken.
  size_t window_size() const;
  // For tests: asserts what the window promises, by reading the whole store.
  void CheckInvariants() const;

 private:
  class Impl;
  explicit SlotQueue(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled

#endif  // SCHEDULED_SLOT_QUEUE_H_
