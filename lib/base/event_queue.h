// The heap of a virtual loop: what waits, in the order (time, sequence). Only storage and order;
// what an event means, and when it may run, is the loop's (virtual_loop.h), under whose lock it
// stands.
//
// An event is in one of three places: in this queue, in a list of its lane's (the lane was busy
// when it came up), or nowhere, between New and Push. What is cancelled leaves the heap lazily, and
// a list when it is next taken from.
#ifndef SCHEDULED_LIB_BASE_EVENT_QUEUE_H_
#define SCHEDULED_LIB_BASE_EVENT_QUEUE_H_

#include <cstdint>
#include <vector>

#include "base/lane.h"

namespace scheduled {

class VirtualLane;

enum class EventKind : uint8_t {
  kPost,
  kMonoTimer,
  kWallTimer,
  kResume,   // of the loop's own: the lane may run what waits in its list
  kDropped,  // cancelled or stopped while it stood in a list
};

using EventIndex = uint32_t;
inline constexpr EventIndex kNoEvent = UINT32_MAX;

struct Event {
  Task task;
  VirtualLane* lane = nullptr;
  int64_t due = 0;        // timers: the reading of the node's clock that is waited for
  uint64_t sequence = 0;  // order of events of one instant; 0 where it is not queued
  EventIndex next = kNoEvent;
  uint32_t generation = 0;  // grows each time the place is used again, so that old ids miss
  EventKind kind = EventKind::kPost;
  bool in_heap = false;
};

// Events in the order in which they came up, linked through themselves.
struct EventList {
  EventIndex head = kNoEvent;
  EventIndex tail = kNoEvent;
  bool empty() const { return head == kNoEvent; }
};

class EventQueue {
 public:
  Event& operator[](EventIndex index) { return events_[index]; }

  EventIndex New(EventKind kind, VirtualLane* lane, Task task);
  void Free(EventIndex index);

  // Queues it at `time`, behind all that was pushed for that time before. `now` never goes back,
  // and no event is pushed before it.
  void Push(EventIndex index, int64_t time, int64_t now);
  // Its time; INT64_MAX if there is none.
  int64_t NextTime();
  // Takes the earliest out. Precondition: NextTime() < INT64_MAX.
  EventIndex Pop();

  void Append(EventList* list, EventIndex index);
  EventIndex PopFront(EventList* list);

  TimerId IdOf(EventIndex index) const;
  // The place of a live event with this id, or kNoEvent.
  EventIndex Find(TimerId id) const;
  // Takes its task out and makes it one that never runs.
  Task Drop(EventIndex index);

  // Calls `visit` with each place in use, in no order that may reach an effect.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (EventIndex i = 0; i < events_.size(); ++i) {
      if (events_[i].lane != nullptr) visit(i);
    }
  }

 private:
  struct HeapEntry {
    int64_t time;
    uint64_t sequence;
    EventIndex index;
    bool operator<(const HeapEntry& other) const {  // for a heap with the earliest on top
      return time != other.time ? time > other.time : sequence > other.sequence;
    }
  };

  bool IsLive(const HeapEntry& entry) const {
    const Event& event = events_[entry.index];
    return event.in_heap && event.sequence == entry.sequence;
  }
  void LeaveHeap(Event& event);
  void PurgeTops();

  std::vector<Event> events_;
  std::vector<EventIndex> free_;
  std::vector<HeapEntry> heap_;
  size_t dead_in_heap_ = 0;
  EventList ready_;  // pushed for the very instant at which the loop stands: needs no heap
  int64_t ready_time_ = 0;
  uint64_t next_sequence_ = 1;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_EVENT_QUEUE_H_
