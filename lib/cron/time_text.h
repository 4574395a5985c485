// Instants as text, in the forms that the API takes and prints. All instants are whole microseconds
// within the years 1970 to 9999 (UTC).
#ifndef SCHEDULED_LIB_CRON_TIME_TEXT_H_
#define SCHEDULED_LIB_CRON_TIME_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled::cron {

inline constexpr absl::Time kMinTime = absl::UnixEpoch();
inline constexpr absl::Time kMaxTime = absl::FromUnixMicros(253402300799999999);

// Reads one of
//   2026-12-01T09:00:00.25+01:00   RFC 3339: any offset or Z; "t", "z" and a blank for "T" allowed
//   2026-12-01 09:00:00            UTC
//   1796112000 or 1796112000.25    seconds since the epoch
// A fraction has 1 to 9 digits; those past the sixth are cut off (Go and Java print nine), so that
// an instant is held at most a microsecond early. A leap second (":60") has no place in epoch
// seconds and is refused, as is a "T" without an offset, which could be anybody's local time.
// INVALID_ARGUMENT says what is wrong where.
absl::StatusOr<absl::Time> ParseTime(std::string_view text);

// "2026-12-01T08:00:00Z", "2026-12-01T09:00:00.25+01:00". Where the zone's offset is not whole
// minutes, which RFC 3339 cannot write (Africa/Monrovia until 1972), in UTC.
std::string FormatRfc3339(absl::Time time, absl::TimeZone zone = absl::UTCTimeZone());

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_TIME_TEXT_H_
