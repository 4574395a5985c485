// How the webhook executor shares itself out: limits and pauses for each host, cancellation,
// capacity, drains and its end.
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "executor/webhook/delivery_util.h"

namespace scheduled {
namespace {

TEST_CASE("a host has so many requests in flight, the others wait in order") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 3});
  Answers answers;
  for (int i = 1; i <= 9; ++i) {
    FakeRun run = To(receiver.Url("/" + std::to_string(i)));
    executor->Run(run.context, answers.For(std::to_string(i)));
  }
  REQUIRE(receiver.AwaitRequests(3));
  // One at a time: each answer lets one more go.
  for (int i = 1; i <= 6; ++i) {
    receiver.Release(1);
    REQUIRE(receiver.AwaitRequests(3 + static_cast<size_t>(i)));
  }
  receiver.Release();
  REQUIRE(answers.Await(9));
  CHECK(receiver.most_unanswered() == 3);
  CHECK(receiver.connections() == 3);
  const auto requests = receiver.requests();
  // The first three leave together; after them the order is that of arrival.
  for (int i = 4; i <= 9; ++i) CHECK(requests[i - 1].target == "/" + std::to_string(i));
}

TEST_CASE("a host that hangs does not hold up another") {
  Receiver hanging, healthy;
  hanging.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 1});
  Answers answers;
  executor->Run(To(hanging.Url()).context, answers.For("first"));
  executor->Run(To(hanging.Url()).context, answers.For("second"));
  REQUIRE(hanging.AwaitRequests(1));
  CHECK(Deliver(*executor, To(healthy.Url())).status.ok());
  CHECK(answers.count() == 0);
  hanging.Release();
  REQUIRE(answers.Await(2));
}

TEST_CASE("a run that finds no room at its host in time is not counted") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 1});
  Answers answers;
  executor->Run(To(receiver.Url()).context, answers.For("holder"));
  REQUIRE(receiver.AwaitRequests(1));
  FakeRun hasty = To(receiver.Url());
  hasty.context->deadline = absl::Now() + absl::Milliseconds(50);
  const RunResult result = Deliver(*executor, hasty);
  CHECK(result.uncounted);
  CHECK(result.retry_after == absl::Seconds(5));
  receiver.Release();
  CHECK(answers.Of("holder").status.ok());
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a run that was cancelled before its turn at its host is not sent when the turn comes") {
  Receiver receiver, other;
  receiver.Next({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 1});
  Answers answers;
  FakeRun waiting = To(receiver.Url("/waiting"));
  // The end of the run before it cancels it, on the very thread that then gives it its turn.
  executor->Run(To(receiver.Url("/first")).context,
                Done([&waiting, done = answers.For("first")](RunResult result) mutable {
                  waiting.Cancel();
                  done(std::move(result));
                }));
  executor->Run(waiting.context, answers.For("waiting"));
  // Runs are taken in their order: once this one has ended, the one before it waits.
  REQUIRE(Deliver(*executor, To(other.Url())).status.ok());
  REQUIRE(receiver.AwaitRequests(1));
  receiver.Release();
  CHECK(answers.Of("first").status.ok());
  const RunResult result = answers.Of("waiting");
  CHECK(absl::IsCancelled(result.status));
  CHECK(result.uncounted);
  // The place at the host is free again.
  CHECK(Deliver(*executor, To(receiver.Url("/next"))).status.ok());
  const auto requests = receiver.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].target == "/next");
}

TEST_CASE("a host that keeps failing is paused, and its runs burn no attempt") {
  Receiver failing, healthy;
  failing.Always({.status = 500});
  auto executor = MakeExecutor({.breaker_failures = 3, .breaker_pause = absl::Hours(1)});
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(Deliver(*executor, To(failing.Url())).uncounted);
  }
  const RunResult paused = Deliver(*executor, To(failing.Url("/other")));
  CHECK(paused.uncounted);
  CHECK(paused.retryable == true);
  REQUIRE(paused.retry_after.has_value());
  CHECK(*paused.retry_after > absl::Minutes(59));
  CHECK(*paused.retry_after <= absl::Hours(1));
  CHECK(failing.requests().size() == 3);
  CHECK(Deliver(*executor, To(healthy.Url())).status.ok());
}

TEST_CASE("a paused host is tried again, and its success ends the pause") {
  Receiver receiver;
  for (int i = 0; i < 2; ++i) receiver.Next({.status = 503});
  auto executor = MakeExecutor({.breaker_failures = 2, .breaker_pause = absl::Nanoseconds(1)});
  Deliver(*executor, To(receiver.Url()));
  Deliver(*executor, To(receiver.Url()));
  CHECK(Deliver(*executor, To(receiver.Url())).status.ok());
  CHECK(Deliver(*executor, To(receiver.Url())).status.ok());
  CHECK(receiver.requests().size() == 4);
}

TEST_CASE("a cancelled request is cut off") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor();
  Answers answers;
  FakeRun run = To(receiver.Url());
  executor->Run(run.context, answers.For("run"));
  REQUIRE(receiver.AwaitRequests(1));
  run.Cancel();
  const RunResult result = answers.Of("run");
  CHECK(result.status.code() == absl::StatusCode::kCancelled);
  CHECK_FALSE(result.uncounted);
  CHECK(receiver.AwaitNoConnection());
}

