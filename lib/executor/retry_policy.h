// Whether a failed attempt is tried again, and how long the next one waits. Pure: random bits come
// in, nothing is read from a clock. The leader asks once for each attempt that failed and puts the
// answer into the log, so replicas never compute it.
#ifndef SCHEDULED_LIB_EXECUTOR_RETRY_POLICY_H_
#define SCHEDULED_LIB_EXECUTOR_RETRY_POLICY_H_

#include <cstdint>

#include "absl/time/time.h"
#include "scheduled/executor.h"
#include "scheduled/job.h"

namespace scheduled {

// No server can hold a job back for longer than this, whatever its Retry-After says.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24);

// Whether the outcome allows another attempt: `retryable` if it is given, else by code. OK is not
// retried. Whether attempts are left is the caller's question.
bool IsRetryable(const RunResult& result);

struct RetryDraw {
  int failed_attempt = 1;  // the attempt that failed, 1 or larger
  uint64_t random_bits = 0;
};

// The wait after attempt k failed:
//
//   base   = min(maximum, initial * factor^(k-1)), cut to whole microseconds
//   spread = base * jitter, cut to whole microseconds
//   wait   = uniform over the whole microseconds of [base - spread, min(base + spread, maximum)]
//
// So a wait never exceeds `maximum`, and once the base has reached it the jitter goes downwards
// only: waits still spread, where clamping would pile half of them up on one value.
// Precondition: a policy within the bounds of job.h.
absl::Duration RetryWait(const RetryPolicy& policy, RetryDraw draw);

// The same, and at least what the run's result asks for (at most kMaxRetryAfter). A result that is
// not counted waits only for what it asks.
absl::Duration NextAttemptWait(const RetryPolicy& policy, RetryDraw draw, const RunResult& result);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_EXECUTOR_RETRY_POLICY_H_
