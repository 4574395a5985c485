// The callback pool, the no-op executor and Done, with real threads and no timing.
#include "executor/callback_executor.h"

#include <catch2/catch.hpp>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "executor/fake_run.h"
#include "executor/noop_executor.h"

namespace scheduled {
namespace {

struct AssertionSeen : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::unique_ptr<Executor> Pool(std::function<RunResult(const RunContext&)> callback,
                               CallbackOptions options = {}) {
  absl::StatusOr<std::unique_ptr<Executor>> pool = CallbackExecutor(std::move(callback), options);
  INFO(pool.status().ToString());
  REQUIRE(pool.ok());
  return *std::move(pool);
}

RunResult Snoozed() { return RunResult::Snooze(absl::Minutes(3), "later"); }

TEST_CASE("a callback's status is the run's answer") {
  Answers answers;
  auto executor = Pool([](const RunContext& run) -> absl::Status {
    if (run.attempt == 2) return absl::NotFoundError("no such customer");
    return absl::OkStatus();
  });
  FakeRun first, second;
  second.context->attempt = 2;
  executor->Run(first.context, answers.For("first"));
  executor->Run(second.context, answers.For("second"));
  CHECK(answers.Of("first").status.ok());
  CHECK(answers.Of("second").status == absl::NotFoundError("no such customer"));
}

TEST_CASE("a callback can answer not now") {
  Answers answers;
  auto executor = Pool([](const RunContext&) { return Snoozed(); });
  executor->Run(FakeRun().context, answers.For("run"));
  const RunResult result = answers.Of("run");
  CHECK(result.uncounted);
  CHECK(result.retry_after == absl::Minutes(3));
  CHECK(result.status == absl::UnavailableError("later"));
}

TEST_CASE("what a callback throws fails the attempt and nothing else") {
  Answers answers;
  auto executor = Pool([](const RunContext& run) -> RunResult {
    if (run.attempt == 1) throw std::runtime_error("boom");
    if (run.attempt == 2) throw 42;
    return absl::OkStatus();
  });
  for (int attempt = 1; attempt <= 3; ++attempt) {
    FakeRun run;
    run.context->attempt = attempt;
    executor->Run(run.context, answers.For(std::to_string(attempt)));
  }
  CHECK(answers.Of("1").status == absl::InternalError("the callback threw: boom"));
  CHECK(answers.Of("1").error_type == "exception");
  CHECK(answers.Of("2").status.code() == absl::StatusCode::kInternal);
  CHECK(answers.Of("3").status.ok());
}

TEST_CASE("as many callbacks run at once as there are threads, the others queue in order") {
  Gate gate;
  Answers answers;
  std::mutex mutex;
  std::vector<int> order;
  auto executor = Pool(
      [&](const RunContext& run) -> RunResult {
        {
          std::lock_guard lock(mutex);
          order.push_back(run.attempt);
        }
        gate.Pass();
        return absl::OkStatus();
      },
      {.threads = 1, .capacity = 4});
  CHECK(executor->capacity() == 4);
  for (int i = 1; i <= 4; ++i) {
    FakeRun run;
    run.context->attempt = i;
    executor->Run(run.context, answers.For(std::to_string(i)));
  }
  REQUIRE(gate.AwaitArrivals(1));
  CHECK(answers.count() == 0);
  gate.Open();
  REQUIRE(answers.Await(4));
  CHECK(order == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("a run beyond the capacity is answered not now") {
  Gate gate;
  Answers answers;
  auto executor = Pool(
      [&](const RunContext&) -> RunResult {
        gate.Pass();
        return absl::OkStatus();
      },
      {.threads = 1, .capacity = 2});
  executor->Run(FakeRun().context, answers.For("running"));
  executor->Run(FakeRun().context, answers.For("queued"));
  executor->Run(FakeRun().context, answers.For("refused"));
  const RunResult refused = answers.Of("refused");
  CHECK(refused.uncounted);
  CHECK(refused.status.code() == absl::StatusCode::kUnavailable);
  gate.Open();
  REQUIRE(answers.Await(3));
  CHECK(answers.Of("queued").status.ok());
}

TEST_CASE("an answer may bring the next run, and there is room for it") {
  Answers answers;
  std::unique_ptr<Executor> executor =
      Pool([](const RunContext&) { return RunResult(); }, {.threads = 1, .capacity = 1});
  executor->Run(FakeRun().context,
                Done([&](RunResult) { executor->Run(FakeRun().context, answers.For("next")); }));
  CHECK(answers.Of("next").status.ok());
}

TEST_CASE("a run that is cancelled while it is queued is not called") {
  Gate gate;
  Answers answers;
  auto executor = Pool(
      [&](const RunContext&) -> RunResult {
        gate.Pass();
        return absl::OkStatus();
      },
      {.threads = 1, .capacity = 2});
  FakeRun running, queued;
  executor->Run(running.context, answers.For("running"));
  executor->Run(queued.context, answers.For("queued"));
  REQUIRE(gate.AwaitArrivals(1));
  queued.Cancel();
  gate.Open();
  const RunResult result = answers.Of("queued");
  CHECK(result.status == absl::CancelledError("cancelled before it started"));
  CHECK(result.uncounted);
  CHECK(gate.arrived() == 1);
}

TEST_CASE("a running callback sees that it is cancelled") {
  Answers answers;
  Gate gate;
  auto executor = Pool([&](const RunContext& run) -> absl::Status {
    gate.Pass();
    return run.cancelled() ? absl::CancelledError("gave up") : absl::OkStatus();
  });
  FakeRun run;
  executor->Run(run.context, answers.For("run"));
  REQUIRE(gate.AwaitArrivals(1));
  run.Cancel();
  gate.Open();
  CHECK(answers.Of("run").status == absl::CancelledError("gave up"));
}

TEST_CASE("options out of their bounds are refused by name, and so is nothing to call") {
  const auto refusal = [](CallbackOptions options) {
    const absl::Status status =
        CallbackExecutor([](const RunContext&) { return RunResult(); }, options).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  CHECK(refusal({.threads = 0}) == "threads is 0; it needs to be 1 to 4096");
  CHECK(refusal({.threads = 4097}) == "threads is 4097; it needs to be 1 to 4096");
  CHECK(refusal({.capacity = -1}) == "capacity is -1; it needs to be 0 to 4096");
  CHECK(refusal({.capacity = 5000}) == "capacity is 5000; it needs to be 0 to 4096");
  CHECK(absl::IsInvalidArgument(CallbackExecutor(nullptr).status()));
  CHECK(Pool([](const RunContext&) { return RunResult(); }, {.threads = 8, .capacity = 2})
            ->capacity() == 2);
}

TEST_CASE("a drain returns when all is answered, or when its patience is over") {
  Gate gate;
  Answers answers;
  auto executor = Pool([&](const RunContext&) -> RunResult {
    gate.Pass();
    return absl::OkStatus();
  });
  executor->Run(FakeRun().context, answers.For("run"));
  REQUIRE(gate.AwaitArrivals(1));
  executor->Drain(absl::ZeroDuration());
  executor->Drain(-absl::InfiniteDuration());
  CHECK(answers.count() == 0);
  gate.Open();
  SECTION("bounded") { executor->Drain(absl::Minutes(1)); }
  SECTION("unbounded") { executor->Drain(absl::InfiniteDuration()); }
  CHECK(answers.count() == 1);
}

TEST_CASE("the destructor waits for the callbacks that run and gives the queued runs back") {
  Gate gate;
  Answers answers;
  auto executor = Pool(
      [&](const RunContext&) -> RunResult {
        gate.Pass();
        return absl::OkStatus();
      },
      {.threads = 1, .capacity = 2});
  executor->Run(FakeRun().context, answers.For("running"));
  executor->Run(FakeRun().context, answers.For("queued"));
  REQUIRE(gate.AwaitArrivals(1));
  std::thread destroyer([&] { executor.reset(); });
  gate.Open();
  destroyer.join();
  CHECK(answers.Of("running").status.ok());
  // Whichever came first, the opened gate or the destructor: it was called or it comes again.
  const RunResult queued = answers.Of("queued");
  CHECK((queued.status.ok() || queued.uncounted));
}

TEST_CASE("many threads hand over many runs, and each is answered once") {
  constexpr int kThreads = 4;
  constexpr int kRuns = 500;
  std::atomic<int> called = 0;
  std::atomic<int> answered = 0;
  std::atomic<int> refused = 0;
  {
    auto executor = Pool(
        [&](const RunContext&) -> RunResult {
          ++called;
          return absl::OkStatus();
        },
        {.threads = 4, .capacity = 64});
    std::vector<std::thread> callers;
    for (int t = 0; t < kThreads; ++t) {
      callers.emplace_back([&] {
        for (int i = 0; i < kRuns; ++i) {
          executor->Run(FakeRun().context, Done([&](RunResult result) {
                          ++answered;
                          if (result.uncounted) ++refused;
                        }));
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    executor->Drain(absl::InfiniteDuration());
  }
  CHECK(answered == kThreads * kRuns);
  CHECK(called + refused == kThreads * kRuns);
}

TEST_CASE("the no-op executor completes a run at once, unless it was cancelled") {
  NoopExecutor executor;
  Answers answers;
  executor.Run(FakeRun().context, answers.For("run"));
  REQUIRE(answers.count() == 1);
  CHECK(answers.Of("run").status.ok());
  FakeRun cancelled;
  cancelled.Cancel();
  executor.Run(cancelled.context, answers.For("cancelled"));
  REQUIRE(answers.count() == 2);
  CHECK(answers.Of("cancelled").uncounted);
}

TEST_CASE("a Done that is dropped or overwritten fails the attempt") {
  Answers answers;
  { const Done dropped = answers.For("dropped"); }
  CHECK(answers.Of("dropped").status == absl::AbortedError("dropped without an answer"));
  CHECK_FALSE(answers.Of("dropped").uncounted);

  Done overwritten = answers.For("overwritten");
  overwritten = answers.For("second");
  REQUIRE(answers.count() == 2);
  CHECK(answers.Of("overwritten").status.code() == absl::StatusCode::kAborted);
  overwritten(absl::OkStatus());
  CHECK(answers.Of("second").status.ok());
}

TEST_CASE("a Done that moved away answers nothing") {
  Answers answers;
  Done last;
  {
    Done first = answers.For("run");
    Done second = std::move(first);
    CHECK_FALSE(static_cast<bool>(first));  // NOLINT: what a moved-from Done is, is promised
    last = std::move(second);
  }
  CHECK(answers.count() == 0);
  last(absl::OkStatus());
  CHECK(answers.Of("run").status.ok());
}

TEST_CASE("a second answer is an impossible state") {
  SetAssertHandler([](const char*, const char*, int, std::string_view what) {
    throw AssertionSeen(std::string(what));
  });
  Answers answers;
  Done done = answers.For("run");
  done(absl::OkStatus());
  CHECK_THROWS_WITH(done(absl::OkStatus()), "a run is answered exactly once");
  SetAssertHandler(nullptr);
}

TEST_CASE("a deadline is extended by who keeps it") {
  FakeRun run;
  CHECK(run.context->Extend(absl::Seconds(5)).ok());
  CHECK(run.context->Extend(absl::ZeroDuration()).code() == absl::StatusCode::kInvalidArgument);
  run.Cancel();
  CHECK(run.context->Extend(absl::Seconds(5)).code() == absl::StatusCode::kFailedPrecondition);
  run.context->control = nullptr;
  CHECK(run.context->Extend(absl::Seconds(5)).code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace scheduled
