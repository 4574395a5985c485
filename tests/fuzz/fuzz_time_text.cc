// Fuzz target: instants, durations and zone names. What is accepted must be in range and whole
// microseconds, and must be read back as it was from each form that it is printed in.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "cron/duration_text.h"
#include "cron/time_text.h"
#include "cron/time_zone.h"
#include "scheduled/time_text.h"

using namespace scheduled::cron;  // NOLINT: a program of one page

namespace {

void CheckTime(std::string_view text) {
  const absl::StatusOr<absl::Time> time = ParseTime(text);
  if (!time.ok()) return;
  SCHEDULED_ASSERT(*time >= kMinTime && *time <= kMaxTime, "an instant is within bounds");
  SCHEDULED_ASSERT(absl::FromUnixMicros(absl::ToUnixMicros(*time)) == *time,
                   "an instant is whole microseconds");
  SCHEDULED_ASSERT(*ParseTime(scheduled::FormatEpochSeconds(*time)) == *time,
                   "epoch seconds are exact");
  SCHEDULED_ASSERT(*ParseTime(FormatRfc3339(*time)) == *time, "RFC 3339 is exact");
  if (*time > kMaxTime - absl::Hours(24)) return;  // the year 10000 in local time
  const absl::TimeZone zone = *LoadZone("Asia/Kathmandu");
  SCHEDULED_ASSERT(*ParseTime(FormatRfc3339(*time, zone)) == *time, "an offset is exact");
}

void CheckDuration(std::string_view text) {
  const absl::StatusOr<absl::Duration> duration = ParseGoDuration(text);
  if (!duration.ok()) return;
  SCHEDULED_ASSERT(*duration >= absl::ZeroDuration() && *duration <= kMaxDuration,
                   "a duration is within bounds");
  SCHEDULED_ASSERT(*ParseGoDuration(FormatGoDuration(*duration)) == *duration,
                   "a duration is exact");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckTime(text);
  CheckDuration(text);
  if (const absl::StatusOr<absl::TimeZone> zone = LoadZone(text); zone.ok()) {
    SCHEDULED_ASSERT(zone->name() == text, "a zone keeps its name");
  }
  return 0;
}
