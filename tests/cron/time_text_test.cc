// Instants, durations, intervals and zones as text.
#include "cron/time_text.h"

#include <catch2/catch.hpp>
#include <random>

#include "cron/duration_text.h"
#include "cron/interval.h"
#include "cron/time_zone.h"
#include "scheduled/time_text.h"

namespace scheduled::cron {
namespace {

constexpr int64_t kSecond = 1000000;
constexpr int64_t kNineInMadrid = 1796112000 * kSecond;  // 2026-12-01 08:00 UTC

// Microseconds since the epoch, or -1 if the text is refused.
int64_t Micros(std::string_view text) {
  const absl::StatusOr<absl::Time> time = ParseTime(text);
  if (time.ok()) return absl::ToUnixMicros(*time);
  CHECK(time.status().code() == absl::StatusCode::kInvalidArgument);
  return -1;
}

std::string Why(std::string_view text) {
  const absl::StatusOr<absl::Time> time = ParseTime(text);
  REQUIRE_FALSE(time.ok());
  return std::string(time.status().message());
}

TEST_CASE("RFC 3339 is read with any offset") {
  CHECK(Micros("2026-12-01T08:00:00Z") == kNineInMadrid);
  CHECK(Micros("2026-12-01T09:00:00+01:00") == kNineInMadrid);
  CHECK(Micros("2026-11-30T20:30:00-11:30") == kNineInMadrid);
  CHECK(Micros("2026-12-01t08:00:00z") == kNineInMadrid);
  CHECK(Micros("2026-12-01 09:00:00+01:00") == kNineInMadrid);
  CHECK(Micros("2026-12-01T08:00:00-00:00") == kNineInMadrid);
  CHECK(Micros("2024-02-29T00:00:00Z") == 1709164800 * kSecond);
}

TEST_CASE("a blank and no offset is UTC") {
  CHECK(Micros("2026-12-01 08:00:00") == kNineInMadrid);
  CHECK(Micros("2026-12-01 08:00:00.5") == kNineInMadrid + 500000);
}

TEST_CASE("epoch seconds are read with a fraction") {
  CHECK(Micros("0") == 0);
  CHECK(Micros("1796112000") == kNineInMadrid);
  CHECK(Micros("1796112000.25") == kNineInMadrid + 250000);
  CHECK(Micros("1796112000.000001") == kNineInMadrid + 1);
}

TEST_CASE("digits past the microsecond are cut off") {
  CHECK(Micros("2026-12-01T08:00:00.123456789Z") == kNineInMadrid + 123456);
  CHECK(Micros("1796112000.9999999") == kNineInMadrid + 999999);
  CHECK(Micros("1796112000.1234567891") == -1);
}

TEST_CASE("instants lie in the years 1970 to 9999") {
  CHECK(Micros("1970-01-01T00:00:00Z") == 0);
  CHECK(Micros("9999-12-31T23:59:59.999999999Z") == absl::ToUnixMicros(kMaxTime));
  CHECK(Micros("253402300799.999999") == absl::ToUnixMicros(kMaxTime));
  CHECK(Micros("253402300800") == -1);
  CHECK(Micros("1970-01-01T00:00:00+00:01") == -1);
  CHECK(Micros("9999-12-31T23:59:59-00:01") == -1);
  CHECK(Micros("1969-12-31T23:59:59-00:01") == 59 * kSecond);
}

TEST_CASE("what is not an instant is refused with the reason") {
  CHECK(Why("").find("empty") != std::string::npos);
  CHECK(Why("-1").find("before 1970") != std::string::npos);
  CHECK(Why("1796112000000").find("milliseconds") != std::string::npos);
  CHECK(Why("2026-12-01T08:00:00") ==
        "time \"2026-12-01T08:00:00\" lacks an offset: end it with Z or one such as +01:00");
  CHECK(Why("2023-02-29T00:00:00Z").find("that exists") != std::string::npos);
  for (const std::string_view text : {"tomorrow",
                                      "2026-12-01",
                                      "2026-12-01T",
                                      "2026-13-01T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-01-00T00:00:00Z",
                                      "2026-1-01T00:00:00Z",
                                      "2026-12-01T24:00:00Z",
                                      "2026-12-01T23:60:00Z",
                                      "2016-12-31T23:59:60Z",
                                      "2026-12-01T08:00:00.Z",
                                      "2026-12-01T08:00:00+0100",
                                      "2026-12-01T08:00:00+24:00",
                                      "2026-12-01T08:00:00+01:60",
                                      "2026-12-01T08:00:00+01",
                                      "2026-12-01T08:00:00ZZ",
                                      "2026-12-01T08:00Z",
                                      "2026-12-01T08:00:00 Z",
                                      " 2026-12-01T08:00:00Z",
                                      "2026/12/01T08:00:00Z",
                                      "1e9",
                                      "1796112000.",
                                      "1796112000 ",
                                      "+5",
                                      "0x10",
                                      "1_000",
                                      "infinite-future",
                                      "12026-12-01T08:00:00Z"}) {
    INFO(text);
    CHECK(Micros(text) == -1);
  }
}

TEST_CASE("epoch seconds are printed with a fraction only where there is one") {
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(kNineInMadrid)) == "1796112000");
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(kNineInMadrid + 250000)) == "1796112000.25");
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(1)) == "0.000001");
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(0)) == "0");
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(-1)) == "-0.000001");
  CHECK(FormatEpochSeconds(absl::FromUnixMicros(-1500000)) == "-1.5");
}