TEST_CASE("a request whose time the library ends is a timeout, and counts against the host") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.breaker_failures = 1, .breaker_pause = absl::Hours(1)});
  Answers answers;
  FakeRun run = To(receiver.Url());
  executor->Run(run.context, answers.For("run"));
  REQUIRE(receiver.AwaitRequests(1));
  run.context->deadline = absl::Now() - absl::Seconds(1);
  run.Cancel();
  CHECK(answers.Of("run").error_type == "timeout");
  CHECK(Deliver(*executor, To(receiver.Url())).uncounted);
}

TEST_CASE("a run that is cancelled while it waits is not sent") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 1});
  Answers answers;
  FakeRun waiting = To(receiver.Url());
  executor->Run(To(receiver.Url()).context, answers.For("running"));
  executor->Run(waiting.context, answers.For("waiting"));
  REQUIRE(receiver.AwaitRequests(1));
  waiting.Cancel();
  const RunResult result = answers.Of("waiting");
  CHECK(result.status == absl::CancelledError("cancelled before it was sent"));
  CHECK(result.uncounted);
  receiver.Release();
  CHECK(answers.Of("running").status.ok());
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a run that comes cancelled is not sent, and a late cancel does nothing") {
  Receiver receiver;
  FakeRun late = To(receiver.Url());
  {
    auto executor = MakeExecutor();
    FakeRun early = To(receiver.Url());
    early.Cancel();
    CHECK(Deliver(*executor, early).uncounted);
    CHECK(Deliver(*executor, late).status.ok());
  }
  late.Cancel();
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("no more runs are taken than there is room for") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.capacity = 2});
  CHECK(executor->capacity() == 2);
  Answers answers;
  executor->Run(To(receiver.Url()).context, answers.For("1"));
  executor->Run(To(receiver.Url()).context, answers.For("2"));
  executor->Run(To(receiver.Url()).context, answers.For("3"));
  const RunResult refused = answers.Of("3");
  CHECK(refused.uncounted);
  CHECK(refused.status.code() == absl::StatusCode::kUnavailable);
  receiver.Release();
  REQUIRE(answers.Await(3));
  CHECK(Deliver(*executor, To(receiver.Url())).status.ok());
}

TEST_CASE("a drain waits for what is under way") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor();
  Answers answers;
  executor->Run(To(receiver.Url()).context, answers.For("run"));
  REQUIRE(receiver.AwaitRequests(1));
  executor->Drain(absl::ZeroDuration());
  CHECK(answers.count() == 0);
  receiver.Release();
  executor->Drain(absl::Minutes(1));
  CHECK(answers.count() == 1);
}

TEST_CASE("the destructor gives back what is under way and what waits") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 1});
  Answers answers;
  executor->Run(To(receiver.Url()).context, answers.For("running"));
  executor->Run(To(receiver.Url()).context, answers.For("waiting"));
  REQUIRE(receiver.AwaitRequests(1));
  executor.reset();
  REQUIRE(answers.count() == 2);
  CHECK(answers.Of("running").uncounted);
  CHECK(answers.Of("waiting").uncounted);
  CHECK(receiver.AwaitNoConnection());
}

TEST_CASE("what is left in the end is given back in the order in which it came") {
  Receiver receiver;
  receiver.Always({.hold = true});
  auto executor = MakeExecutor({.connections_per_host = 2});
  std::vector<int> order;
  std::vector<int> expected;
  for (int i = 0; i < 64; ++i) {
    expected.push_back(i);
    executor->Run(To(receiver.Url()).context, Done([&order, i](RunResult) { order.push_back(i); }));
  }
  REQUIRE(receiver.AwaitRequests(1));
  executor.reset();
  CHECK(order == expected);
}

TEST_CASE("many threads, many hosts, many runs: each is answered once") {
  constexpr int kThreads = 4;
  constexpr int kRuns = 300;
  Receiver receivers[3];
  auto executor = MakeExecutor({.capacity = 4096});
  std::mutex mutex;
  std::condition_variable all;
  int answered = 0;
  int ok = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kRuns; ++i) {
        FakeRun run = To(receivers[(t + i) % 3].Url());
        executor->Run(run.context, Done([&](RunResult result) {
                        std::lock_guard lock(mutex);
                        ++answered;
                        if (result.status.ok()) ++ok;
                        all.notify_all();
                      }));
        if (i % 50 == 7) run.Cancel();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  executor->Drain(absl::InfiniteDuration());
  std::lock_guard lock(mutex);
  CHECK(answered == kThreads * kRuns);
  CHECK(ok >= kThreads * kRuns * 9 / 10);
  for (const Receiver& receiver : receivers) {
    CHECK(receiver.connections() <= 32 + kThreads * kRuns / 50 + 1);
    CHECK(receiver.most_unanswered() <= 64);
  }
}

}  // namespace
}  // namespace scheduled
