// The clock of the operating system: CLOCK_REALTIME and CLOCK_BOOTTIME. The default of every
// scheduler, and the only place of the library that asks the system for the time.
#ifndef SCHEDULED_LIB_BASE_SYSTEM_CLOCK_H_
#define SCHEDULED_LIB_BASE_SYSTEM_CLOCK_H_

#include "scheduled/clock.h"

namespace scheduled {

class SystemClock final : public Clock {
 public:
  absl::Time WallNow() const override;
  MonoTime MonoNow() const override;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_SYSTEM_CLOCK_H_
