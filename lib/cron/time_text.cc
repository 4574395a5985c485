// A strict scanner for instants, and their printing. The scanner reads digits at fixed places;
// Abseil's calendar then says whether the day exists.
#include "cron/time_text.h"

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"
#include "cron/quoted.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

constexpr int kMicroDigits = 6;
constexpr size_t kMaxFractionDigits = 9;
constexpr size_t kMaxEpochDigits = 12;  // 253402300799

// Reads from the front of a text. What it takes must be exactly there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }

  bool TakeAnyOf(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Exactly `count` digits.
  std::optional<int> TakeNumber(size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (!absl::ascii_isdigit(c)) return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  std::string_view TakeDigits() {
    size_t count = 0;
    while (count < rest_.size() && absl::ascii_isdigit(rest_[count])) ++count;
    const std::string_view digits = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return digits;
  }

  // ".25" as 250,000; 0 if there is no point. Nothing if the fraction is malformed.
  std::optional<int64_t> TakeFractionMicros() {
    if (!TakeAnyOf(".")) return 0;
    const std::string_view digits = TakeDigits();
    if (digits.empty() || digits.size() > kMaxFractionDigits) return std::nullopt;
    int64_t micros = 0;
    for (size_t i = 0; i < kMicroDigits; ++i) {
      micros = micros * 10 + (i < digits.size() ? digits[i] - '0' : 0);
    }
    return micros;
  }

 private:
  std::string_view rest_;
};

absl::Status Fail(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("time {} {}", Quoted(text), why));
}

absl::StatusOr<absl::Time> CheckRange(std::string_view text, absl::Time time) {
  if (time < kMinTime || time > kMaxTime) return Fail(text, "lies outside the years 1970-9999");
  return time;
}

absl::StatusOr<absl::Time> ParseEpochSeconds(std::string_view text) {
  Scanner scanner(text);
  const std::string_view digits = scanner.TakeDigits();
  if (digits.size() > kMaxEpochDigits) {
    return Fail(text, "is past the year 9999 in epoch seconds; were milliseconds meant?");
  }
  int64_t seconds = 0;
  for (const char c : digits) seconds = seconds * 10 + (c - '0');
  const std::optional<int64_t> micros = scanner.TakeFractionMicros();
  if (!micros.has_value()) return Fail(text, "has a fraction that is not 1-9 digits");
  if (!scanner.AtEnd()) return Fail(text, "has something after its epoch seconds");
  return CheckRange(text, absl::FromUnixSeconds(seconds) + absl::Microseconds(*micros));
}

// "YYYY-MM-DD", a calendar day that exists.
std::optional<absl::CivilDay> TakeDate(Scanner* scanner) {
  const std::optional<int> year = scanner->TakeNumber(4);
  if (!year.has_value() || !scanner->TakeAnyOf("-")) return std::nullopt;
  const std::optional<int> month = scanner->TakeNumber(2);
  if (!month.has_value() || !scanner->TakeAnyOf("-")) return std::nullopt;
  const std::optional<int> day = scanner->TakeNumber(2);
  if (!day.has_value()) return std::nullopt;
  const absl::CivilDay date(*year, *month, *day);
  if (date.month() != *month || date.day() != *day) return std::nullopt;  // it was normalised
  return date;
}

// "HH:MM:SS" as seconds of the day.
std::optional<int> TakeTimeOfDay(Scanner* scanner) {
  const std::optional<int> hour = scanner->TakeNumber(2);
  if (!hour.has_value() || *hour > 23 || !scanner->TakeAnyOf(":")) return std::nullopt;
  const std::optional<int> minute = scanner->TakeNumber(2);
  if (!minute.has_value() || *minute > 59 || !scanner->TakeAnyOf(":")) return std::nullopt;
  const std::optional<int> second = scanner->TakeNumber(2);
  if (!second.has_value() || *second > 59) return std::nullopt;
  return *hour * 3600 + *minute * 60 + *second;
}

// "Z" or "+HH:MM" as seconds east of UTC.
std::optional<int> TakeOffset(Scanner* scanner) {
  if (scanner->TakeAnyOf("Zz")) return 0;
  const bool east = scanner->TakeAnyOf("+");
  if (!east && !scanner->TakeAnyOf("-")) return std::nullopt;
  const std::optional<int> hours = scanner->TakeNumber(2);
  if (!hours.has_value() || *hours > 23 || !scanner->TakeAnyOf(":")) return std::nullopt;
  const std::optional<int> minutes = scanner->TakeNumber(2);
  if (!minutes.has_value() || *minutes > 59) return std::nullopt;
  const int seconds = *hours * 3600 + *minutes * 60;
  return east ? seconds : -seconds;
}

absl::StatusOr<absl::Time> ParseCalendarTime(std::string_view text) {
  Scanner scanner(text);
  const std::optional<absl::CivilDay> date = TakeDate(&scanner);
  if (!date.has_value()) return Fail(text, "does not begin with a day YYYY-MM-DD that exists");
  const bool has_t = scanner.TakeAnyOf("Tt");
  if (!has_t && !scanner.TakeAnyOf(" ")) return Fail(text, "lacks a T or a blank after its day");
  const std::optional<int> second_of_day = TakeTimeOfDay(&scanner);
  if (!second_of_day.has_value()) {
    return Fail(text, "has no time of day HH:MM:SS, 00:00:00 to 23:59:59");
  }
  const std::optional<int64_t> micros = scanner.TakeFractionMicros();
  if (!micros.has_value()) return Fail(text, "has a fraction that is not 1-9 digits");
  int offset = 0;
  if (has_t || !scanner.AtEnd()) {
    const std::optional<int> taken = TakeOffset(&scanner);
    if (!taken.has_value())
      return Fail(text, "lacks an offset: end it with Z or one such as +01:00");
    offset = *taken;
  }
  if (!scanner.AtEnd()) return Fail(text, "has something after its end");
  const absl::CivilSecond utc = absl::CivilSecond(*date) + *second_of_day - offset;
  return CheckRange(text, absl::FromCivil(utc, absl::UTCTimeZone()) + absl::Microseconds(*micros));
}

}  // namespace

absl::StatusOr<absl::Time> ParseTime(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("time is empty");
  if (text.front() == '-') return Fail(text, "lies before 1970");
  if (!absl::ascii_isdigit(text.front())) {
    return Fail(text, "is neither RFC 3339 nor epoch seconds nor YYYY-MM-DD HH:MM:SS");
  }
  const bool is_calendar = text.size() > 4 && text[4] == '-';
  return is_calendar ? ParseCalendarTime(text) : ParseEpochSeconds(text);
}

std::string FormatRfc3339(absl::Time time, absl::TimeZone zone) {
  time = absl::FromUnixMicros(absl::ToUnixMicros(time));
  constexpr int kSecondsPerMinute = 60;
  const int offset = zone.At(time).offset;
  const bool in_utc = offset % kSecondsPerMinute != 0 || zone == absl::UTCTimeZone();
  return in_utc ? absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone())
                : absl::FormatTime("%Y-%m-%dT%H:%M:%E*S%Ez", time, zone);
}

}  // namespace scheduled::cron
