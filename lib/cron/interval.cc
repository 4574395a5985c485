// Fixed intervals, in whole microseconds.
#include "cron/interval.h"

#include <cstdint>

#include "absl/status/status.h"
#include "base/assert.h"
#include "cron/duration_text.h"
#include "cron/time_text.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

constexpr absl::Duration kMinInterval = absl::Milliseconds(1);

int64_t FloorDivide(int64_t dividend, int64_t divisor) {
  const int64_t quotient = dividend / divisor;
  return dividend % divisor < 0 ? quotient - 1 : quotient;
}

}  // namespace

absl::Time NextMultiple(absl::Time origin, absl::Duration every, absl::Time after) {
  const int64_t step = absl::ToInt64Microseconds(every);
  SCHEDULED_ASSERT(step > 0, "an interval is positive");
  const int64_t first = absl::ToUnixMicros(origin);
  const int64_t passed = FloorDivide(absl::ToUnixMicros(after) - first, step);
  return absl::FromUnixMicros(first + (passed + 1) * step);
}

absl::StatusOr<IntervalSchedule> IntervalSchedule::Create(absl::Time start, absl::Duration every) {
  if (every < kMinInterval || every > kMaxDuration) {
    return absl::InvalidArgumentError(
        fmt::format("interval {} is not within {} and {}", FormatGoDuration(every),
                    FormatGoDuration(kMinInterval), FormatGoDuration(kMaxDuration)));
  }
  if (absl::Microseconds(absl::ToInt64Microseconds(every)) != every) {
    return absl::InvalidArgumentError("interval is finer than a microsecond");
  }
  if (start < kMinTime || start > kMaxTime) {
    return absl::InvalidArgumentError("the start of an interval lies outside the years 1970-9999");
  }
  return IntervalSchedule(absl::FromUnixMicros(absl::ToUnixMicros(start)), every);
}

std::optional<absl::Time> IntervalSchedule::Next(absl::Time after) const {
  if (after < start_) return start_;
  if (after >= kMaxTime) return std::nullopt;
  const absl::Time next = NextMultiple(start_, every_, after);
  return next <= kMaxTime ? std::optional(next) : std::nullopt;
}

}  // namespace scheduled::cron
