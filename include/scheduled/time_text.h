// Instants and durations as text, in the forms that the API takes and prints.
#ifndef SCHEDULED_TIME_TEXT_H_
#define SCHEDULED_TIME_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled {

// RFC 3339 with any offset ("2026-12-01T09:00:00.25+01:00"), "2026-12-01 09:00:00" (UTC) or seconds
// since the epoch with an optional fraction. Held in microseconds, within the years 1970 to 9999.
// kInvalidArgument says what is wrong where.
absl::StatusOr<absl::Time> ParseTimeText(std::string_view text);
// Seconds since the epoch, with a fraction only where there is one.
std::string FormatEpochSeconds(absl::Time time);
// In UTC, as RFC 3339.
std::string FormatRfc3339(absl::Time time);

// As Go writes durations: "1h30m", "250ms", "1.5s"; at least 0. kInvalidArgument says what is
// wrong.
absl::StatusOr<absl::Duration> ParseDurationText(std::string_view text);
std::string FormatDurationText(absl::Duration duration);

}  // namespace scheduled

#endif  // SCHEDULED_TIME_TEXT_H_
