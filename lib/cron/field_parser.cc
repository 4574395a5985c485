// A recursive-descent reader of the grammar in field_parser.h. Each item of a field is turned into
// bits of its mask; the specials of the day fields go to the masks of the DayRule.
#include "cron/field_parser.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "cron/quoted.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

constexpr size_t kMaxExpressionBytes = 1024;

constexpr std::string_view kMonthNames[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                            "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::string_view kWeekdayNames[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct FieldKind {
  std::string_view name;
  int min;
  int last;  // of an open range and of a wrap
  int max;   // the largest value that may be written: 7 for Sunday, else `last`
  std::span<const std::string_view> names;  // of min, min + 1, …

  int Count() const { return last - min + 1; }
};

constexpr FieldKind kSecond = {"second", 0, 59, 59, {}};
constexpr FieldKind kMinute = {"minute", 0, 59, 59, {}};
constexpr FieldKind kHour = {"hour", 0, 23, 23, {}};
constexpr FieldKind kDayOfMonth = {"day-of-month", 1, 31, 31, {}};
constexpr FieldKind kMonth = {"month", 1, 12, 12, kMonthNames};
constexpr FieldKind kDayOfWeek = {"day-of-week", 0, 6, 7, kWeekdayNames};

std::string Upper(std::string_view text) {
  return absl::AsciiStrToUpper(absl::string_view(text.data(), text.size()));
}

// The pieces between single separators; "a,,b" has an empty one.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

// One field of one expression. Failures name both.
class FieldParser {
 public:
  FieldParser(const FieldKind& kind, std::string_view text)
      : kind_(kind), text_(text), upper_(Upper(text)) {}

