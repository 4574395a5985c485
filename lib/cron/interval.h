// Occurrences at a fixed distance from a start: start, start + every, start + 2 * every, … They
// are computed from the start each time, so nothing drifts, however late a run was. A plain value.
#ifndef SCHEDULED_LIB_CRON_INTERVAL_H_
#define SCHEDULED_LIB_CRON_INTERVAL_H_

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled::cron {

class IntervalSchedule {
 public:
  // `every` is at least 1 ms and whole microseconds; `start` lies in 1970 to 9999 and is cut to
  // microseconds. INVALID_ARGUMENT otherwise.
  static absl::StatusOr<IntervalSchedule> Create(absl::Time start, absl::Duration every);

  // The first occurrence later than `after`: `start` itself if it is. Nothing past the year 9999.
  // Constant time.
  std::optional<absl::Time> Next(absl::Time after) const;

  absl::Time start() const { return start_; }
  absl::Duration every() const { return every_; }

 private:
  IntervalSchedule(absl::Time start, absl::Duration every) : start_(start), every_(every) {}

  absl::Time start_;
  absl::Duration every_;
};

// The first instant later than `after` that is a whole number of `every` (positive, whole
// microseconds) away from `origin`. All instants lie within 100,000 years of the epoch.
absl::Time NextMultiple(absl::Time origin, absl::Duration every, absl::Time after);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_INTERVAL_H_
