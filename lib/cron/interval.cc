// See interval.h.
#include "cron/interval.h"

#include <cstdint>

#include "base/assert.h"
#include "cron/time_text.h"

namespace scheduled::cron {
namespace {

int64_t FloorDivide(int64_t dividend, int64_t divisor) {
  const int64_t quotient = dividend / divisor;
  return dividend % divisor < 0 ? quotient - 1 : quotient;
}

}  // namespace

std::optional<absl::Time> NextFromStart(absl::Time start, absl::Duration every, absl::Time after) {
  if (after >= kMaxTime) return std::nullopt;
  const absl::Time next = after < start ? start : NextMultiple(start, every, after);
  return next <= kMaxTime ? std::optional(next) : std::nullopt;
}

absl::Time NextMultiple(absl::Time origin, absl::Duration every, absl::Time after) {
  const int64_t step = absl::ToInt64Microseconds(every);
  SCHEDULED_ASSERT(step > 0 && absl::Microseconds(step) == every,
                   "an interval is positive and whole microseconds");
  const int64_t first = absl::ToUnixMicros(origin);
  const int64_t passed = FloorDivide(absl::ToUnixMicros(after) - first, step);
  return absl::FromUnixMicros(first + (passed + 1) * step);
}

}  // namespace scheduled::cron
