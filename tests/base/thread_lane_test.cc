// Lanes on threads: order, timers, steps of a clock, stopping. Real time passes here, but no test
// waits for a fixed while: each waits for a condition, with a deadline far away.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/system_clock.h"
#include "base/thread_runtime.h"

namespace scheduled {
namespace {

// The system's clock, but for a wall clock that a test may step.
class SteppedClock final : public Clock {
 public:
  absl::Time WallNow() const override {
    return system_.WallNow() + absl::Nanoseconds(offset_nanos_.load());
  }
  MonoTime MonoNow() const override { return system_.MonoNow(); }
  void Step(absl::Duration by) { offset_nanos_ += absl::ToInt64Nanoseconds(by); }

 private:
  SystemClock system_;
  std::atomic<int64_t> offset_nanos_{0};
};

// Something that happens once, to wait for.
class OneTimeEvent {
 public:
  void Set() {
    std::lock_guard lock(mu_);
    set_ = true;
    changed_.notify_all();
  }
  bool WaitFor(std::chrono::seconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, limit, [&] { return set_; });
  }
  bool is_set() {
    std::lock_guard lock(mu_);
    return set_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Returns when all that was posted to the lane before has run.
void Flush(Lane* lane) {
  OneTimeEvent done;
  lane->Post([&] { done.Set(); });
  REQUIRE(done.WaitFor());
}

}  // namespace

TEST_CASE("a thread lane runs one task at a time, those of each poster in their order") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("serial");
  constexpr int kPosters = 4, kTasks = 20'000;
  std::vector<std::vector<int>> seen(kPosters);
  int running = 0, overlaps = 0;
  std::vector<std::thread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int i = 0; i < kTasks; ++i) {
        lane->Post([&, p, i] {
          if (++running != 1) ++overlaps;
          seen[p].push_back(i);
          --running;
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  Flush(lane.get());
  CHECK(overlaps == 0);
  for (const std::vector<int>& of_one : seen) {
    REQUIRE(of_one.size() == kTasks);
    CHECK(std::is_sorted(of_one.begin(), of_one.end()));
  }
}

TEST_CASE("tasks of a thread lane run on its own named thread, and know it") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("a-name-that-is-longer-than-linux-allows");
  auto other = runtime.NewLane("other");
  bool current = false, other_current = true;
  std::string name;
  OneTimeEvent done;
  lane->Post([&] {
    current = lane->IsCurrent();
    other_current = other->IsCurrent();
    char buffer[32] = {};
    pthread_getname_np(pthread_self(), buffer, sizeof(buffer));
    name = buffer;
    done.Set();
  });
  REQUIRE(done.WaitFor());
  CHECK(current);
  CHECK_FALSE(other_current);
  CHECK_FALSE(lane->IsCurrent());
  CHECK(name == "a-name-that-is-");
}

TEST_CASE("a thread lane runs timers by their deadline, and those of one instant as posted") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("timers");
  std::vector<int> order;
  OneTimeEvent done;
  const MonoTime start = runtime.clock().MonoNow();
  lane->Post([&] {
    const MonoTime soon = start + absl::Milliseconds(20);
    lane->PostAt(soon + absl::Milliseconds(5), [&] { order.push_back(4), done.Set(); });
    lane->PostAt(soon, [&] { order.push_back(2); });
    lane->PostAt(soon, [&] { order.push_back(3); });
    lane->PostAt(start, [&] { order.push_back(1); });
  });
  REQUIRE(done.WaitFor());
  CHECK(order == std::vector{1, 2, 3, 4});
  CHECK(runtime.clock().MonoNow() >= start + absl::Milliseconds(25));
}

TEST_CASE("a thread lane runs no timer early, by either clock") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("early");
  std::atomic<int> left{40};
  std::atomic<int> early{0};
  OneTimeEvent done;
  const auto ran = [&](bool was_early) {
    if (was_early) ++early;
    if (--left == 0) done.Set();
  };
  for (int i = 0; i < 20; ++i) {
    const MonoTime mono = runtime.clock().MonoNow() + absl::Microseconds(700 * i);
    lane->PostAt(mono, [&, mono] { ran(runtime.clock().MonoNow() < mono); });
    // A fraction of a nanosecond that the clock cannot show.
    const absl::Time wall =
        runtime.clock().WallNow() + absl::Microseconds(700 * i) + absl::Nanoseconds(1) / 4;
    lane->PostAtWall(wall, [&, wall] { ran(runtime.clock().WallNow() < wall); });
  }
  REQUIRE(done.WaitFor());
  CHECK(early == 0);
}

