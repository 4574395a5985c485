// See hot_windows.h.
#include "jobs/hot_windows.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/assert.h"

namespace scheduled::jobs {
namespace {

SlotEntry ToEntry(const SlotKey& key) {
  return {.due = absl::FromUnixMicros(key.ready_us),
          .priority = key.priority,
          .id = key.job_id,
          .number = key.run};
}

SlotKey ToKey(std::string_view queue, SlotEntry entry) {
  return {.queue = std::string(queue),
          .ready_us = absl::ToUnixMicros(entry.due),
          .priority = entry.priority,
          .job_id = std::move(entry.id),
          .run = entry.number};
}

}  // namespace

size_t HotWindows::Share() const {
  return std::max<size_t>(1, limits_.rows / std::max<size_t>(1, windows_.size()));
}

void HotWindows::ShareOut() {
  for (auto& [name, window] : windows_) window.queue->SetWindow(Share());
}

void HotWindows::Add(std::string_view queue, uint64_t slots) {
  const size_t share_before = Share();
  const auto [window, is_new] = windows_.try_emplace(std::string(queue));
  SCHEDULED_ASSERT(is_new, "a queue has one window");
  window->second.queue =
      SlotQueue::Over(store_, SlotsPrefix(queue), slots, {.window = Share(), .load = limits_.load});
  // Shares only shrink by whole rows, so that with many queues a new one rarely moves the others'.
  if (Share() != share_before) ShareOut();
}

HotWindows::Window& HotWindows::WindowOf(std::string_view queue) {
  auto window = windows_.find(queue);
  if (window == windows_.end()) {
    // It had no rows until now, or it would have had a window.
    Add(queue, 0);
    window = windows_.find(queue);
  }
  return window->second;
}

absl::StatusOr<std::optional<int64_t>> HotWindows::Peek(Window& window) const {
  const std::optional<SlotEntry> head = window.queue->Peek();
  if (absl::Status status = window.queue->status(); !status.ok()) return status;
  window.told.reset();
  if (head.has_value()) window.told = absl::ToUnixMicros(head->due);
  return window.told;
}

absl::StatusOr<std::vector<HotWindows::Change>> HotWindows::Apply(
    const std::vector<SlotEvent>& events) {
  std::vector<std::string_view> touched;
  for (const SlotEvent& event : events) {
    Window& window = WindowOf(event.key.queue);
    if (event.entered) {
      window.queue->Inserted(ToEntry(event.key));
    } else {
      window.queue->Erased(ToEntry(event.key));
    }
    if (!window.touched) touched.push_back(event.key.queue);
    window.touched = true;
  }
  std::vector<Change> changes;
  bool any_gone = false;
  for (const std::string_view queue : touched) {
    const auto window = windows_.find(queue);
    window->second.touched = false;
    const std::optional<int64_t> told = window->second.told;
    const absl::StatusOr<std::optional<int64_t>> head = Peek(window->second);
    if (!head.ok()) return head.status();
    if (*head != told) changes.push_back({.queue = window->first, .ready_us = *head});
    if (window->second.queue->size() > 0) continue;
    windows_.erase(window);
    any_gone = true;
  }
  if (any_gone) ShareOut();
  return changes;
}

absl::StatusOr<std::vector<SlotKey>> HotWindows::Take(int64_t until_us,
                                                      std::span<const QueueRoom> rooms,
                                                      size_t max) {
  // Queues by their heads; the earliest gives one row and goes back to its new place.
  struct Candidate {
    int64_t ready_us;
    size_t room;
    Windows::iterator window;
    bool operator<(const Candidate& other) const {  // the top of the heap is the earliest
      if (ready_us != other.ready_us) return ready_us > other.ready_us;
      return window->first > other.window->first;
    }
  };
  std::priority_queue<Candidate> heap;
  for (const QueueRoom& room : rooms) {
    const auto window = windows_.find(room.queue);
    if (window == windows_.end() || room.room == 0) continue;
    const absl::StatusOr<std::optional<int64_t>> head = Peek(window->second);
    if (!head.ok()) return head.status();
    if (head->has_value() && **head <= until_us) heap.push({**head, room.room, window});
  }
  std::vector<SlotKey> rows;
  while (!heap.empty() && rows.size() < max) {
    Candidate next = heap.top();
    heap.pop();
    std::vector<SlotEntry> taken =
        next.window->second.queue->Take(absl::FromUnixMicros(until_us), 1);
    SCHEDULED_ASSERT(taken.size() == 1, "the head of a queue can be taken");
    rows.push_back(ToKey(next.window->first, std::move(taken.front())));
    const absl::StatusOr<std::optional<int64_t>> head = Peek(next.window->second);
    if (!head.ok()) return head.status();
    if (--next.room == 0 || !head->has_value() || **head > until_us) continue;
    next.ready_us = **head;
    heap.push(next);
  }
  return rows;
}

void HotWindows::Return(std::span<const SlotKey> rows) {
  for (const SlotKey& row : rows) {
    const auto window = windows_.find(row.queue);
    if (window != windows_.end()) window->second.queue->Return(ToEntry(row));
  }
}

absl::StatusOr<std::optional<QueueHead>> HotWindows::Head(std::string_view queue) {
  const auto window = windows_.find(queue);
  if (window == windows_.end()) return std::optional<QueueHead>();
  const absl::StatusOr<std::optional<int64_t>> head = Peek(window->second);
  if (!head.ok()) return head.status();
  if (!head->has_value()) return std::optional<QueueHead>();
  return std::optional<QueueHead>({.queue = window->first, .ready_us = **head});
}

absl::StatusOr<std::vector<QueueHead>> HotWindows::Heads() {
  std::vector<QueueHead> heads;
  for (auto& [name, window] : windows_) {
    const absl::StatusOr<std::optional<int64_t>> head = Peek(window);
    if (!head.ok()) return head.status();
    if (head->has_value()) heads.push_back({.queue = name, .ready_us = **head});
  }
  return heads;
}

size_t HotWindows::rows() const {
  size_t rows = 0;
  for (const auto& [name, window] : windows_) rows += window.queue->window_size();
  return rows;
}

void HotWindows::CheckInvariants() const {
  SCHEDULED_ASSERT(rows() <= std::max(limits_.rows, windows_.size()),
                   "the windows keep their common bound");
  for (const auto& [name, window] : windows_) {
    SCHEDULED_ASSERT(window.queue->size() > 0, "a queue without rows has no window");
    window.queue->CheckInvariants();
  }
}

}  // namespace scheduled::jobs
