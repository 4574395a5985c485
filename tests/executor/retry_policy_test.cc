// Backoff against a dumb twin that multiplies in 128-bit integers, and its bounds at the edges.
#include "executor/retry_policy.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <set>

#include "base/random.h"

namespace scheduled {
namespace {

RetryPolicy Policy(absl::Duration initial, absl::Duration maximum, double factor, double jitter) {
  RetryPolicy policy;
  policy.max_attempts = 1000;
  policy.initial = initial;
  policy.maximum = maximum;
  policy.factor = factor;
  policy.jitter = jitter;
  return policy;
}

RunResult Failed(absl::StatusCode code) { return absl::Status(code, "failed"); }

// For a whole factor and a jitter in percent: integers only, one step at a time.
struct Bounds {
  int64_t low = 0;
  int64_t high = 0;
};
Bounds DumbBounds(const RetryPolicy& policy, int failed_attempt, int percent) {
  const int64_t maximum = policy.maximum / absl::Microseconds(1);
  __int128 base = policy.initial / absl::Microseconds(1);
  for (int k = 1; k < failed_attempt; ++k) {
    base *= static_cast<int>(policy.factor);
    if (base >= maximum) break;
  }
  base = std::min<__int128>(base, maximum);
  const __int128 spread = base * percent / 100;
  return {static_cast<int64_t>(base - spread),
          static_cast<int64_t>(std::min<__int128>(base + spread, maximum))};
}

TEST_CASE("waits double from the initial one up to the maximum") {
  const RetryPolicy policy = Policy(absl::Seconds(1), absl::Seconds(10), 2, 0);
  const int expected[] = {1, 2, 4, 8, 10, 10, 10};
  for (int k = 1; k <= 7; ++k) {
    CHECK(RetryWait(policy, {k, Random(k).Next()}) == absl::Seconds(expected[k - 1]));
  }
}

TEST_CASE("every wait is within the bounds that a dumb twin finds, and reaches both") {
  Random random(20240601);
  for (int round = 0; round < 5000; ++round) {
    const int percent = static_cast<int>(random.Uniform(101));
    const auto initial = absl::Microseconds(random.Between(1000, 2592000000000));
    const auto maximum =
        absl::Microseconds(random.Between(absl::ToInt64Microseconds(initial), 2592000000000));
    const int factor = static_cast<int>(random.Between(1, 100));
    const RetryPolicy policy = Policy(initial, maximum, factor, percent / 100.0);
    const int attempt = static_cast<int>(random.Between(1, 1000));
    const Bounds bounds = DumbBounds(policy, attempt, percent);
    INFO("round " << round << " percent " << percent << " attempt " << attempt);
    const auto wait = [&](uint64_t bits) {
      return absl::ToInt64Microseconds(RetryWait(policy, {attempt, bits}));
    };
    // The share is a binary fraction: it may fall a microsecond short of the decimal one.
    REQUIRE(wait(0) - bounds.low <= 1);
    REQUIRE(wait(0) >= bounds.low);
    REQUIRE(bounds.high - wait(UINT64_MAX) <= 1);
    REQUIRE(wait(UINT64_MAX) <= bounds.high);
    const int64_t any = wait(random.Next());
    REQUIRE((bounds.low <= any && any <= bounds.high));
  }
}

TEST_CASE("every whole microsecond between the bounds is drawn, evenly") {
  // 1,000 us with 0.5 % jitter: 995 to 1,005, of which the maximum leaves 995 to 1,000.
  const RetryPolicy policy = Policy(absl::Milliseconds(1), absl::Milliseconds(1), 2, 0.005);
  constexpr int kDraws = 60000;
  std::map<int64_t, int> seen;
  Random random(7);
  for (int i = 0; i < kDraws; ++i) {
    ++seen[absl::ToInt64Microseconds(RetryWait(policy, {1, random.Next()}))];
  }
  REQUIRE(seen.size() == 6);
  CHECK(seen.begin()->first == 995);
  CHECK(seen.rbegin()->first == 1000);
  for (const auto& [wait, count] : seen) {
    CHECK(count > kDraws / 6 * 9 / 10);
    CHECK(count < kDraws / 6 * 11 / 10);
  }
}

TEST_CASE("the largest policy does not overflow") {
  const RetryPolicy policy = Policy(absl::Hours(720), absl::Hours(720), 100, 1);
  CHECK(RetryWait(policy, {1000, 0}) == absl::ZeroDuration());
  CHECK(RetryWait(policy, {1000, UINT64_MAX}) == absl::Hours(720));
}

TEST_CASE("a wait is the same wherever it is computed") {
  // 3.7 is no binary fraction: the figures are those of IEEE multiplications in order.
  const RetryPolicy policy = Policy(absl::Milliseconds(137), absl::Hours(720), 3.7, 0.1);
  CHECK(RetryWait(policy, {9, 0x8000000000000000}) == absl::Microseconds(4812096851));
}

TEST_CASE("the code says whether a failure is retried, and the result may overrule it") {
  using absl::StatusCode;
  const std::set<StatusCode> final_codes = {
      StatusCode::kInvalidArgument, StatusCode::kFailedPrecondition, StatusCode::kPermissionDenied,
      StatusCode::kUnimplemented, StatusCode::kNotFound};
  for (int value = 1; value <= 16; ++value) {
    const auto code = static_cast<StatusCode>(value);
    RunResult result = Failed(code);
    INFO(result.status);
    CHECK(IsRetryable(result) == !final_codes.contains(code));
    result.retryable = final_codes.contains(code);
    CHECK(IsRetryable(result) == final_codes.contains(code));
  }
  CHECK_FALSE(IsRetryable(RunResult(absl::OkStatus())));
}

TEST_CASE("the next attempt waits at least for what the result asks") {
  const RetryPolicy policy = Policy(absl::Seconds(10), absl::Minutes(5), 2, 0);
  RunResult result = Failed(absl::StatusCode::kUnavailable);
  CHECK(NextAttemptWait(policy, {1, 0}, result) == absl::Seconds(10));
  result.retry_after = absl::Seconds(3);
  CHECK(NextAttemptWait(policy, {1, 0}, result) == absl::Seconds(10));
  result.retry_after = absl::Hours(2);
  CHECK(NextAttemptWait(policy, {1, 0}, result) == absl::Hours(2));
  result.retry_after = absl::Hours(1000);
  CHECK(NextAttemptWait(policy, {1, 0}, result) == kMaxRetryAfter);
  result.retry_after = absl::Seconds(-5);
  CHECK(NextAttemptWait(policy, {1, 0}, result) == absl::Seconds(10));
}

TEST_CASE("what is not counted waits only for what it asks") {
  const RetryPolicy policy = Policy(absl::Seconds(10), absl::Minutes(5), 2, 0);
  CHECK(NextAttemptWait(policy, {1, 0}, RunResult::Snooze(absl::Seconds(3))) == absl::Seconds(3));
  RunResult unasked = Failed(absl::StatusCode::kUnavailable);
  unasked.uncounted = true;
  CHECK(NextAttemptWait(policy, {1, 0}, unasked) == absl::ZeroDuration());
}

}  // namespace
}  // namespace scheduled
