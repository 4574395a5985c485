// Fuzz target: cron expressions. The first byte picks policy and reference, the rest is the text.
// An accepted expression must give later and later whole seconds, each of them again when asked
// from just before it, the first of them within eight years.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/assert.h"
#include "cron/schedule.h"
#include "cron/time_text.h"

using scheduled::Dst;
using scheduled::cron::CronSchedule;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const absl::Time reference = absl::FromCivil(
      absl::CivilSecond(1970 + data[0] % 128, 3, 8, 12, 30, 15), absl::UTCTimeZone());
  const absl::StatusOr<CronSchedule> schedule =
      CronSchedule::Parse(text, {.time_zone = "America/New_York",
                                 .dst = data[0] < 128 ? Dst::kVixie : Dst::kSkip,
                                 .reference = reference});
  if (!schedule.ok()) {
    SCHEDULED_ASSERT(schedule.status().code() == absl::StatusCode::kInvalidArgument,
                     "a refusal is the request's fault");
    return 0;
  }
  std::optional<absl::Time> next = schedule->Next(reference);
  SCHEDULED_ASSERT(next.has_value() && *next <= reference + absl::Hours(24 * 2922),
                   "an accepted expression is due within 8 years");
  absl::Time previous = reference;
  for (int i = 0; i < 20 && next.has_value(); ++i) {
    SCHEDULED_ASSERT(*next > previous && *next <= scheduled::cron::kMaxTime,
                     "occurrences only grow, within bounds");
    SCHEDULED_ASSERT(schedule->Next(*next - absl::Microseconds(1)) == next,
                     "an occurrence is found from just before it");
    SCHEDULED_ASSERT(schedule->Next(previous + (*next - previous) / 2) == next,
                     "nothing is due between two occurrences");
    previous = *next;
    next = schedule->Next(previous);
  }
  return 0;
}
