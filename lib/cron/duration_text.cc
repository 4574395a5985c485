// Go's duration syntax, in integer arithmetic on nanoseconds.
#include "cron/duration_text.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "cron/quoted.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

constexpr uint64_t kNanosPerMicro = 1000;
constexpr uint64_t kMaxNanos = 9223372036854775 * kNanosPerMicro;
constexpr size_t kMaxDurationBytes = 128;

struct Unit {
  std::string_view name;
  uint64_t nanos;
};

// Longer names before those that they begin with.
constexpr Unit kUnits[] = {
    {"ns", 1},
    {"us", kNanosPerMicro},
    {"\u00b5s", kNanosPerMicro},  // micro sign
    {"\u03bcs", kNanosPerMicro},  // Greek mu
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60 * uint64_t{1000000000}},
    {"h", 3600 * uint64_t{1000000000}},
};

std::string_view TakeDigits(std::string_view* text) {
  const auto end = std::find_if_not(text->begin(), text->end(), absl::ascii_isdigit);
  const std::string_view digits = text->substr(0, end - text->begin());
  text->remove_prefix(digits.size());
  return digits;
}

// A failure is a sentence's end; the caller adds the text.
class DurationParser {
 public:
  explicit DurationParser(std::string_view text) : rest_(text) {}

  // The sum in nanoseconds, at most kMaxNanos; or nothing, and why() says why.
  std::optional<uint64_t> Parse() {
    if (rest_ == "0") return 0;
    if (rest_.empty()) return Fail("lacks a number");
    while (!rest_.empty()) {
      if (!ParseTerm()) return std::nullopt;
    }
    if (nanos_ % kNanosPerMicro != 0) return Fail("is finer than a microsecond");
    return nanos_;
  }

  std::string_view why() const { return why_; }

 private:
  std::nullopt_t Fail(std::string_view why) {
    why_ = why;
    return std::nullopt;
  }

  // "1.5h": adds it to the sum.
  bool ParseTerm() {
    const std::string_view whole = TakeDigits(&rest_);
    std::string_view fraction;
    if (!rest_.empty() && rest_.front() == '.') {
      rest_.remove_prefix(1);
      fraction = TakeDigits(&rest_);
    }
    if (whole.empty() && fraction.empty()) return Fail("lacks a number before a unit"), false;
    const Unit* unit = TakeUnit();
    if (unit == nullptr) return Fail("lacks a unit (ns, us, ms, s, m, h) after a number"), false;
    return AddWhole(whole, *unit) && AddFraction(fraction, *unit);
  }

  const Unit* TakeUnit() {
    for (const Unit& unit : kUnits) {
      if (rest_.substr(0, unit.name.size()) != unit.name) continue;
      rest_.remove_prefix(unit.name.size());
      return &unit;
    }
    return nullptr;
  }

  bool AddWhole(std::string_view digits, const Unit& unit) {
    const uint64_t limit = kMaxNanos / unit.nanos;
    uint64_t count = 0;
    for (const char c : digits) {
      const auto digit = static_cast<uint64_t>(c - '0');
      if (count > (limit - digit) / 10) return Fail("is longer than the 2562047h allowed"), false;
      count = count * 10 + digit;
    }
    return Add(count * unit.nanos);
  }

  bool AddFraction(std::string_view digits, const Unit& unit) {
    while (!digits.empty() && digits.back() == '0') digits.remove_suffix(1);
    // 3.6e12 ns an hour = 2^13 * 3^2 * 5^11: a 14th digit is always finer than a nanosecond.
    constexpr size_t kMaxFractionDigits = 13;
    if (digits.size() > kMaxFractionDigits) return Fail("is finer than a microsecond"), false;
    uint64_t numerator = 0;
    uint64_t denominator = 1;
    for (const char c : digits) {
      numerator = numerator * 10 + static_cast<uint64_t>(c - '0');
      denominator *= 10;
    }
    const uint64_t common = std::gcd(denominator, unit.nanos);
    if (numerator % (denominator / common) != 0) return Fail("is finer than a microsecond"), false;
    return Add(numerator / (denominator / common) * (unit.nanos / common));
  }

  bool Add(uint64_t nanos) {
    nanos_ += nanos;  // both are at most kMaxNanos, so the sum fits
    if (nanos_ > kMaxNanos) return Fail("is longer than the 2562047h allowed"), false;
    return true;
  }

  std::string_view rest_;
  uint64_t nanos_ = 0;
  std::string_view why_;
};

// `value / 10^digits` without the zeros at its end.
std::string Decimal(int64_t value, int digits) {
  std::string text = fmt::format("{:0{}}", value, digits + 1);
  text.insert(text.size() - digits, ".");
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseGoDuration(std::string_view text) {
  const auto fail = [text](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("duration {} {}", Quoted(text), why));
  };
  if (text.size() > kMaxDurationBytes) {
    return fail(fmt::format("has more than {} bytes", kMaxDurationBytes));
  }
  std::string_view rest = text;
  const bool is_negative = !rest.empty() && rest.front() == '-';
  if (is_negative || (!rest.empty() && rest.front() == '+')) rest.remove_prefix(1);
  DurationParser parser(rest);
  const std::optional<uint64_t> nanos = parser.Parse();
  if (!nanos.has_value()) return fail(parser.why());
  if (is_negative && *nanos != 0) return fail("is below zero");
  return absl::Microseconds(static_cast<int64_t>(*nanos / kNanosPerMicro));
}

std::string FormatGoDuration(absl::Duration duration) {
  duration = std::clamp(duration, -kMaxDuration, kMaxDuration);
  int64_t micros = absl::ToInt64Microseconds(duration);
  if (micros == 0) return "0s";
  const std::string sign = micros < 0 ? "-" : "";
  if (micros < 0) micros = -micros;
  if (micros < 1000) return fmt::format("{}{}us", sign, micros);
  if (micros < 1000000) return fmt::format("{}{}ms", sign, Decimal(micros, 3));
  const int64_t hours = micros / 3600000000;
  const int64_t minutes = micros / 60000000 % 60;
  const int64_t rest = micros % 60000000;
  std::string text = sign;
  if (hours != 0) text += fmt::format("{}h", hours);
  if (minutes != 0) text += fmt::format("{}m", minutes);
  if (rest != 0) text += fmt::format("{}s", Decimal(rest, 6));
  return text;
}

}  // namespace scheduled::cron