TEST_CASE("RFC 3339 is printed in a zone") {
  const absl::Time time = absl::FromUnixMicros(kNineInMadrid + 250000);
  CHECK(FormatRfc3339(time) == "2026-12-01T08:00:00.25Z");
  CHECK(FormatRfc3339(time, *LoadZone("Europe/Madrid")) == "2026-12-01T09:00:00.25+01:00");
  CHECK(FormatRfc3339(time, *LoadZone("America/St_Johns")) == "2026-12-01T04:30:00.25-03:30");
  // Monrovia was 44 minutes and 30 seconds behind.
  CHECK(FormatRfc3339(absl::UnixEpoch(), *LoadZone("Africa/Monrovia")) == "1970-01-01T00:00:00Z");
}

TEST_CASE("a printed instant is read back as it was") {
  std::mt19937_64 random(1);
  const absl::TimeZone zone = *LoadZone("Australia/Lord_Howe");
  for (int i = 0; i < 10000; ++i) {
    const auto micros = static_cast<int64_t>(random() % absl::ToUnixMicros(kMaxTime));
    const absl::Time time = absl::FromUnixMicros(i % 2 == 0 ? micros : micros / kSecond * kSecond);
    REQUIRE(*ParseTime(FormatEpochSeconds(time)) == time);
    REQUIRE(*ParseTime(FormatRfc3339(time)) == time);
    if (time < kMaxTime - absl::Hours(24)) {
      REQUIRE(*ParseTime(FormatRfc3339(time, zone)) == time);
    }
  }
}

// Microseconds; -1 if refused.
int64_t DurationMicros(std::string_view text) {
  const absl::StatusOr<absl::Duration> duration = ParseGoDuration(text);
  if (duration.ok()) return absl::ToInt64Microseconds(*duration);
  CHECK(duration.status().code() == absl::StatusCode::kInvalidArgument);
  return -1;
}

TEST_CASE("durations are read as Go writes them") {
  CHECK(DurationMicros("0") == 0);
  CHECK(DurationMicros("0s") == 0);
  CHECK(DurationMicros("1h30m") == 5400 * kSecond);
  CHECK(DurationMicros("1h30m0s") == 5400 * kSecond);
  CHECK(DurationMicros("250ms") == 250000);
  CHECK(DurationMicros("1.5h") == 5400 * kSecond);
  CHECK(DurationMicros(".5s") == 500000);
  CHECK(DurationMicros("1.s") == kSecond);
  CHECK(DurationMicros("+90s") == 90 * kSecond);
  CHECK(DurationMicros("1m1h1m") == 3720 * kSecond);
  CHECK(DurationMicros("15us") == 15);
  CHECK(DurationMicros("15\u00b5s") == 15);
  CHECK(DurationMicros("15\u03bcs") == 15);
  CHECK(DurationMicros("3000ns") == 3);
  CHECK(DurationMicros("0.0000000005h1.2us") == 3);  // 1.8 us and 1.2 us
  CHECK(DurationMicros("-0s") == 0);
}

TEST_CASE("a duration that cannot be held exactly is refused") {
  CHECK(DurationMicros("1ns") == -1);
  CHECK(DurationMicros("0.1us") == -1);
  CHECK(DurationMicros("0.0000001s") == -1);
  CHECK(DurationMicros("0.00000000000001h") == -1);
  CHECK(DurationMicros("1.00000000000000000000000000000s") == kSecond);
}

TEST_CASE("a duration that is too long is refused, not wrapped") {
  CHECK(DurationMicros("2562047h47m16.854775s") == 9223372036854775);
  CHECK(DurationMicros("2562047h47m16.854776s") == -1);
  CHECK(DurationMicros("2562048h") == -1);
  CHECK(DurationMicros("2562047h2562047h") == -1);
  CHECK(DurationMicros("99999999999999999999999999999h") == -1);
  CHECK(DurationMicros("18446744073709551616ns") == -1);
}

TEST_CASE("what is not a duration is refused") {
  for (const std::string_view text :
       {"", "1", "90", "s", "1h30", "1d", "1 h", "1H", ".", ".s", "1..5s", "--1s", "+-1s", "-",
        "1s-1s", "1e3s", "-1s", "1h\n"}) {
    INFO(text);
    CHECK(DurationMicros(text) == -1);
  }
  CHECK(DurationMicros(std::string(200, '0').append("s")) == -1);
  CHECK(ParseGoDuration("-1s").status().message() == "duration \"-1s\" is below zero");
}

