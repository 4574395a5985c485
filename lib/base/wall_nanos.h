// Wall time as whole nanoseconds since the epoch, for timers. Rounded up, so that a timer is never
// early by a fraction; times beyond the year 2262 are "never".
#ifndef SCHEDULED_LIB_BASE_WALL_NANOS_H_
#define SCHEDULED_LIB_BASE_WALL_NANOS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace scheduled {

inline int64_t WallNanosCeil(absl::Time time) {
  const int64_t nanos = absl::ToUnixNanos(time);
  return nanos < INT64_MAX && absl::FromUnixNanos(nanos) < time ? nanos + 1 : nanos;
}

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_WALL_NANOS_H_
