// What a cron expression says about a clock on the wall: which seconds, minutes, hours and days of
// a calendar match. It knows neither time zones nor daylight saving (schedule.h does), and reads no
// text (field_parser.h does). A search skips from field to field; it never steps through seconds.
// A plain value: copy it freely, use it from any thread.
#ifndef SCHEDULED_LIB_CRON_CALENDAR_RULE_H_
#define SCHEDULED_LIB_CRON_CALENDAR_RULE_H_

#include <array>
#include <cstdint>
#include <optional>

#include "absl/time/civil_time.h"

namespace scheduled::cron {

// The day-of-month and day-of-week fields together. Sunday is weekday 0.
struct DayRule {
  uint32_t days = 0;                 // bit d: day d of the month, 1-31
  uint32_t from_end = 0;             // bit n: the last day less n ("L" is bit 0, "L-3" bit 3)
  uint32_t near_days = 0;            // bit d: the weekday nearest to day d ("15W")
  uint32_t near_from_end = 0;        // bit n: the weekday nearest to last less n ("LW")
  uint8_t weekdays = 0;              // bit w: every weekday w of the month
  uint8_t last_weekdays = 0;         // bit w: the last weekday w of the month ("5L")
  std::array<uint8_t, 5> nth = {};   // nth[n - 1], bit w: the n-th weekday w ("MON#2")
  bool restricts_month_day = false;  // the day-of-month field is neither "*" nor "?"
  bool restricts_weekday = false;    // the day-of-week field is neither "*" nor "?"

  // The matching days of one month: bit d is set if day d matches. If both fields restrict, a day
  // matches that either of them names; else the one that restricts decides.
  uint32_t DaysIn(absl::CivilMonth month) const;
};

struct CalendarRule {
  uint64_t seconds = 1;  // bit s, 0-59
  uint64_t minutes = 0;  // bit m, 0-59
  uint32_t hours = 0;    // bit h, 0-23
  uint16_t months = 0;   // bit m, 1-12
  DayRule day;

  // The first matching time at or after `from` and at or before `through`. The work is bounded by
  // the number of months between the two.
  std::optional<absl::CivilSecond> FirstMatch(absl::CivilSecond from,
                                              absl::CivilSecond through) const;

 private:
  // The first matching time on the day of `from`, at or after it, given that the day matches.
  std::optional<absl::CivilSecond> FirstMatchOnDay(absl::CivilSecond from) const;
};

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_CALENDAR_RULE_H_
