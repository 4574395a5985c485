// Backoff arithmetic. The growth is a loop of multiplications, not std::pow, whose last bit differs
// between C libraries; the draw is a 128-bit multiplication, which has neither overflow nor a
// modulo's bias worth naming.
#include "executor/retry_policy.h"

#include <algorithm>

#include "base/assert.h"

namespace scheduled {
namespace {

int64_t BaseMicros(const RetryPolicy& policy, int failed_attempt) {
  const int64_t maximum = absl::ToInt64Microseconds(policy.maximum);
  // 30 days are 2.6e12 us, far within the 2^53 up to which a double holds every integer.
  double wait = static_cast<double>(absl::ToInt64Microseconds(policy.initial));
  for (int k = 1; k < failed_attempt && wait < static_cast<double>(maximum); ++k) {
    wait *= policy.factor;
  }
  return wait < static_cast<double>(maximum) ? static_cast<int64_t>(wait) : maximum;
}

}  // namespace

bool IsRetryable(const RunResult& result) {
  if (result.status.ok()) return false;
  if (result.retryable.has_value()) return *result.retryable;
  switch (result.status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kNotFound:
      return false;
    default:
      return true;
  }
}

absl::Duration RetryWait(const RetryPolicy& policy, RetryDraw draw) {
  SCHEDULED_ASSERT(draw.failed_attempt >= 1, "attempts count from 1");
  SCHEDULED_ASSERT(policy.jitter >= 0 && policy.jitter <= 1, "jitter is a share");
  const int64_t base = BaseMicros(policy, draw.failed_attempt);
  const int64_t spread = static_cast<int64_t>(static_cast<double>(base) * policy.jitter);
  const int64_t low = base - spread;
  const int64_t high = std::min(base + spread, absl::ToInt64Microseconds(policy.maximum));
  const auto width = static_cast<unsigned __int128>(high - low + 1);
  const auto offset = static_cast<int64_t>((draw.random_bits * width) >> 64);
  SCHEDULED_ASSERT(0 <= offset && low + offset <= high, "the wait is within its bounds");
  return absl::Microseconds(low + offset);
}

absl::Duration NextAttemptWait(const RetryPolicy& policy, RetryDraw draw, const RunResult& result) {
  const absl::Duration asked = std::clamp(result.retry_after.value_or(absl::ZeroDuration()),
                                          absl::ZeroDuration(), kMaxRetryAfter);
  return result.uncounted ? asked : std::max(asked, RetryWait(policy, draw));
}

}  // namespace scheduled
