// The fields of a cron expression, from text to a CalendarRule. This is the grammar alone: macros,
// time-zone prefixes and daylight saving belong to schedule.h.
//
//   expression  [second] minute hour day-of-month month day-of-week, between blanks
//   field       item {"," item}
//               "?" as the whole of a day field is "*"
//   item        "*" | value | value "-" value, each with "/step" if wanted
//   value       a number; a name (JAN-DEC, SUN-SAT, any case) in the month and day-of-week fields
//   step        1 to the number of values of the field; "v/s" runs from v to the field's last value
//   day of month also: "L" last day, "L-3" three days before it, "15W" the weekday (Monday to
//               Friday) nearest to the 15th in the same month, "LW", "L-3W"
//   day of week also: "FRIL" or "5L" the last Friday, "MON#2" or "1#2" the second Monday
//
// Seconds and minutes are 0-59, hours 0-23, days of month 1-31, months 1-12, days of week 0-7 where
// both 0 and 7 are Sunday (not Quartz's 1 for Sunday). Decisions where others differ:
// - A range may wrap: "FRI-MON", "22-2", "NOV-FEB" mean what they say (as in Quartz).
// - "*/2" restricts a day field; only "*", "*/1" and "?" leave it free (as in robfig/cron).
// - "15W" stays in its month, "31W" does not occur in a month of 30 days.
// - "L" alone as day of week is refused: in Quartz it is Saturday, elsewhere an error.
// - A step larger than its field ("*/90" minutes) is refused, since it cannot mean what was meant.
// - A seventh field (Quartz's year) is refused.
#ifndef SCHEDULED_LIB_CRON_FIELD_PARSER_H_
#define SCHEDULED_LIB_CRON_FIELD_PARSER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "cron/calendar_rule.h"

namespace scheduled::cron {

struct ParsedFields {
  CalendarRule rule;
  // The hour or the minute field has "*" or a step: the expression means "every so often" rather
  // than a time of day, which decides how it crosses a change of the clock.
  bool is_repeating = false;
};

// Reads five or six fields. INVALID_ARGUMENT names the field, its text and the bound.
absl::StatusOr<ParsedFields> ParseFields(std::string_view text);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_FIELD_PARSER_H_
