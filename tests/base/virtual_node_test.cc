// Nodes on a virtual loop: their clocks, pausing and killing them, their pace, and determinism.
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/virtual_runtime.h"
#include "base/virtual_world.h"

namespace scheduled {

TEST_CASE("virtual wall timers follow a step of the clock forward and back") {
  World w;
  const absl::Time start = absl::UnixEpoch();
  w.a->PostAtWall(start + absl::Seconds(10), w.Timing("first"));
  w.a->PostAtWall(start + absl::Seconds(10), w.Timing("second"));
  w.a->PostAt(At(absl::Seconds(10)), w.Timing("monotonic"));

  SECTION("forward: they run earlier") {
    w.loop.RunUntil(At(absl::Seconds(2)));
    w.node->StepWall(absl::Seconds(5));
    w.loop.RunUntil(At(absl::Seconds(20)));
    CHECK(w.notes == Notes{"first@5000", "second@5000", "monotonic@10000"});
  }
  SECTION("back: they run later") {
    w.loop.RunUntil(At(absl::Seconds(2)));
    w.node->StepWall(-absl::Seconds(5));
    w.loop.RunUntil(At(absl::Seconds(20)));
    CHECK(w.notes == Notes{"monotonic@10000", "first@15000", "second@15000"});
  }
  SECTION("beyond them: they run at once") {
    w.loop.RunUntil(At(absl::Seconds(2)));
    w.node->SetWallTime(start + absl::Hours(1));
    w.loop.RunReady();
    CHECK(w.notes == Notes{"first@2000", "second@2000"});
    CHECK(w.node->clock().WallNow() == start + absl::Hours(1));
  }
  SECTION("back while they wait in a busy lane: they go back to waiting for the clock") {
    w.a->PostAt(At(absl::Milliseconds(9'500)), [&] { w.loop.Spend(absl::Seconds(1)); });
    w.loop.RunUntil(At(absl::Milliseconds(10'200)));
    w.node->StepWall(-absl::Seconds(5));
    w.loop.RunUntil(At(absl::Seconds(20)));
    CHECK(w.notes == Notes{"monotonic@10500", "first@15000", "second@15000"});
  }
}

TEST_CASE("a virtual wall timer for a fraction of a nanosecond is late rather than early") {
  World w;
  w.a->PostAtWall(absl::UnixEpoch() + absl::Nanoseconds(10) + absl::Nanoseconds(1) / 4, [] {});
  w.a->PostAtWall(absl::InfinitePast(), [] {});
  w.a->PostAtWall(absl::InfiniteFuture(), [] {});
  CHECK(w.loop.RunReady() == 1);
  CHECK(w.loop.next_event_time() == MonoTime{11});
  w.loop.RunOne();
  CHECK(w.loop.next_event_time() == std::nullopt);
}

TEST_CASE("each virtual node has clocks of its own") {
  VirtualLoop loop({.seed = 1, .wall_start = absl::FromUnixSeconds(1'000)});
  auto exact = loop.NewRuntime("exact");
  auto off = loop.NewRuntime("off", {.wall_offset = absl::Milliseconds(-300),
                                     .mono_start = MonoTime{7'000'000'000},
                                     .mono_rate = {101, 100}});
  loop.RunUntil(At(absl::Seconds(100)));
  CHECK(exact->clock().WallNow() == absl::FromUnixSeconds(1'100));
  CHECK(exact->clock().MonoNow() == At(absl::Seconds(100)));
  CHECK(off->clock().WallNow() == absl::FromUnixSeconds(1'100) - absl::Milliseconds(300));
  CHECK(off->clock().MonoNow() == At(absl::Seconds(108)));
  loop.SetWallTime(absl::FromUnixSeconds(5'000));
  CHECK(exact->clock().WallNow() == absl::FromUnixSeconds(5'000));
  CHECK(off->clock().WallNow() == absl::FromUnixSeconds(5'000) - absl::Milliseconds(300));
}

TEST_CASE("a virtual timer is exact by the clock that it was set on, however fast that runs") {
  VirtualLoop loop;
  auto node =
      loop.NewRuntime("n", {.wall_rate = {9'999, 10'000}, .mono_rate = {1'000'003, 999'979}});
  auto lane = node->NewLane("l");
  int ran = 0;
  for (int64_t i = 1; i <= 500; ++i) {
    const MonoTime mono = MonoTime{i * 7'777'777};
    lane->PostAt(mono, [&, mono] {
      ++ran;
      CHECK(node->clock().MonoNow() >= mono);
      CHECK(node->clock().MonoNow() <= mono + absl::Nanoseconds(2));
    });
    const absl::Time wall = absl::UnixEpoch() + absl::Nanoseconds(i * 3'333'331);
    lane->PostAtWall(wall, [&, wall] {
      ++ran;
      CHECK(node->clock().WallNow() >= wall);
      CHECK(node->clock().WallNow() <= wall + absl::Nanoseconds(2));
    });
  }
  loop.RunUntil(At(absl::Seconds(1)));
  node->SetMonoRate({1, 2});
  node->SetWallRate({3, 1});
  loop.RunUntil(At(absl::Seconds(20)));
  CHECK(ran == 1'000);
}

TEST_CASE("the tasks of a paused virtual node wait and run afterwards, in order") {
  World w;
  auto other = w.loop.NewRuntime("other");
  auto lane = other->NewLane("l");
  w.a->PostAt(At(absl::Seconds(1)), w.Timing("1"));
  w.b->PostAt(At(absl::Seconds(2)), w.Timing("2"));
  w.a->PostAt(At(absl::Seconds(3)), w.Timing("3"));
  lane->PostAt(At(absl::Seconds(2)), w.Timing("other"));
  lane->PostAt(At(absl::Seconds(3)), [&] { w.node->Resume(); });
  w.node->Pause();
  CHECK(w.node->paused());
  w.a->Post(w.Timing("0"));
  w.loop.RunUntil(At(absl::Seconds(10)));
  CHECK_FALSE(w.node->paused());
  // Each lane keeps its order; the lanes take turns.
  CHECK(w.notes == Notes{"other@2000", "0@3000", "2@3000", "1@3000", "3@3000"});
}

TEST_CASE("a virtual node may pause itself: the task that runs ends, no other begins") {
  World w;
  w.a->Post([&] {
    w.node->Pause();
    w.Note("pausing");
    w.a->Post(w.Noting("later"));
  });
  w.b->Post(w.Noting("later too"));
  w.loop.RunUntil(At(absl::Seconds(1)));
  CHECK(w.notes == Notes{"pausing"});
  w.node->Resume();
  w.loop.RunReady();
  CHECK(w.notes == Notes{"pausing", "later", "later too"});
}

TEST_CASE("a killed virtual node drops its tasks and timers, and can be born again") {
  World w;
  auto held = std::make_shared<int>(0);
  w.a->Post([&, held] { w.Note("dropped"); });
  w.a->PostAt(At(absl::Seconds(1)), [&, held] { w.Note("dropped"); });
  w.b->PostAtWall(absl::UnixEpoch() + absl::Seconds(1), [&, held] { w.Note("dropped"); });
  w.node->Kill();
  CHECK(held.use_count() == 1);
  w.a->Post([&, held] { w.Note("dropped"); });
  CHECK(held.use_count() == 1);
  CHECK(w.loop.next_event_time() == std::nullopt);
  w.loop.RunUntil(At(absl::Seconds(2)));
  w.a = w.node->NewLane("a");
  w.a->PostAt(At(absl::Seconds(3)), w.Timing("born again"));
  w.loop.RunUntil(At(absl::Seconds(3)));
  CHECK(w.notes == Notes{"born again@3000"});
}

TEST_CASE("what a task posts after its virtual node was killed goes nowhere") {
  World w;
  auto peer = w.loop.NewRuntime("peer");
  auto peer_lane = peer->NewLane("l");
  w.a->Post([&] {
    peer_lane->Post(w.Noting("sent before"));
    w.node->Kill();
    peer_lane->Post(w.Noting("sent after"));
    w.a->Post(w.Noting("own"));
  });
  w.b->Post(w.Noting("dropped"));
  w.loop.RunUntil(At(absl::Seconds(1)));
  CHECK(w.notes == Notes{"sent before"});
}

TEST_CASE("a killed virtual node that was paused or busy leaves nothing behind") {
  World w;
  auto held = std::make_shared<int>(0);
  w.a->Post([&] { w.loop.Spend(absl::Seconds(1)); });
  w.a->Post([held] {});
  w.a->PostAt(At(absl::Milliseconds(1)), [held] {});
  w.loop.RunUntil(At(absl::Milliseconds(10)));
  CHECK(held.use_count() == 3);
  w.node->Pause();
  w.b->Post([held] {});
  w.loop.RunUntil(At(absl::Milliseconds(20)));
  w.node->Kill();
  CHECK(held.use_count() == 1);
  CHECK_FALSE(w.node->paused());
  w.loop.RunUntil(At(absl::Seconds(5)));
  CHECK(w.loop.event_count() == 1);
}

namespace {

struct Trace {
  uint64_t digest = 0;
  uint64_t events = 0;
  std::vector<uint64_t> numbers;
  bool operator==(const Trace&) const = default;
};

// Nodes that post to each other at random, with faults; all choices come from the seed.
Trace Play(uint64_t seed, VirtualPace pace, int extra_posts = 0) {
  VirtualLoop loop({.seed = seed});
  std::vector<std::unique_ptr<VirtualRuntime>> nodes;
  std::vector<std::unique_ptr<Lane>> lanes;
  Trace trace;
  for (int i = 0; i < 3; ++i) {
    nodes.push_back(loop.NewRuntime("n" + std::to_string(i), {.pace = pace}));
    lanes.push_back(nodes.back()->NewLane("x"));
    lanes.push_back(nodes.back()->NewLane("y"));
  }
  std::function<void(size_t)> act = [&](size_t from) {
    const uint64_t number = nodes[from / 2]->Random();
    if (trace.numbers.size() < 1'000) trace.numbers.push_back(number);
    const size_t to = number % lanes.size();
    const auto next = [&act, to] { act(to); };
    if (number >> 62 == 0) {
      loop.Spend(absl::Microseconds(number % 100));
      lanes[to]->Post(next);
    } else if (number >> 62 == 1) {
      lanes[to]->PostAt(nodes[to / 2]->clock().MonoNow() + absl::Microseconds(number % 50), next);
    } else {
      lanes[to]->Post(next);
    }
  };
  for (size_t i = 0; i < lanes.size(); ++i) lanes[i]->Post([&act, i] { act(i); });
  for (int i = 0; i < extra_posts; ++i) lanes[0]->Post([] {});
  for (int i = 0; i < 5'000; ++i) loop.RunOne();
  trace.digest = loop.digest();
  trace.events = loop.event_count();
  return trace;
}

}  // namespace

TEST_CASE("a virtual loop takes the same way from the same seed, and another from another") {
  const VirtualPace pace{.task_cost = absl::Nanoseconds(200),
                         .stall_per_mille = 100,
                         .stall_max = absl::Microseconds(30)};
  const Trace first = Play(1, pace);
  CHECK(first.events == 5'000);
  CHECK(first == Play(1, pace));
  CHECK(first.digest != Play(2, pace).digest);
  CHECK(first.digest != Play(1, pace, 1).digest);
}

TEST_CASE("a virtual node's own numbers do not depend on its pace") {
  VirtualLoop ideal({.seed = 5}), slow({.seed = 5});
  auto a = ideal.NewRuntime("n");
  auto b = slow.NewRuntime("n", {.pace = {.stall_per_mille = 1000, .stall_max = absl::Seconds(1)}});
  auto lane = b->NewLane("l");
  lane->Post([] {});
  slow.RunOne();
  CHECK(a->Random() == b->Random());
}

TEST_CASE("a known seed ends in a known digest, whatever the compiler") {
  const Trace trace = Play(42, {.task_cost = absl::Nanoseconds(100),
                                .stall_per_mille = 50,
                                .stall_max = absl::Microseconds(20)});
  CHECK(trace.digest == 0x4ead239b9985d5a5u);
  CHECK(trace.numbers.front() == 0x8ee445d14631c453u);
}

TEST_CASE("stalls let lanes overtake each other, never the tasks of one lane") {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    VirtualLoop loop({.seed = seed});
    auto node = loop.NewRuntime(
        "n", {.pace = {.stall_per_mille = 500, .stall_max = absl::Microseconds(10)}});
    auto a = node->NewLane("a"), b = node->NewLane("b");
    std::string order;
    for (const char c : {'1', '2', '3'}) {
      a->Post([&order, c] { order.push_back(c); });
    }
    b->Post([&order] { order.push_back('b'); });
    loop.RunUntil(MonoTime{} + absl::Milliseconds(1));
    orders.insert(order);
  }
  CHECK(orders.count("123b") == 1);
  CHECK(orders.count("b123") == 1);
  for (std::string order : orders) {
    REQUIRE(order.size() == 4);
    order.erase(order.find('b'), 1);
    CHECK(order == "123");
  }
}

TEST_CASE("a task cost makes time pass for a lane that never rests") {
  World w({.pace = {.task_cost = absl::Microseconds(1)}});
  int ran = 0;
  std::function<void()> again = [&] {
    ++ran;
    w.a->Post([&] { again(); });
  };
  w.a->Post([&] { again(); });
  w.loop.RunUntil(At(absl::Microseconds(99)));
  CHECK(ran == 100);
}

}  // namespace scheduled
