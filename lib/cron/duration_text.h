// Durations as Go writes them: "1h30m", "250ms", "1.5s". Exact in both directions: what cannot be
// held in whole microseconds is refused, never rounded.
#ifndef SCHEDULED_LIB_CRON_DURATION_TEXT_H_
#define SCHEDULED_LIB_CRON_DURATION_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled::cron {

// What Go's time.Duration can hold, in whole microseconds: about 292 years.
inline constexpr absl::Duration kMaxDuration = absl::Microseconds(9223372036854775);

// Reads a sequence of numbers, each with a unit (ns, us, µs, ms, s, m, h) and a fraction if wanted,
// in any order, added up; or "0". A sign may lead.
// INVALID_ARGUMENT: no number, no unit or an unknown one, finer than a microsecond, longer than
// kMaxDuration, or below zero.
absl::StatusOr<absl::Duration> ParseGoDuration(std::string_view text);

// "1h30m", "90.5s" as "1m30.5s", "250ms", "1.5ms", "15us", "0s": Go's form without its zero parts
// ("1h30m0s") and in ASCII. Cut to microseconds, and held within ± kMaxDuration.
std::string FormatGoDuration(absl::Duration duration);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_DURATION_TEXT_H_
