// The dumb twin, and the maker of random expressions.
#include "slow_cron.h"

#include <algorithm>
#include <cctype>

#include "fmt/format.h"

namespace scheduled::cron {
namespace {

using Question = SlowCron::Question;
using Random = std::mt19937_64;

int Pick(Random& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

bool Chance(Random& random, int percent) { return Pick(random, 1, 100) <= percent; }

struct Field {
  int low;
  int high;
  std::function<int(absl::CivilSecond)> value;
  std::vector<std::string> names;
};

// Sunday is 0.
int Weekday(absl::CivilDay day) {
  switch (absl::GetWeekday(day)) {
    case absl::Weekday::sunday:
      return 0;
    case absl::Weekday::monday:
      return 1;
    case absl::Weekday::tuesday:
      return 2;
    case absl::Weekday::wednesday:
      return 3;
    case absl::Weekday::thursday:
      return 4;
    case absl::Weekday::friday:
      return 5;
    case absl::Weekday::saturday:
      return 6;
  }
  return -1;
}

int MonthLength(absl::CivilDay day) {
  absl::CivilDay last(day.year(), day.month(), 28);
  while ((last + 1).month() == day.month()) ++last;
  return last.day();
}

// The nearest Monday to Friday in the month, found by looking further and further away.
int NearestWeekday(absl::CivilDay day) {
  for (int distance = 0; distance < 7; ++distance) {
    for (const absl::CivilDay near : {day - distance, day + distance}) {
      if (near.month() == day.month() && Weekday(near) >= 1 && Weekday(near) <= 5) {
        return near.day();
      }
    }
  }
  return -1;
}

std::string Written(const Field& field, int value, Random& random) {
  if (field.high == 6 && value == 0 && Chance(random, 30)) return "7";
  if (field.names.empty() || Chance(random, 50)) return fmt::format("{}", value);
  std::string name = field.names[value - field.low];
  if (Chance(random, 30)) name[0] = static_cast<char>(std::tolower(name[0]));
  return name;
}

struct Item {
  std::string text;
  Question asks;
};

// Whether the value lies on first, first + step, … before `last` is passed, going round the end.
bool OnWalk(const Field& field, int first, int last, int step, int value) {
  const int count = field.high - field.low + 1;
  int position = first;
  int left = (last - first + count) % count;
  for (;;) {
    if (position == value) return true;
    if (left < step) return false;
    left -= step;
    position += step;
    if (position > field.high) position -= count;
  }
}

Item RandomRange(const Field& field, Random& random) {
  const int first = Pick(random, field.low, field.high);
  const int last = Pick(random, field.low, field.high);
  const int step = Chance(random, 30) ? Pick(random, 1, 5) : 0;
  std::string text =
      fmt::format("{}-{}", Written(field, first, random), Written(field, last, random));
  if (step != 0) text += fmt::format("/{}", step);
  return {text, [=](absl::CivilSecond at) {
            return OnWalk(field, first, last, std::max(step, 1), field.value(at));
          }};
}

Item RandomItem(const Field& field, Random& random) {
  const int kind = Pick(random, 0, 9);
  const int first = Pick(random, field.low, field.high);
  if (kind <= 5) {
    return {Written(field, first, random),
            [=](absl::CivilSecond at) { return field.value(at) == first; }};
  }
  if (kind <= 7) return RandomRange(field, random);
  const int step = Pick(random, 1, std::min(field.high - field.low + 1, 30));
  if (kind == 8) {
    return {fmt::format("{}/{}", first, step), [=](absl::CivilSecond at) {
              return OnWalk(field, first, field.high, step, field.value(at));
            }};
  }
  return {fmt::format("*/{}", step == 1 ? 2 : step), [=](absl::CivilSecond at) {
            return (field.value(at) - field.low) % (step == 1 ? 2 : step) == 0;
          }};
}

Item RandomMonthDaySpecial(Random& random) {
  const int n = Pick(random, 1, 31);
  const int before = Pick(random, 0, 30);
  switch (Pick(random, 0, 4)) {
    case 0:
      return {"L", [](absl::CivilSecond at) {
                return absl::CivilDay(at).day() == MonthLength(absl::CivilDay(at));
              }};
    case 1:
      return {fmt::format("L-{}", before), [=](absl::CivilSecond at) {
                return at.day() + before == MonthLength(absl::CivilDay(at));
              }};
    case 2:
      return {fmt::format("{}W", n), [=](absl::CivilSecond at) {
                const absl::CivilDay named(at.year(), at.month(), n);
                return named.month() == at.month() && NearestWeekday(named) == at.day();
              }};
    case 3:
      return {"lw", [](absl::CivilSecond at) {
                const absl::CivilDay last(at.year(), at.month(), MonthLength(absl::CivilDay(at)));
                return NearestWeekday(last) == at.day();
              }};
    default:
      return {fmt::format("L-{}W", before), [=](absl::CivilSecond at) {
                const int named = MonthLength(absl::CivilDay(at)) - before;
                return named >= 1 &&
                       NearestWeekday(absl::CivilDay(at.year(), at.month(), named)) == at.day();
              }};
  }
}

Item RandomWeekdaySpecial(const Field& field, Random& random) {
  const int weekday = Pick(random, 0, 6);
  const std::string name = Written(field, weekday, random);
  if (Chance(random, 50)) {
    return {name + "L", [=](absl::CivilSecond at) {
              return Weekday(absl::CivilDay(at)) == weekday &&
                     (absl::CivilDay(at) + 7).month() != at.month();
            }};
  }
  const int nth = Pick(random, 1, 5);
  return {fmt::format("{}#{}", name, nth), [=](absl::CivilSecond at) {
            return Weekday(absl::CivilDay(at)) == weekday && (at.day() - 1) / 7 + 1 == nth;
          }};
}

Item RandomField(const Field& field, Random& random, int special_percent,
                 const std::function<Item()>& special) {
  std::string text;
  std::vector<Question> any;
  const int items = Chance(random, 60) ? 1 : Pick(random, 2, 4);
  for (int i = 0; i < items; ++i) {
    const Item item = Chance(random, special_percent) ? special() : RandomItem(field, random);
    text += (i == 0 ? "" : ",") + item.text;
    any.push_back(item.asks);
  }
  return {text, [any](absl::CivilSecond at) {
            return std::any_of(any.begin(), any.end(), [at](const Question& q) { return q(at); });
          }};
}

bool LooksRepeating(const std::string& text) {
  return text.find('*') != std::string::npos || text.find('/') != std::string::npos;
}

}  // namespace

bool SlowCron::Matches(absl::CivilSecond local) const {
  if (!second(local) || !minute(local) || !hour(local) || !month(local)) return false;
  if (any_day_of_month && any_day_of_week) return true;
  if (any_day_of_month) return day_of_week(local);
  if (any_day_of_week) return day_of_month(local);
  return day_of_month(local) || day_of_week(local);
}

std::vector<absl::Time> SlowCron::DueWithin(absl::TimeZone zone, bool vixie, absl::Time begin,
                                            absl::Time end) const {
  const int step = has_seconds ? 1 : 60;
  std::vector<absl::Time> due;
  // Local times up to here have had their first instant. A day ahead of `begin`, lest it lie in a
  // second pass.
  absl::CivilSecond reached = zone.At(begin - absl::Hours(24)).cs;
  for (absl::Time t = begin - absl::Hours(24); t <= end; t += absl::Seconds(step)) {
    const absl::CivilSecond local = zone.At(t).cs;
    bool is_due = false;
    if (vixie && !is_repeating) {
      for (; reached < local; reached += step) is_due |= Matches(reached + step);
    } else {
      is_due = Matches(local);
    }
    if (is_due && t > begin) due.push_back(t);
  }
  return due;
}

SlowCron RandomExpression(Random& random, bool with_seconds) {
  const Field second{0, 59, [](absl::CivilSecond at) { return at.second(); }, {}};
  const Field minute{0, 59, [](absl::CivilSecond at) { return at.minute(); }, {}};
  const Field hour{0, 23, [](absl::CivilSecond at) { return at.hour(); }, {}};
  const Field day{1, 31, [](absl::CivilSecond at) { return at.day(); }, {}};
  const Field month{
      1,
      12,
      [](absl::CivilSecond at) { return at.month(); },
      {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}};
  const Field weekday{0,
                      6,
                      [](absl::CivilSecond at) { return Weekday(absl::CivilDay(at)); },
                      {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}};
  const Item star = {"*", [](absl::CivilSecond) { return true; }};
  const auto pick = [&](const Field& field, int star_percent, int special_percent = 0,
                        const std::function<Item()>& special = nullptr) {
    return Chance(random, star_percent) ? star
                                        : RandomField(field, random, special_percent, special);
  };
  const Item s = with_seconds ? pick(second, 20)
                              : Item{"0", [](absl::CivilSecond at) { return at.second() == 0; }};
  const Item m = pick(minute, 20);
  const Item h = pick(hour, 30);
  const Item d = pick(day, 60, 40, [&] { return RandomMonthDaySpecial(random); });
  const Item mo = pick(month, 80);
  const Item w = pick(weekday, 60, 40, [&] { return RandomWeekdaySpecial(weekday, random); });
  SlowCron cron{.text = with_seconds ? s.text + " " : "",
                .second = s.asks,
                .minute = m.asks,
                .hour = h.asks,
                .day_of_month = d.asks,
                .month = mo.asks,
                .day_of_week = w.asks,
                .any_day_of_month = d.text == "*",
                .any_day_of_week = w.text == "*",
                .has_seconds = with_seconds,
                .is_repeating = LooksRepeating(m.text + h.text)};
  cron.text += fmt::format("{} {} {} {} {}", m.text, h.text, d.text, mo.text, w.text);
  return cron;
}

}  // namespace scheduled::cron