  // Reads the whole field. Specials of the day fields are put into `day`.
  absl::Status Parse(DayRule* day) {
    if (upper_ == "?" && IsDayField()) {
      is_free_ = true;
      return absl::OkStatus();
    }
    for (const std::string_view item : Split(upper_, ',')) {
      if (item.empty()) return Fail("has an empty item in its list");
      absl::StatusOr<bool> special = ParseSpecial(item, day);
      if (!special.ok()) return special.status();
      if (*special) continue;
      if (absl::Status status = ParseItem(item); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  uint64_t bits() const { return bits_; }
  bool is_free() const { return is_free_; }            // matches everything: "*", "*/1" or "?"
  bool is_repeating() const { return is_repeating_; }  // has "*" or a step

 private:
  absl::Status Fail(std::string_view what) const {
    return absl::InvalidArgumentError(
        fmt::format("{} field {} {}", kind_.name, Quoted(text_), what));
  }

  std::string Range() const { return fmt::format("{}-{}", kind_.min, kind_.max); }

  absl::StatusOr<int> ParseNumber(std::string_view digits, int min, int max,
                                  std::string_view what) const {
    int value = 0;
    for (const char c : digits) {
      if (!absl::ascii_isdigit(c))
        return Fail(fmt::format("has {} where {} is a number", Quoted(digits), what));
      if (value <= max) value = value * 10 + (c - '0');
    }
    if (digits.empty()) return Fail(fmt::format("lacks a number where {} stands", what));
    if (value < min || value > max) {
      return Fail(fmt::format("has {}, but {} is {}-{}", Quoted(digits), what, min, max));
    }
    return value;
  }

  absl::StatusOr<int> ParseValue(std::string_view text) const {
    for (size_t i = 0; i < kind_.names.size(); ++i) {
      if (text == kind_.names[i]) return kind_.min + static_cast<int>(i);
    }
    if (text.empty() || !absl::ascii_isdigit(text.front())) {
      if (text == "?") return Fail("has '?', which only a day field may, alone");
      const std::string names =
          kind_.names.empty() ? "" : fmt::format(" or a name such as {}", kind_.names[1]);
      return Fail(
          fmt::format("has {} where a number {}{} is expected", Quoted(text), Range(), names));
    }
    return ParseNumber(text, kind_.min, kind_.max, fmt::format("the {}", kind_.name));
  }

  bool IsDayField() const { return &kind_ == &kDayOfMonth || &kind_ == &kDayOfWeek; }
  int Weekday(int value) const { return value % 7; }

  absl::StatusOr<bool> ParseSpecial(std::string_view item, DayRule* day) {
    if (&kind_ == &kDayOfMonth) return ParseMonthDaySpecial(item, day);
    if (&kind_ == &kDayOfWeek) return ParseWeekdaySpecial(item, day);
    return false;
  }

  // "L", "L-3", "15W", "LW", "L-3W". False: the item is an ordinary one.
  absl::StatusOr<bool> ParseMonthDaySpecial(std::string_view item, DayRule* day) {
    const bool near_weekday = item.back() == 'W';
    if (near_weekday) item.remove_suffix(1);
    if (!item.empty() && item.front() == 'L') {
      int before = 0;
      if (item.size() > 1) {
        if (item[1] != '-') return Fail("has an 'L' that is none of L, L-3, LW");
        absl::StatusOr<int> number = ParseNumber(item.substr(2), 0, 30, "what L is reduced by");
        if (!number.ok()) return number.status();
        before = *number;
      }
      (near_weekday ? day->near_from_end : day->from_end) |= uint32_t{1} << before;
      return true;
    }
    if (!near_weekday) return false;
    absl::StatusOr<int> number = ParseNumber(item, 1, 31, "the day before 'W'");
    if (!number.ok()) return number.status();
    day->near_days |= uint32_t{1} << *number;
    return true;
  }

  // "FRIL", "MON#2". False: the item is an ordinary one.
  absl::StatusOr<bool> ParseWeekdaySpecial(std::string_view item, DayRule* day) {
    if (item == "L") return Fail("has 'L' alone; write the day before it, as in 5L or FRIL");
    const bool last = item.back() == 'L';
    const size_t hash = item.find('#');
    if (!last && hash == std::string_view::npos) return false;
    absl::StatusOr<int> weekday = ParseValue(last ? item.substr(0, item.size() - 1)  //
                                                  : item.substr(0, hash));
    if (!weekday.ok()) return weekday.status();
    const auto bit = static_cast<uint8_t>(1 << Weekday(*weekday));
    if (last) {
      day->last_weekdays |= bit;
      return true;
    }
    absl::StatusOr<int> nth = ParseNumber(item.substr(hash + 1), 1, 5, "the week after '#'");
    if (!nth.ok()) return nth.status();
    day->nth[*nth - 1] |= bit;
    return true;
  }

  // "*", "5", "1-5", each with "/step" if wanted.
  absl::Status ParseItem(std::string_view item) {
    int step = 1;
    const size_t slash = item.find('/');
    const bool has_step = slash != std::string_view::npos;
    if (has_step) {
      absl::StatusOr<int> number =
          ParseNumber(item.substr(slash + 1), 1, kind_.Count(), "the step");
      if (!number.ok()) return number.status();
      step = *number;
      item = item.substr(0, slash);
      is_repeating_ = true;
    }
    if (item == "*") {
      is_repeating_ = true;
      is_free_ |= step == 1;
      AddRange(kind_.min, kind_.last, step);
      return absl::OkStatus();
    }
    const size_t dash = item.find('-');
    absl::StatusOr<int> first = ParseValue(item.substr(0, dash));
    if (!first.ok()) return first.status();
    if (dash == std::string_view::npos) {
      AddRange(*first, has_step ? std::max(*first, kind_.last) : *first, step);
      return absl::OkStatus();
    }
    absl::StatusOr<int> last = ParseValue(item.substr(dash + 1));
    if (!last.ok()) return last.status();
    AddRange(*first, *last, step);
    return absl::OkStatus();
  }

  // first, first + step, …, through last; past the field's last value it goes on at its first.
  void AddRange(int first, int last, int step) {
    if (first > last) last += kind_.Count();
    for (int value = first; value <= last; value += step) {
      const int wrapped = value > kind_.last ? value - kind_.Count() : value;
      bits_ |= uint64_t{1} << wrapped;
    }
  }

  const FieldKind& kind_;
  const std::string_view text_;
  const std::string upper_;
  uint64_t bits_ = 0;
  bool is_free_ = false;
  bool is_repeating_ = false;
};

std::vector<std::string_view> SplitAtBlanks(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return pieces;
    const size_t end = text.find_first_of(" \t", begin);
    pieces.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end);
  }
}

absl::Status CheckShape(std::string_view text, size_t fields) {
  if (text.size() > kMaxExpressionBytes) {
    return absl::InvalidArgumentError(
        fmt::format("has {} bytes, more than the {} allowed", text.size(), kMaxExpressionBytes));
  }
  if (fields == 5 || fields == 6) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("has {} fields, but 5 are expected (minute hour day-of-month month day-of-week) "
                  "or 6 (second first){}",
                  fields, fields == 7 ? "; a year field is not supported" : ""));
}

}  // namespace

absl::StatusOr<ParsedFields> ParseFields(std::string_view text) {
  std::vector<std::string_view> fields = SplitAtBlanks(text);
  if (absl::Status status = CheckShape(text, fields.size()); !status.ok()) return status;
  if (fields.size() == 5) fields.insert(fields.begin(), "0");

  FieldParser second(kSecond, fields[0]);
  FieldParser minute(kMinute, fields[1]);
  FieldParser hour(kHour, fields[2]);
  FieldParser day_of_month(kDayOfMonth, fields[3]);
  FieldParser month(kMonth, fields[4]);
  FieldParser day_of_week(kDayOfWeek, fields[5]);
  ParsedFields parsed;
  DayRule& day = parsed.rule.day;
  for (FieldParser* field : {&second, &minute, &hour, &day_of_month, &month, &day_of_week}) {
    if (absl::Status status = field->Parse(&day); !status.ok()) return status;
  }
  parsed.rule.seconds = second.bits();
  parsed.rule.minutes = minute.bits();
  parsed.rule.hours = static_cast<uint32_t>(hour.bits());
  parsed.rule.months = static_cast<uint16_t>(month.bits());
  day.days = static_cast<uint32_t>(day_of_month.bits());
  day.weekdays = static_cast<uint8_t>(day_of_week.bits());
  day.restricts_month_day = !day_of_month.is_free();
  day.restricts_weekday = !day_of_week.is_free();
  parsed.is_repeating = minute.is_repeating() || hour.is_repeating();
  return parsed;
}

}  // namespace scheduled::cron
