// The dumb twin of CronSchedule: it looks at every step of real time and asks of each local time
// whether it matches, field by field, with loops instead of masks. It shares no code with lib/cron;
// the only thing that both trust is Abseil's conversion of an instant to local time.
#ifndef SCHEDULED_TESTS_CRON_SLOW_CRON_H_
#define SCHEDULED_TESTS_CRON_SLOW_CRON_H_

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace scheduled::cron {

// An expression as a list of questions for each field, beside the text that asks the same.
struct SlowCron {
  using Question = std::function<bool(absl::CivilSecond)>;

  std::string text;
  Question second, minute, hour, day_of_month, month, day_of_week;
  bool any_day_of_month = false;
  bool any_day_of_week = false;
  bool has_seconds = false;
  bool is_repeating = false;

  bool Matches(absl::CivilSecond local) const;

  // All due instants after `begin` and through `end`. At vixie's fixed times a local time is due
  // at the first instant whose local time is at or after it, which is the whole of that rule.
  std::vector<absl::Time> DueWithin(absl::TimeZone zone, bool vixie, absl::Time begin,
                                    absl::Time end) const;
};

// A random expression; with seconds (six fields) if wanted.
SlowCron RandomExpression(std::mt19937_64& random, bool with_seconds);

}  // namespace scheduled::cron

#endif  // SCHEDULED_TESTS_CRON_SLOW_CRON_H_
