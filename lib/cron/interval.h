// Occurrences at a fixed distance. They are computed from their origin each time, so nothing
// drifts, however late a run was. Pure, in constant time and whole microseconds.
#ifndef SCHEDULED_LIB_CRON_INTERVAL_H_
#define SCHEDULED_LIB_CRON_INTERVAL_H_

#include <optional>

#include "absl/time/time.h"

namespace scheduled::cron {

// The first of start, start + every, start + 2 * every, … that is later than `after`; nothing past
// the year 9999. Preconditions: as NextMultiple.
std::optional<absl::Time> NextFromStart(absl::Time start, absl::Duration every, absl::Time after);

// The first instant later than `after` that is a whole number of `every` away from `origin`, before
// or after it. Preconditions: `every` is positive and whole microseconds; all instants lie within
// 100,000 years of the epoch.
absl::Time NextMultiple(absl::Time origin, absl::Duration every, absl::Time after);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_INTERVAL_H_
