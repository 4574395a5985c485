// The two ordered queues under the lanes, each against a dumb twin with random input.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/event_queue.h"
#include "base/random.h"
#include "base/timer_queue.h"
#include "base/virtual_lane.h"

namespace scheduled {
namespace {

// What is queued, in a plain map.
struct Twin {
  std::map<std::pair<int64_t, uint64_t>, int> by_order;  // (time, how many were pushed before)
  std::map<int, std::pair<int64_t, uint64_t>> by_number;
  uint64_t pushed = 0;

  void Push(int number, int64_t time) {
    if (by_number.count(number) > 0) Drop(number);
    by_number[number] = {time, pushed};
    by_order[{time, pushed++}] = number;
  }
  void Drop(int number) {
    by_order.erase(by_number[number]);
    by_number.erase(number);
  }
};

}  // namespace

TEST_CASE("an event queue gives out what a plain ordered map would") {
  VirtualLoop loop;
  auto runtime = loop.NewRuntime("n");
  auto lane = runtime->NewLane("l");
  auto* owner = static_cast<VirtualLane*>(lane.get());  // never followed by the queue
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    EventQueue queue;
    Twin twin;
    std::map<int, TimerId> ids;
    std::vector<int> expected, taken;
    int64_t now = 0;
    int made = 0, ran = 0;
    for (int step = 0; step < 3'000; ++step) {
      const uint64_t choice = random.Uniform(10);
      const int64_t time = now + random.Between(0, random.Chance(1, 3) ? 0 : 40);
      if (choice < 5) {
        const int number = made++;
        const EventIndex index =
            queue.New(EventKind::kPost, owner, [&taken, number] { taken.push_back(number); });
        queue.Push(index, time, now);
        ids[number] = queue.IdOf(index);
        twin.Push(number, time);
      } else if (choice < 7 && !twin.by_number.empty()) {
        auto victim = twin.by_number.begin();
        std::advance(victim, random.Uniform(twin.by_number.size()));
        const int number = victim->first;
        const EventIndex index = queue.Find(ids[number]);
        REQUIRE(index != kNoEvent);
        if (choice == 5 && queue[index].in_heap) {
          queue.Push(index, time, now);
          twin.Push(number, time);
        } else {
          queue.Drop(index);
          twin.Drop(number);
          CHECK(queue.Find(ids[number]) == kNoEvent);
        }
      } else {
        const int64_t next = twin.by_order.empty() ? INT64_MAX : twin.by_order.begin()->first.first;
        REQUIRE(queue.NextTime() == next);
        if (next == INT64_MAX) continue;
        now = next;
        const int number = twin.by_order.begin()->second;
        twin.Drop(number);
        expected.push_back(number);
        const EventIndex index = queue.Pop();
        std::move(queue[index].task)();
        queue.Free(index);
        CHECK(queue.Find(ids[number]) == kNoEvent);
        ++ran;
      }
    }
    CHECK(ran > 300);
    CHECK(taken == expected);
  }
}

TEST_CASE("a timer queue gives out what is due, in order, and nothing that was added too late") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    TimerQueue queue;
    std::map<std::pair<int64_t, uint64_t>, int> twin;
    std::vector<int> expected, taken;
    uint64_t next_id = 1;
    for (int step = 0; step < 2'000; ++step) {
      const uint64_t choice = random.Uniform(4);
      if (choice < 2) {
        const int64_t due = random.Between(0, 50);
        const int number = static_cast<int>(next_id);
        queue.Add(due, next_id, [&taken, number] { taken.push_back(number); });
        twin[{due, next_id++}] = number;
      } else if (choice == 2) {
        const uint64_t id = random.Uniform(next_id + 1);
        const auto timer = std::find_if(
            twin.begin(), twin.end(), [&](const auto& entry) { return entry.first.second == id; });
        Task removed = queue.Remove(id);
        CHECK(static_cast<bool>(removed) == (timer != twin.end()));
        if (timer != twin.end()) twin.erase(timer);
      } else {
        const int64_t now = random.Between(0, 50);
        const uint64_t end_id = random.Chance(1, 2) ? next_id : random.Uniform(next_id);
        const auto timer = std::find_if(twin.begin(), twin.end(), [&](const auto& entry) {
          return entry.first.first <= now && entry.first.second < end_id;
        });
        Task due = queue.TakeDue(now, end_id);
        REQUIRE(static_cast<bool>(due) == (timer != twin.end()));
        if (!due) continue;
        std::move(due)();
        expected.push_back(timer->second);
        twin.erase(timer);
      }
      CHECK(queue.NextDue() == (twin.empty() ? INT64_MAX : twin.begin()->first.first));
    }
    CHECK(expected.size() > 50);
    CHECK(taken == expected);
    std::vector<Task> rest;
    queue.TakeAll(&rest);
    CHECK(rest.size() == twin.size());
    CHECK(queue.NextDue() == INT64_MAX);
  }
}

}  // namespace scheduled
