// A simulated clock as a straight line over true time: where it stood at one instant, and how fast
// it runs since. Integer arithmetic only, so that a replay reads the same nanoseconds everywhere.
#ifndef SCHEDULED_LIB_BASE_CLOCK_LINE_H_
#define SCHEDULED_LIB_BASE_CLOCK_LINE_H_

#include <cstdint>

namespace scheduled {

// How many of its own nanoseconds a clock counts in `true_nanos` true ones: {101, 100} is a clock
// that is fast by 1 %. Both are positive.
struct ClockRate {
  int64_t own_nanos = 1;
  int64_t true_nanos = 1;
};

// A value. Readings and instants are nanoseconds; INT64_MAX means never.
class ClockLine {
 public:
  explicit ClockLine(int64_t reading_at_zero = 0) : base_reading_(reading_at_zero) {}

  int64_t At(int64_t true_time) const;
  // The first true instant at which the clock shows `reading` or more, were it never stepped.
  int64_t FirstAt(int64_t reading) const;

  // From `true_time` on the clock shows `reading` and goes on from there.
  void Set(int64_t true_time, int64_t reading);
  // From `true_time` on the clock runs at `rate`, without a step.
  void SetRate(int64_t true_time, ClockRate rate);

 private:
  int64_t base_true_ = 0;
  int64_t base_reading_ = 0;
  ClockRate rate_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_CLOCK_LINE_H_
