// The breaker's table, row by row, and a dumb twin that keeps its whole history.
#include "executor/circuit_breaker.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/random.h"

namespace scheduled {
namespace {

using State = CircuitBreaker::State;
using Ticket = CircuitBreaker::Ticket;

MonoTime At(int seconds) { return MonoTime{} + absl::Seconds(seconds); }

class World {
 public:
  explicit World(BreakerLimits limits = {.failures = 3, .pause = absl::Seconds(30)})
      : breaker_(limits) {}

  Ticket Admit(int second) {
    const CircuitBreaker::Answer answer = breaker_.Ask(At(second));
    breaker_.CheckInvariants();
    REQUIRE(std::holds_alternative<Ticket>(answer));
    return std::get<Ticket>(answer);
  }
  void Request(int second, Verdict verdict) { Report(Admit(second), second, verdict); }
  void Report(Ticket ticket, int second, Verdict verdict) {
    breaker_.Report(ticket, verdict, At(second));
    breaker_.CheckInvariants();
  }
  bool IsPausedUntil(int second, int until) {
    const CircuitBreaker::Answer answer = breaker_.Ask(At(second));
    const auto* paused = std::get_if<CircuitBreaker::Paused>(&answer);
    return paused != nullptr && paused->until == At(until) &&
           breaker_.PausedUntil(At(second)) == At(until);
  }
  bool IsProbing(int second) {
    return std::holds_alternative<CircuitBreaker::Probing>(breaker_.Ask(At(second)));
  }
  void Open(int second) {
    for (int i = 0; i < 3; ++i) Request(second, Verdict::kFailure);
    REQUIRE(breaker_.state() == State::kOpen);
  }
  const CircuitBreaker& breaker() const { return breaker_; }

 private:
  CircuitBreaker breaker_;
};

TEST_CASE("failures in a row open the breaker, for the length of the pause") {
  World world;
  world.Request(0, Verdict::kFailure);
  world.Request(0, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kClosed);
  CHECK_FALSE(world.breaker().IsFresh());
  world.Request(5, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kOpen);
  CHECK(world.IsPausedUntil(5, 35));
  CHECK(world.IsPausedUntil(34, 35));
  CHECK(world.breaker().PausedUntil(At(35)) == std::nullopt);
}

TEST_CASE("a success breaks the row, a request without a verdict does not") {
  World world;
  world.Request(0, Verdict::kFailure);
  world.Request(0, Verdict::kFailure);
  world.Request(0, Verdict::kSuccess);
  CHECK(world.breaker().IsFresh());
  world.Request(0, Verdict::kFailure);
  world.Request(0, Verdict::kNone);
  world.Request(0, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kClosed);
  world.Request(0, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kOpen);
}

TEST_CASE("after the pause one probe goes out, and its success closes the breaker") {
  World world;
  world.Open(0);
  const Ticket probe = world.Admit(30);
  CHECK(world.breaker().state() == State::kHalfOpen);
  CHECK(world.IsProbing(31));
  world.Report(probe, 32, Verdict::kSuccess);
  CHECK(world.breaker().IsFresh());
  world.Request(32, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kClosed);
}

TEST_CASE("a failed probe begins the next pause") {
  World world;
  world.Open(0);
  world.Report(world.Admit(40), 42, Verdict::kFailure);
  CHECK(world.IsPausedUntil(42, 72));
}

TEST_CASE("a probe that ends without a verdict leaves room for another") {
  World world;
  world.Open(0);
  world.Report(world.Admit(30), 31, Verdict::kNone);
  CHECK(world.breaker().state() == State::kHalfOpen);
  world.Report(world.Admit(31), 31, Verdict::kSuccess);
  CHECK(world.breaker().IsFresh());
}

TEST_CASE("outcomes of requests from before the pause change nothing") {
  World world;
  const Ticket early = world.Admit(0);
  const Ticket slow = world.Admit(0);
  const Ticket slower = world.Admit(0);
  world.Open(0);
  world.Report(early, 1, Verdict::kSuccess);
  CHECK(world.breaker().state() == State::kOpen);
  const Ticket probe = world.Admit(30);
  world.Report(slow, 31, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kHalfOpen);
  CHECK(world.IsProbing(31));
  world.Report(probe, 31, Verdict::kSuccess);
  world.Report(slower, 31, Verdict::kFailure);
  CHECK(world.breaker().IsFresh());
}

TEST_CASE("a limit of 0 never opens") {
  World world({.failures = 0, .pause = absl::Seconds(1)});
  for (int i = 0; i < 1000; ++i) world.Request(0, Verdict::kFailure);
  CHECK(world.breaker().state() == State::kClosed);
}

// The twin keeps all outcomes of the present closed spell and derives from them.
struct DumbBreaker {
  int limit;
  int pause;
  std::vector<Verdict> spell;
  int opened_at = -1;  // second; -1: closed
  bool probe_out = false;

  char Ask(int now) {
    if (opened_at < 0) return 'y';
    if (now < opened_at + pause) return 'n';
    if (probe_out) return 'w';
    probe_out = true;
    return 'p';
  }
  void Report(bool probe, Verdict verdict, int now) {
    if (probe) {
      probe_out = false;
      if (verdict == Verdict::kSuccess) opened_at = -1;
      if (verdict == Verdict::kFailure) opened_at = now;
      if (verdict != Verdict::kNone) spell.clear();
      return;
    }
    spell.push_back(verdict);
    int row = 0;
    for (const Verdict v : spell) {
      if (v == Verdict::kFailure) ++row;
      if (v == Verdict::kSuccess) row = 0;
    }
    if (row >= limit) opened_at = now;
  }
};

TEST_CASE("the breaker does what a twin with a full history does") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    const int limit = static_cast<int>(random.Between(1, 4));
    const int pause = static_cast<int>(random.Between(1, 10));
    CircuitBreaker breaker({.failures = limit, .pause = absl::Seconds(pause)});
    DumbBreaker twin{limit, pause, {}};
    int now = 0;
    for (int step = 0; step < 300; ++step) {
      INFO("seed " << seed << " step " << step);
      now += static_cast<int>(random.Uniform(3));
      const char expected = twin.Ask(now);
      const CircuitBreaker::Answer answer = breaker.Ask(At(now));
      breaker.CheckInvariants();
      REQUIRE(std::holds_alternative<Ticket>(answer) == (expected == 'y' || expected == 'p'));
      REQUIRE(std::holds_alternative<CircuitBreaker::Paused>(answer) == (expected == 'n'));
      if (expected != 'y' && expected != 'p') continue;
      const auto verdict = static_cast<Verdict>(random.Uniform(3));
      breaker.Report(std::get<Ticket>(answer), verdict, At(now));
      breaker.CheckInvariants();
      twin.Report(expected == 'p', verdict, now);
    }
  }
}

}  // namespace
}  // namespace scheduled
