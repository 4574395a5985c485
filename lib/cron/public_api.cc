// The public face of this layer: include/scheduled/time_text.h, but for FormatEpochSeconds, and
// cron.h.
#include <string>

#include "absl/strings/str_cat.h"
#include "cron/duration_text.h"
#include "cron/schedule.h"
#include "cron/time_text.h"
#include "scheduled/cron.h"
#include "scheduled/time_text.h"

namespace scheduled {

absl::StatusOr<absl::Time> ParseTimeText(std::string_view text) { return cron::ParseTime(text); }

std::string FormatRfc3339(absl::Time time) { return cron::FormatRfc3339(time); }

absl::StatusOr<absl::Duration> ParseDurationText(std::string_view text) {
  return cron::ParseGoDuration(text);
}

std::string FormatDurationText(absl::Duration duration) { return cron::FormatGoDuration(duration); }

absl::StatusOr<std::vector<absl::Time>> NextOccurrences(std::string_view expression,
                                                        std::string_view timezone, absl::Time from,
                                                        int count, Dst dst) {
  if (count < 1 || count > 1000) {
    return absl::InvalidArgumentError(absl::StrCat("count is ", count, ": 1 to 1,000 are allowed"));
  }
  absl::StatusOr<cron::CronSchedule> schedule = cron::CronSchedule::Parse(
      expression, {.time_zone = std::string(timezone), .dst = dst, .reference = from});
  if (!schedule.ok()) return schedule.status();
  std::vector<absl::Time> times;
  std::optional<absl::Time> next = schedule->Next(from);
  while (next && static_cast<int>(times.size()) < count) {
    times.push_back(*next);
    next = schedule->Next(*next);
  }
  return times;
}

}  // namespace scheduled