TEST_CASE("an earlier timer from another thread wakes a lane that sleeps for a later one") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("earlier");
  OneTimeEvent late, soon;
  lane->PostAt(runtime.clock().MonoNow() + absl::Hours(1), [&] { late.Set(); });
  Flush(lane.get());
  lane->PostAt(runtime.clock().MonoNow() + absl::Milliseconds(1), [&] { soon.Set(); });
  CHECK(soon.WaitFor());
  CHECK_FALSE(late.is_set());
}

TEST_CASE("a timer cancelled on its thread lane does not run, even when it is already due") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("cancel");
  bool ran = false;
  TimerId second;
  OneTimeEvent done;
  lane->Post([&] {
    const MonoTime now = runtime.clock().MonoNow();
    // Both are due when the first runs.
    lane->PostAt(now, [&] { lane->Cancel(second); });
    second = lane->PostAt(now, [&] { ran = true; });
    const TimerId wall = lane->PostAtWall(runtime.clock().WallNow(), [&] { ran = true; });
    lane->Cancel(wall);
    lane->Cancel(wall);
    lane->Cancel(TimerId(0));
    lane->Cancel(TimerId(12345));
    lane->PostAt(now, [&] { done.Set(); });
  });
  REQUIRE(done.WaitFor());
  Flush(lane.get());
  CHECK_FALSE(ran);
}

TEST_CASE("wall timers of a thread lane follow a step of the clock forward") {
  auto clock = std::make_shared<SteppedClock>();
  ThreadRuntime runtime(clock);
  auto lane = runtime.NewLane("forward");
  OneTimeEvent ran;
  lane->PostAtWall(clock->WallNow() + absl::Hours(1), [&] { ran.Set(); });
  Flush(lane.get());
  CHECK_FALSE(ran.is_set());
  clock->Step(absl::Hours(2));
  runtime.ClockStepped();
  CHECK(ran.WaitFor());
}

TEST_CASE("wall timers of a thread lane follow a step of the clock back") {
  auto clock = std::make_shared<SteppedClock>();
  ThreadRuntime runtime(clock);
  auto lane = runtime.NewLane("back");
  // A busy machine may come to the timer before it comes to the step: then the next delay is tried.
  bool followed = false;
  for (absl::Duration delay = absl::Milliseconds(30); !followed && delay < absl::Seconds(5);
       delay *= 2) {
    OneTimeEvent ran, marker;
    const absl::Time due = clock->WallNow() + delay;
    std::atomic<bool> early{false};
    lane->PostAtWall(due, [&] {
      if (clock->WallNow() < due) early = true;
      ran.Set();
    });
    clock->Step(-absl::Hours(1));
    runtime.ClockStepped();
    // By now the timer would have run, had it not followed.
    lane->PostAt(clock->MonoNow() + 2 * delay, [&] { marker.Set(); });
    REQUIRE(marker.WaitFor());
    followed = !ran.is_set();
    clock->Step(absl::Hours(1));
    runtime.ClockStepped();
    CHECK(ran.WaitFor());
    CHECK((!early || !followed));
  }
  CHECK(followed);
}

