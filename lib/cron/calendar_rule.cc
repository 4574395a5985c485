// The search for the next matching calendar time, on bit masks: one mask of days for each month
// that is looked at, then the lowest set bit of hour, minute and second.
#include "cron/calendar_rule.h"

#include <bit>

#include "base/assert.h"

namespace scheduled::cron {
namespace {

constexpr int kDaysInWeek = 7;

// The bits at or above `bit` of a mask.
template <typename Mask>
Mask AtOrAbove(Mask mask, int bit) {
  return static_cast<Mask>(mask & (~Mask{0} << bit));
}

template <typename Mask>
bool Has(Mask mask, int bit) {
  return (mask >> bit & 1) != 0;
}

// One month seen as numbers: how many days, and the weekday of its first.
struct MonthShape {
  explicit MonthShape(absl::CivilMonth month)
      : length(absl::CivilDay(month + 1) - absl::CivilDay(month)),
        // absl counts from Monday, cron from Sunday.
        first_weekday((static_cast<int>(absl::GetWeekday(month)) + 1) % kDaysInWeek) {}

  int WeekdayOf(int day) const { return (first_weekday + day - 1) % kDaysInWeek; }

  // Weekdays as a mask of offsets from day 1: bit k is set if day 1 + k is one of them, k < 7.
  uint32_t OffsetsOf(uint8_t weekdays) const {
    return (uint32_t{weekdays} >> first_weekday | uint32_t{weekdays}
                                                      << (kDaysInWeek - first_weekday)) &
           0x7f;
  }

  uint32_t AllDays() const { return ((uint32_t{1} << length) - 1) << 1; }

  // The Monday to Friday nearest to `day` without leaving the month.
  int NearestWeekday(int day) const {
    switch (WeekdayOf(day)) {
      case 6:  // Saturday
        return day == 1 ? day + 2 : day - 1;
      case 0:  // Sunday
        return day == length ? day - 2 : day + 1;
      default:
        return day;
    }
  }

  int length;
  int first_weekday;
};

uint32_t MonthDays(const DayRule& rule, const MonthShape& month) {
  uint32_t days = rule.days;
  for (uint32_t rest = rule.from_end; rest != 0; rest &= rest - 1) {
    const int day = month.length - std::countr_zero(rest);
    if (day >= 1) days |= uint32_t{1} << day;
  }
  for (uint32_t rest = rule.near_days; rest != 0; rest &= rest - 1) {
    const int day = std::countr_zero(rest);
    if (day <= month.length) days |= uint32_t{1} << month.NearestWeekday(day);
  }
  for (uint32_t rest = rule.near_from_end; rest != 0; rest &= rest - 1) {
    const int day = month.length - std::countr_zero(rest);
    if (day >= 1) days |= uint32_t{1} << month.NearestWeekday(day);
  }
  return days;
}

uint32_t WeekDays(const DayRule& rule, const MonthShape& month) {
  uint64_t offsets = 0;  // bit k: day 1 + k
  for (int week = 0; week < 5; ++week) {
    const auto weekdays = static_cast<uint8_t>(rule.weekdays | rule.nth[week]);
    offsets |= uint64_t{month.OffsetsOf(weekdays)} << (week * kDaysInWeek);
  }
  if (rule.last_weekdays != 0) {
    uint64_t each_week = month.OffsetsOf(rule.last_weekdays);
    each_week |= each_week << 7 | each_week << 14 | each_week << 21 | each_week << 28;
    offsets |= AtOrAbove(each_week, month.length - kDaysInWeek);
  }
  return static_cast<uint32_t>(offsets << 1);
}

}  // namespace

uint32_t DayRule::DaysIn(absl::CivilMonth month) const {
  const MonthShape shape(month);
  if (!restricts_month_day && !restricts_weekday) return shape.AllDays();
  uint32_t matching = 0;
  if (restricts_month_day) matching |= MonthDays(*this, shape);
  if (restricts_weekday) matching |= WeekDays(*this, shape);
  return matching & shape.AllDays();
}

std::optional<absl::CivilSecond> CalendarRule::FirstMatchOnDay(absl::CivilSecond from) const {
  const absl::CivilDay day(from);
  if (Has(hours, from.hour())) {
    if (Has(minutes, from.minute())) {
      if (const uint64_t s = AtOrAbove(seconds, from.second()); s != 0) {
        return absl::CivilSecond(absl::CivilMinute(from)) + std::countr_zero(s);
      }
    }
    if (const uint64_t m = AtOrAbove(minutes, from.minute() + 1); m != 0) {
      return absl::CivilSecond(day.year(), day.month(), day.day(), from.hour(), std::countr_zero(m),
                               std::countr_zero(seconds));
    }
  }
  if (const uint32_t h = AtOrAbove(hours, from.hour() + 1); h != 0) {
    return absl::CivilSecond(day.year(), day.month(), day.day(), std::countr_zero(h),
                             std::countr_zero(minutes), std::countr_zero(seconds));
  }
  return std::nullopt;
}

std::optional<absl::CivilSecond> CalendarRule::FirstMatch(absl::CivilSecond from,
                                                          absl::CivilSecond through) const {
  SCHEDULED_ASSERT(seconds != 0 && minutes != 0 && hours != 0 && months != 0,
                   "every field of a calendar rule names at least one value");
  absl::CivilMonth month(from);
  uint32_t days = 0;
  if (Has(months, month.month())) {
    days = AtOrAbove(day.DaysIn(month), from.day());
    if (Has(days, from.day())) {
      if (const auto match = FirstMatchOnDay(from)) {
        return *match <= through ? match : std::nullopt;
      }
      days &= days - 1;
    }
  }
  while (days == 0) {
    if (++month > absl::CivilMonth(through)) return std::nullopt;
    if (Has(months, month.month())) days = day.DaysIn(month);
  }
  const absl::CivilSecond match(month.year(), month.month(), std::countr_zero(days),
                                std::countr_zero(hours), std::countr_zero(minutes),
                                std::countr_zero(seconds));
  return match <= through ? std::optional(match) : std::nullopt;
}

}  // namespace scheduled::cron