TEST_CASE("durations are printed short, and read back as they were") {
  CHECK(FormatGoDuration(absl::ZeroDuration()) == "0s");
  CHECK(FormatGoDuration(absl::Minutes(90)) == "1h30m");
  CHECK(FormatGoDuration(absl::Hours(1) + absl::Seconds(1)) == "1h1s");
  CHECK(FormatGoDuration(absl::Milliseconds(90500)) == "1m30.5s");
  CHECK(FormatGoDuration(absl::Milliseconds(250)) == "250ms");
  CHECK(FormatGoDuration(absl::Microseconds(1500)) == "1.5ms");
  CHECK(FormatGoDuration(absl::Microseconds(15)) == "15us");
  CHECK(FormatGoDuration(-absl::Seconds(5)) == "-5s");
  CHECK(FormatGoDuration(absl::InfiniteDuration()) == "2562047h47m16.854775s");
  std::mt19937_64 random(2);
  for (int i = 0; i < 10000; ++i) {
    const absl::Duration duration =
        absl::Microseconds(static_cast<int64_t>(random() >> (random() % 50 + 11)));
    REQUIRE(*ParseGoDuration(FormatGoDuration(duration)) == duration);
    if (duration > absl::ZeroDuration()) {
      REQUIRE(FormatGoDuration(-duration) == "-" + FormatGoDuration(duration));
    }
  }
}

TEST_CASE("an interval counts from its start and does not drift") {
  const absl::Time start = absl::FromUnixMicros(kNineInMadrid + 250000);
  const auto next = [start](absl::Time after) {
    return NextFromStart(start, absl::Seconds(90), after);
  };
  CHECK(next(absl::UnixEpoch()) == start);
  CHECK(next(start - absl::Nanoseconds(1)) == start);
  CHECK(next(start) == start + absl::Seconds(90));
  CHECK(next(start + absl::Seconds(89)) == start + absl::Seconds(90));
  CHECK(next(start + absl::Seconds(90)) == start + absl::Seconds(180));
  CHECK(next(start + absl::Seconds(90) * 1000000 + absl::Nanoseconds(5)) ==
        start + absl::Seconds(90) * 1000001);
  CHECK_FALSE(next(kMaxTime - absl::Seconds(1)).has_value());
  CHECK_FALSE(next(absl::InfiniteFuture()).has_value());
  CHECK(next(absl::InfinitePast()) == start);
}

TEST_CASE("an interval agrees with adding it up") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    const absl::Time start = absl::FromUnixMicros(static_cast<int64_t>(random() % 1000000000));
    const absl::Duration every =
        absl::Microseconds(1000 + static_cast<int64_t>(random() % 5000000));
    absl::Time sum = start;
    for (int k = 0; k < 50; ++k) {
      REQUIRE(NextFromStart(start, every, sum - absl::Microseconds(1)) == sum);
      REQUIRE(NextFromStart(start, every, sum) == sum + every);
      sum += every;
    }
  }
}

TEST_CASE("multiples are counted on both sides of their origin") {
  const auto next = [](int64_t origin, int64_t every, int64_t after) {
    return absl::ToUnixMicros(NextMultiple(absl::FromUnixMicros(origin), absl::Microseconds(every),
                                           absl::FromUnixMicros(after)));
  };
  CHECK(next(100, 7, 99) == 100);
  CHECK(next(100, 7, 93) == 100);
  CHECK(next(100, 7, 92) == 93);
  CHECK(next(100, 7, 100) == 107);
}

TEST_CASE("zones are known by their IANA names") {
  for (const std::string_view name : {"UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires",
                                      "America/Port-au-Prince", "Etc/GMT+5", "CET"}) {
    INFO(name);
    REQUIRE(LoadZone(name).ok());
    CHECK(LoadZone(name)->name() == name);
  }
}

TEST_CASE("a name that is no zone, or depends on the machine, is refused") {
  for (const std::string_view name : {"",
                                      "localtime",
                                      "Fixed/UTC+05:00:00",
                                      "posixrules",
                                      "posix/Europe/Madrid",
                                      "right/Europe/Madrid",
                                      "Factory",
                                      "Mars/Base",
                                      "europe/madrid",
                                      "Europe",
                                      "Europe/",
                                      "/etc/localtime",
                                      "../zoneinfo/UTC",
                                      "Europe/../UTC",
                                      "Europe//Madrid",
                                      "file:UTC",
                                      "zone.tab",
                                      "leapseconds",
                                      ":UTC",
                                      "Europe/Madrid ",
                                      "+05:00",
                                      "EST5EDT,M3.2.0,M11.1.0"}) {
    INFO(name);
    const absl::StatusOr<absl::TimeZone> zone = LoadZone(name);
    REQUIRE_FALSE(zone.ok());
    CHECK(zone.status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(LoadZone(std::string("UTC\0", 4)).ok());
  CHECK_FALSE(LoadZone(std::string(100000, 'A')).ok());
  CHECK(LoadZone("Mars/Base").status().message() ==
        "time zone \"Mars/Base\" is not in the time zone database");
}

}  // namespace
}  // namespace scheduled::cron
