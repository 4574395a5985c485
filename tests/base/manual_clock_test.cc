// ManualClock, and the virtual loop with threads outside of it, as a host's tests use them.
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "base/runtime.h"
#include "base/thread_runtime.h"
#include "base/virtual_runtime.h"

namespace scheduled {
namespace {

constexpr int64_t kStart = 1'767'225'600;

}  // namespace

TEST_CASE("a manual clock stands still until it is advanced") {
  ManualClock clock(absl::FromUnixSeconds(kStart));
  const MonoTime mono = clock.MonoNow();
  CHECK(clock.WallNow() == absl::FromUnixSeconds(kStart));
  clock.Advance(absl::Hours(24));
  CHECK(clock.WallNow() == absl::FromUnixSeconds(kStart) + absl::Hours(24));
  CHECK(clock.MonoNow() - mono == absl::Hours(24));
  clock.Advance(absl::ZeroDuration());
  CHECK(clock.MonoNow() - mono == absl::Hours(24));
}

TEST_CASE("advancing a manual clock goes from deadline to deadline") {
  auto clock = std::make_shared<ManualClock>(absl::FromUnixSeconds(kStart));
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  std::vector<int64_t> ran_at;
  std::function<void()> hourly = [&] {
    ran_at.push_back(absl::ToUnixSeconds(clock->WallNow()) - kStart);
    lane->PostAtWall(clock->WallNow() + absl::Hours(1), [&] { hourly(); });
  };
  lane->PostAtWall(clock->WallNow() + absl::Minutes(30), [&] { hourly(); });
  clock->Advance(absl::Hours(3));
  CHECK(ran_at == std::vector<int64_t>{1'800, 5'400, 9'000});
  CHECK(runtime->clock().WallNow() == clock->WallNow());
  CHECK(runtime->clock().MonoNow() == clock->MonoNow());
}

TEST_CASE("setting a manual clock's wall time steps it alone, and runs what became due") {
  auto clock = std::make_shared<ManualClock>(absl::FromUnixSeconds(kStart));
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  bool wall = false, mono = false;
  lane->PostAtWall(clock->WallNow() + absl::Hours(1), [&] { wall = true; });
  lane->PostAt(clock->MonoNow() + absl::Hours(1), [&] { mono = true; });
  clock->SetWallTime(absl::FromUnixSeconds(kStart) - absl::Hours(5));
  clock->Advance(absl::Minutes(59));
  CHECK_FALSE(wall);
  clock->SetWallTime(absl::FromUnixSeconds(kStart) + absl::Hours(2));
  CHECK(wall);
  CHECK_FALSE(mono);
  CHECK(clock->WallNow() == absl::FromUnixSeconds(kStart) + absl::Hours(2));
  clock->Advance(absl::Minutes(1));
  CHECK(mono);
}

TEST_CASE("advancing waits for work outside of the lanes before time goes on") {
  auto clock = std::make_shared<ManualClock>();
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  std::vector<std::thread> workers;
  std::vector<MonoTime> finished_at;
  int later_runs = 0;
  // Ten runs of an executor with threads of its own, each of which posts its outcome.
  for (int i = 1; i <= 10; ++i) {
    lane->PostAt(clock->MonoNow() + absl::Seconds(i), [&] {
      runtime->BeginExternal();
      workers.emplace_back([&] {
        lane->Post([&] { finished_at.push_back(clock->MonoNow()); });
        runtime->EndExternal();
      });
    });
    lane->PostAt(clock->MonoNow() + absl::Milliseconds(i * 1'000 + 1), [&, i] {
      CHECK(finished_at.size() == static_cast<size_t>(i));
      ++later_runs;
    });
  }
  clock->Advance(absl::Minutes(1));
  for (std::thread& worker : workers) worker.join();
  CHECK(later_runs == 10);
  REQUIRE(finished_at.size() == 10);
  for (int64_t i = 0; i < 10; ++i) CHECK(finished_at[i] == MonoTime{(i + 1) * 1'000'000'000});
}

TEST_CASE("waiting on a manual clock's runtime waits for work outside as well") {
  auto clock = std::make_shared<ManualClock>();
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  bool done = false;
  std::thread worker;
  lane->Post([&] {
    runtime->BeginExternal();
    worker = std::thread([&] {
      lane->Post([&] { done = true; });
      runtime->EndExternal();
    });
  });
  CHECK(runtime->Await([&] { return done; }));
  worker.join();
  CHECK(clock->MonoNow() == MonoTime{});
}

TEST_CASE("several threads may wait on one virtual loop, and one advance it") {
  auto clock = std::make_shared<ManualClock>();
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  auto other = runtime->NewLane("other");
  constexpr int kThreads = 4, kRounds = 500;
  std::atomic<int> served{0};
  int on_lane = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        std::atomic<bool> done{false};
        lane->Post([&] {
          ++on_lane;
          other->Post([&] {
            done = true;
            runtime->Wake();
          });
        });
        if (runtime->Await([&] { return done.load(); })) ++served;
      }
    });
  }
  for (int i = 0; i < 200; ++i) clock->Advance(absl::Milliseconds(1));
  for (std::thread& caller : callers) caller.join();
  CHECK(served == kThreads * kRounds);
  CHECK(on_lane == kThreads * kRounds);
  CHECK(clock->MonoNow() == MonoTime{200'000'000});
}

TEST_CASE("stopping a virtual lane from outside waits for its running task") {
  auto clock = std::make_shared<ManualClock>();
  auto runtime = MakeRuntime(clock);
  auto lane = runtime->NewLane("l");
  std::atomic<bool> started{false}, stopping{false}, ended{false};
  lane->Post([&] {
    started = true;
    while (!stopping) std::this_thread::yield();
    ended = true;
  });
  std::thread runner([&] { clock->Advance(absl::Seconds(1)); });
  while (!started) std::this_thread::yield();
  stopping = true;
  lane->Stop();
  CHECK(ended);
  runner.join();
}

TEST_CASE("schedulers on one manual clock share its time and keep it alive") {
  auto clock = std::make_shared<ManualClock>();
  auto first = MakeRuntime(clock);
  auto second = MakeRuntime(clock);
  VirtualLoop& loop = clock->loop();
  clock.reset();
  auto a = first->NewLane("l");
  auto b = second->NewLane("l");
  std::vector<int> order;
  b->PostAt(MonoTime{1}, [&] { order.push_back(1); });
  a->PostAt(MonoTime{2}, [&] { order.push_back(2); });
  loop.RunUntil(MonoTime{5});
  CHECK(order == std::vector{1, 2});
}

TEST_CASE("any other clock gets a runtime of threads") {
  auto runtime = MakeRuntime(nullptr);
  CHECK(dynamic_cast<ThreadRuntime*>(runtime.get()) != nullptr);
  CHECK(runtime->clock().WallNow() > absl::FromUnixSeconds(kStart - 86'400 * 3'650));
}

}  // namespace scheduled
