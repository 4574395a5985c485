// The virtual loop: order, spent time, driving it and waiting on it.
#include "base/virtual_loop.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/virtual_world.h"

namespace scheduled {
namespace {

// A failed assertion, as a test sees it.
struct Failed {
  std::string what;
};
class CatchAssertions {
 public:
  CatchAssertions() {
    SetAssertHandler([](const char*, const char*, int, std::string_view what) {
      throw Failed{std::string(what)};
    });
  }
  ~CatchAssertions() { SetAssertHandler(nullptr); }
};

}  // namespace

TEST_CASE("tasks of virtual lanes run in the order in which they were posted") {
  World w;
  w.a->Post(w.Noting("1"));
  w.b->Post(w.Noting("2"));
  w.a->Post([&] {
    w.Note("3");
    w.a->Post(w.Noting("5"));
  });
  w.b->Post(w.Noting("4"));
  CHECK(w.loop.RunReady() == 5);
  CHECK(w.notes == Notes{"1", "2", "3", "4", "5"});
  CHECK(w.loop.now() == MonoTime{});
  CHECK(w.loop.event_count() == 5);
  CHECK(w.loop.last_lane() == "n/a");
}

TEST_CASE("virtual timers run by their deadline, those of one instant as they were posted") {
  World w;
  w.a->PostAt(At(absl::Seconds(2)), w.Timing("c"));
  w.b->PostAt(At(absl::Seconds(1)), w.Timing("a"));
  w.a->PostAt(At(absl::Seconds(1)), w.Timing("b"));
  w.a->Post(w.Timing("now"));
  CHECK(w.loop.next_event_time() == At(absl::ZeroDuration()));
  CHECK(w.loop.RunOne());
  CHECK(w.loop.next_event_time() == At(absl::Seconds(1)));
  CHECK(w.loop.RunUntil(At(absl::Milliseconds(1500))) == 2);
  CHECK(w.loop.now() == At(absl::Milliseconds(1500)));
  CHECK(w.loop.RunOne());
  CHECK_FALSE(w.loop.RunOne());
  CHECK(w.loop.next_event_time() == std::nullopt);
  CHECK(w.notes == Notes{"now@0", "a@1000", "b@1000", "c@2000"});
}

TEST_CASE("a task posted at an instant runs after the timers of that instant that stood before") {
  World w;
  w.a->PostAt(At(absl::Seconds(1)), [&] {
    w.Note("timer 1");
    w.a->Post(w.Noting("posted"));
  });
  w.a->PostAt(At(absl::Seconds(1)), w.Noting("timer 2"));
  w.loop.RunUntil(At(absl::Seconds(1)));
  CHECK(w.notes == Notes{"timer 1", "timer 2", "posted"});
}

TEST_CASE("a virtual timer that is cancelled does not run, and a used id is harmless") {
  World w;
  const TimerId far = w.a->PostAt(At(absl::Seconds(1)), w.Noting("far"));
  const TimerId due = w.a->PostAt(At(absl::ZeroDuration()), w.Noting("due"));
  const TimerId never = w.a->PostAt(MonoTime::Infinite(), w.Noting("never"));
  w.a->Cancel(far);
  w.a->Cancel(due);
  const TimerId reused = w.a->PostAt(At(absl::Seconds(1)), w.Noting("reused"));
  CHECK(reused != far);
  w.a->Cancel(far);
  w.a->Cancel(due);
  w.a->Cancel(TimerId(0));
  w.a->Cancel(TimerId(~uint64_t{0}));
  w.b->Cancel(reused);  // another lane's
  w.loop.RunUntil(At(absl::Hours(1)));
  CHECK(w.notes == Notes{"reused"});
  w.a->Cancel(never);
  CHECK(w.loop.next_event_time() == std::nullopt);
}

TEST_CASE("many cancelled virtual timers leave the order of the others alone") {
  World w;
  std::vector<TimerId> cancelled;
  for (int i = 1'000; i > 0; --i) {
    const std::string name = std::to_string(i);
    const TimerId id = w.a->PostAt(At(absl::Milliseconds(i)), w.Noting(name));
    if (i % 100 != 0) cancelled.push_back(id);
  }
  for (const TimerId id : cancelled) w.a->Cancel(id);
  w.loop.RunUntil(At(absl::Seconds(2)));
  CHECK(w.notes == Notes{"100", "200", "300", "400", "500", "600", "700", "800", "900", "1000"});
}

TEST_CASE("a task that spends time holds up its own lane and stamps what it posts afterwards") {
  World w;
  w.a->Post([&] {
    w.b->Post(w.Timing("before"));
    w.loop.Spend(absl::Milliseconds(3));
    w.node->Spend(absl::Milliseconds(2));
    CHECK(w.node->clock().MonoNow() == At(absl::Milliseconds(5)));
    CHECK(w.node->clock().WallNow() == absl::UnixEpoch() + absl::Milliseconds(5));
    w.b->Post(w.Timing("after"));
    w.a->Post(w.Timing("own"));
  });
  w.a->Post(w.Timing("next on a"));
  w.a->PostAt(At(absl::Milliseconds(1)), w.Timing("timer on a"));
  w.b->PostAt(At(absl::Milliseconds(1)), w.Timing("timer on b"));
  w.loop.RunUntil(At(absl::Milliseconds(10)));
  CHECK(w.notes ==
        Notes{"before@0", "timer on b@1", "after@5", "next on a@5", "timer on a@5", "own@5"});
}

TEST_CASE("tasks that each spend time run one after the other") {
  World w;
  for (int i = 0; i < 3; ++i) {
    w.a->Post([&] {
      w.Timing("begin")();
      w.loop.Spend(absl::Milliseconds(10));
    });
  }
  w.loop.RunUntil(At(absl::Milliseconds(15)));
  CHECK(w.notes == Notes{"begin@0", "begin@10"});
  CHECK(w.loop.next_event_time() == At(absl::Milliseconds(20)));
  w.loop.RunUntil(At(absl::Milliseconds(20)));
  CHECK(w.notes == Notes{"begin@0", "begin@10", "begin@20"});
}

TEST_CASE("a timer that waits in a busy lane can still be cancelled") {
  World w;
  TimerId timer;
  w.a->Post([&] { w.loop.Spend(absl::Seconds(1)); });
  timer = w.a->PostAt(At(absl::Milliseconds(1)), w.Noting("cancelled"));
  w.a->PostAt(At(absl::Milliseconds(2)), w.Noting("kept"));
  w.b->PostAt(At(absl::Milliseconds(500)), [&] { w.a->Cancel(timer); });
  w.loop.RunUntil(At(absl::Seconds(2)));
  CHECK(w.notes == Notes{"kept"});
}

TEST_CASE("a stopped virtual lane runs nothing more, and others go on") {
  World w;
  w.a->Post([&] { w.a->Post(w.Noting("stopped")); });
  w.b->Post([&] { w.a->Stop(); });
  w.b->Post(w.Noting("goes on"));
  w.loop.RunReady();
  CHECK(w.notes == Notes{"goes on"});
  w.a->Stop();
}

TEST_CASE("a virtual lane knows whether it runs") {
  World w;
  w.a->Post([&] {
    CHECK(w.a->IsCurrent());
    CHECK_FALSE(w.b->IsCurrent());
  });
  CHECK(w.loop.RunReady() == 1);
  CHECK_FALSE(w.a->IsCurrent());
}

TEST_CASE("the hook of a virtual loop is called after each task, outside of the lane") {
  World w;
  int calls = 0;
  w.loop.SetAfterEvent([&] {
    ++calls;
    CHECK_FALSE(w.a->IsCurrent());
    if (calls == 1) w.b->Post(w.Noting("by the hook"));
    if (calls == 2) w.a->Stop();
  });
  w.a->Post([&] { w.Note("task"); });
  w.a->PostAt(At(absl::Seconds(1)), w.Noting("stopped by the hook"));
  w.loop.RunUntil(At(absl::Seconds(2)));
  CHECK(calls == 2);
  CHECK(w.notes == Notes{"task", "by the hook"});
}

TEST_CASE("waiting on a virtual loop runs it without moving time") {
  World w;
  bool done = false;
  w.a->Post([&] { w.b->Post([&] { done = true; }); });
  w.a->PostAt(At(absl::Seconds(1)), w.Noting("later"));
  CHECK(w.node->Await([&] { return done; }));
  CHECK(w.loop.now() == MonoTime{});
  CHECK_FALSE(w.node->Await([] { return false; }));
  CHECK(w.notes.empty());
}

TEST_CASE("waiting on a virtual loop sees what changed while it last looked") {
  World w;
  bool looked = false;
  CHECK(w.node->Await([&] {
    if (looked) return true;
    looked = true;
    w.node->Wake();
    return false;
  }));
}

TEST_CASE("a virtual loop outlives a failed assertion in a task and in its hook") {
  CatchAssertions catching;
  World w;
  w.a->Post([] { SCHEDULED_ASSERT(false, "in a task"); });
  w.a->Post(w.Noting("goes on"));
  CHECK_THROWS_AS(w.loop.RunOne(), Failed);
  CHECK_FALSE(w.a->IsCurrent());
  w.loop.SetAfterEvent([] { SCHEDULED_ASSERT(false, "in the hook"); });
  CHECK_THROWS_AS(w.loop.RunOne(), Failed);
  CHECK(w.notes == Notes{"goes on"});
  w.loop.SetAfterEvent(nullptr);
  w.b->Post(w.Noting("and on"));
  CHECK(w.loop.RunReady() == 1);
}

TEST_CASE("misuse of a virtual loop is an assertion, not a deadlock") {
  CatchAssertions catching;
  World w;
  w.a->Post([&] { w.a->Stop(); });
  CHECK_THROWS_AS(w.loop.RunReady(), Failed);
  w.b->Post([&] { w.loop.RunOne(); });
  CHECK_THROWS_AS(w.loop.RunReady(), Failed);
  w.b->Post([&] { w.node->Await([] { return true; }); });
  CHECK_THROWS_AS(w.loop.RunReady(), Failed);
  CHECK_THROWS_AS(w.loop.Spend(absl::Seconds(1)), Failed);
  CHECK_THROWS_AS(w.loop.EndExternal(), Failed);
}

}  // namespace scheduled
