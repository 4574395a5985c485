// Storage and order of a virtual loop's events. Places are reused, so that a loop in its steady
// state allocates nothing.
#include "base/event_queue.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace scheduled {
namespace {

constexpr size_t kDeadWorthSweeping = 64;

}  // namespace

EventIndex EventQueue::New(EventKind kind, VirtualLane* lane, Task task) {
  EventIndex index;
  if (free_.empty()) {
    index = static_cast<EventIndex>(events_.size());
    events_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Event& event = events_[index];
  event.kind = kind;
  event.lane = lane;
  event.task = std::move(task);
  return index;
}

void EventQueue::Free(EventIndex index) {
  Event& event = events_[index];
  LeaveHeap(event);
  event.lane = nullptr;
  event.sequence = 0;
  ++event.generation;
  free_.push_back(index);
}

void EventQueue::LeaveHeap(Event& event) {
  if (!event.in_heap) return;
  event.in_heap = false;
  ++dead_in_heap_;
  if (dead_in_heap_ < kDeadWorthSweeping || dead_in_heap_ * 2 < heap_.size()) return;
  std::erase_if(heap_, [&](const HeapEntry& entry) { return !IsLive(entry); });
  std::make_heap(heap_.begin(), heap_.end());
  dead_in_heap_ = 0;
}

void EventQueue::Push(EventIndex index, int64_t time, int64_t now) {
  Event& event = events_[index];
  LeaveHeap(event);
  event.sequence = next_sequence_++;
  if (time <= now) {
    // The list holds events of one instant only: time moves on when nothing is left of it.
    SCHEDULED_ASSERT(ready_.empty() || ready_time_ == now, "time moves when nothing is ready");
    ready_time_ = now;
    Append(&ready_, index);
    return;
  }
  event.in_heap = true;
  heap_.push_back({time, event.sequence, index});
  std::push_heap(heap_.begin(), heap_.end());
}

void EventQueue::PurgeTops() {
  while (!heap_.empty() && !IsLive(heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    --dead_in_heap_;
  }
  while (!ready_.empty() && events_[ready_.head].kind == EventKind::kDropped) {
    Free(PopFront(&ready_));
  }
}

int64_t EventQueue::NextTime() {
  PurgeTops();
  const int64_t in_heap = heap_.empty() ? INT64_MAX : heap_.front().time;
  return ready_.empty() ? in_heap : std::min(in_heap, ready_time_);
}

EventIndex EventQueue::Pop() {
  PurgeTops();
  if (!ready_.empty()) {
    const bool heap_first =
        !heap_.empty() && (heap_.front().time < ready_time_ ||
                           (heap_.front().time == ready_time_ &&
                            heap_.front().sequence < events_[ready_.head].sequence));
    if (!heap_first) return PopFront(&ready_);
  }
  SCHEDULED_ASSERT(!heap_.empty(), "an event is popped from a queue that has one");
  const EventIndex index = heap_.front().index;
  std::pop_heap(heap_.begin(), heap_.end());
  heap_.pop_back();
  events_[index].in_heap = false;
  return index;
}

void EventQueue::Append(EventList* list, EventIndex index) {
  events_[index].next = kNoEvent;
  if (list->empty()) {
    list->head = index;
  } else {
    events_[list->tail].next = index;
  }
  list->tail = index;
}

EventIndex EventQueue::PopFront(EventList* list) {
  const EventIndex index = list->head;
  list->head = events_[index].next;
  if (list->empty()) list->tail = kNoEvent;
  return index;
}

TimerId EventQueue::IdOf(EventIndex index) const {
  // One more than the place, since the id 0 names none.
  return TimerId(uint64_t{events_[index].generation} << 32 | (uint64_t{index} + 1));
}

EventIndex EventQueue::Find(TimerId id) const {
  const uint64_t place = id.value & UINT32_MAX;
  if (place == 0 || place > events_.size()) return kNoEvent;
  const EventIndex index = static_cast<EventIndex>(place - 1);
  const Event& event = events_[index];
  if (event.lane == nullptr || event.kind == EventKind::kDropped || IdOf(index) != id) {
    return kNoEvent;
  }
  return index;
}

Task EventQueue::Drop(EventIndex index) {
  Event& event = events_[index];
  Task task = std::move(event.task);
  event.task = nullptr;
  if (event.in_heap) {
    Free(index);
  } else {
    event.kind = EventKind::kDropped;  // the list that it stands in frees it
  }
  return task;
}

}  // namespace scheduled
