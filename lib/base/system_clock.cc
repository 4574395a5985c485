// Readings of the operating system's clocks.
#include "base/system_clock.h"

#include <time.h>

namespace scheduled {

absl::Time SystemClock::WallNow() const {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return absl::TimeFromTimespec(now);
}

MonoTime SystemClock::MonoNow() const {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return MonoTime{int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

}  // namespace scheduled