TEST_CASE("timers get their turn between the posted tasks of a busy thread lane, and these too") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("fair");
  const MonoTime past = runtime.clock().MonoNow();  // so each timer is due when it is posted
  int timers = 0, tasks = 0, tasks_at_second_timer = -1;
  OneTimeEvent done;
  std::function<void()> timer = [&] {
    if (++timers == 2) tasks_at_second_timer = tasks;
    if (timers < 50) lane->PostAt(past, [&] { timer(); });
  };
  lane->Post([&] {
    lane->PostAt(past, [&] { timer(); });
    for (int i = 0; i < 1'000; ++i) lane->Post([&] { ++tasks; });
    lane->Post([&] { done.Set(); });
  });
  REQUIRE(done.WaitFor());
  CHECK(timers == 50);
  CHECK(tasks == 1'000);
  CHECK(tasks_at_second_timer > 0);
  CHECK(tasks_at_second_timer < 1'000);
}

TEST_CASE("stopping a thread lane waits for the running task and drops the others") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("stop");
  OneTimeEvent started, release;
  std::atomic<bool> ended{false}, later_ran{false};
  auto held = std::make_shared<int>(0);
  lane->Post([&] {
    started.Set();
    release.WaitFor();
    ended = true;
  });
  REQUIRE(started.WaitFor());
  lane->Post([&, held] { later_ran = true; });
  lane->PostAt(runtime.clock().MonoNow(), [&, held] { later_ran = true; });
  lane->PostAtWall(runtime.clock().WallNow() + absl::Hours(1), [&, held] { later_ran = true; });
  CHECK(held.use_count() == 4);
  // Lets the held task go once Stop has begun, which is when the lane refuses timers.
  std::thread releaser([&] {
    const absl::Time far = runtime.clock().WallNow() + absl::Hours(1);
    TimerId timer;
    while ((timer = lane->PostAtWall(far, [] {})) != TimerId(0)) {
      lane->Cancel(timer);
      std::this_thread::yield();
    }
    release.Set();
  });
  lane->Stop();
  CHECK(ended);
  releaser.join();
  CHECK_FALSE(later_ran);
  CHECK(held.use_count() == 1);
  lane->Post([&, held] { later_ran = true; });
  CHECK(lane->PostAt(runtime.clock().MonoNow(), [&, held] { later_ran = true; }) == TimerId(0));
  CHECK(held.use_count() == 1);
  lane->Stop();
  CHECK_FALSE(later_ran);
}

TEST_CASE("what a dropped task holds may post to lanes when it goes") {
  ThreadRuntime runtime;
  auto stopped = runtime.NewLane("stopped");
  auto alive = runtime.NewLane("alive");
  OneTimeEvent told;
  // A completion that tells the other side even if it is dropped, as a promise would.
  auto promise = std::shared_ptr<void>(nullptr, [&](void*) {
    stopped->Post([] {});
    alive->Post([&] { told.Set(); });
  });
  stopped->PostAt(MonoTime::Infinite(), [promise] {});
  promise.reset();
  stopped->Stop();
  CHECK(told.WaitFor());
}

TEST_CASE("two thread lanes that post to each other and stop lose no running task") {
  ThreadRuntime runtime;
  for (int round = 0; round < 50; ++round) {
    auto a = runtime.NewLane("a");
    auto b = runtime.NewLane("b");
    std::atomic<int> hops{0};
    OneTimeEvent enough;
    std::function<void(Lane*, Lane*)> hop = [&](Lane* here, Lane* there) {
      if (++hops == 100) enough.Set();
      there->Post([&hop, here, there] { hop(there, here); });
    };
    a->Post([&] { hop(a.get(), b.get()); });
    REQUIRE(enough.WaitFor());
    a->Stop();
    b->Stop();
    CHECK(hops >= 100);
  }
}

TEST_CASE("waiting on a thread runtime ends when a task has made it true and called wake") {
  ThreadRuntime runtime;
  auto lane = runtime.NewLane("await");
  std::atomic<int> value{0};
  std::vector<std::thread> waiters;
  std::atomic<int> through{0};
  for (int i = 1; i <= 4; ++i) {
    waiters.emplace_back([&, i] {
      if (runtime.Await([&] { return value >= i; })) ++through;
    });
  }
  for (int i = 1; i <= 4; ++i) {
    lane->Post([&] {
      ++value;
      runtime.Wake();
    });
  }
  for (std::thread& waiter : waiters) waiter.join();
  CHECK(through == 4);
}

TEST_CASE("random bits of a thread runtime do not repeat") {
  ThreadRuntime runtime;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1'000; ++i) seen.insert(runtime.Random());
  CHECK(seen.size() == 1'000);
  CHECK(seen.count(0) == 0);
}

TEST_CASE("the system clock counts forward, and shows wall time") {
  SystemClock clock;
  const MonoTime first = clock.MonoNow();
  CHECK(clock.MonoNow() >= first);
  CHECK(absl::AbsDuration(clock.WallNow() - absl::FromUnixSeconds(::time(nullptr))) <
        absl::Seconds(10));
}

}  // namespace scheduled
