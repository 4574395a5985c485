// Products of two 64-bit numbers are taken in 128 bits, and rounded so that a timer set for a
// reading is never early by that reading.
#include "base/clock_line.h"

#include <algorithm>

#include "base/assert.h"

namespace scheduled {
namespace {

using Wide = __int128;

int64_t Clamp(Wide value) {
  return static_cast<int64_t>(std::clamp(value, Wide{INT64_MIN}, Wide{INT64_MAX}));
}

Wide FloorDivide(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }
Wide CeilDivide(Wide a, Wide b) { return a / b + (a % b > 0 ? 1 : 0); }

}  // namespace

int64_t ClockLine::At(int64_t true_time) const {
  const Wide passed = Wide{true_time} - base_true_;
  return Clamp(base_reading_ + FloorDivide(passed * rate_.own_nanos, rate_.true_nanos));
}

int64_t ClockLine::FirstAt(int64_t reading) const {
  if (reading == INT64_MAX) return INT64_MAX;
  const Wide ahead = Wide{reading} - base_reading_;
  return Clamp(base_true_ + CeilDivide(ahead * rate_.true_nanos, rate_.own_nanos));
}

void ClockLine::Set(int64_t true_time, int64_t reading) {
  base_true_ = true_time;
  base_reading_ = reading;
}

void ClockLine::SetRate(int64_t true_time, ClockRate rate) {
  SCHEDULED_ASSERT(rate.own_nanos > 0 && rate.true_nanos > 0, "a clock goes forward");
  Set(true_time, At(true_time));
  rate_ = rate;
}

}  // namespace scheduled
