// What expressions mean, what is refused and with which words.
#include "cron/schedule.h"

#include <string>

#include "absl/time/time.h"
#include "cron_test_util.h"

namespace scheduled::cron {
namespace {

// The days of one month (UTC) on which an expression with time 00:00 is due.
std::vector<int> DaysOf(std::string_view expression, int year, int month) {
  const CronSchedule schedule = Cron(expression);
  std::vector<int> days;
  absl::Time at =
      absl::FromCivil(absl::CivilMonth(year, month), absl::UTCTimeZone()) - absl::Seconds(1);
  while (const std::optional<absl::Time> next = schedule.Next(at)) {
    const absl::CivilDay day = absl::ToCivilDay(*next, absl::UTCTimeZone());
    if (absl::CivilMonth(day) != absl::CivilMonth(year, month)) break;
    days.push_back(day.day());
    at = *next;
  }
  return days;
}

using Days = std::vector<int>;

TEST_CASE("five fields are due at second zero") {
  CHECK(Occurrences(Cron("*/15 * * * *"), "2024-05-01 10:01:30", 3) ==
        Texts{"2024-05-01T10:15:00Z", "2024-05-01T10:30:00Z", "2024-05-01T10:45:00Z"});
}

TEST_CASE("six fields put seconds first") {
  CHECK(Occurrences(Cron("5/20 59 23 31 12 *"), "2024-05-01 10:01:30", 4) ==
        Texts{"2024-12-31T23:59:05Z", "2024-12-31T23:59:25Z", "2024-12-31T23:59:45Z",
              "2025-12-31T23:59:05Z"});
}

TEST_CASE("an occurrence is later than the instant asked from, even by a microsecond") {
  const CronSchedule noon = Cron("0 12 * * *");
  CHECK(noon.Next(At("2024-05-01T11:59:59.999999Z")) == At("2024-05-01 12:00:00"));
  CHECK(noon.Next(At("2024-05-01T12:00:00Z")) == At("2024-05-02 12:00:00"));
  CHECK(noon.Next(At("2024-05-01T12:00:00Z") - absl::Nanoseconds(1)) == At("2024-05-01 12:00:00"));
}

TEST_CASE("lists, ranges and steps are joined") {
  CHECK(Occurrences(Cron("0,50-52,7/25 3 * * *"), "2024-05-01 00:00:00", 6) ==
        Texts{"2024-05-01T03:00:00Z", "2024-05-01T03:07:00Z", "2024-05-01T03:32:00Z",
              "2024-05-01T03:50:00Z", "2024-05-01T03:51:00Z", "2024-05-01T03:52:00Z"});
}

TEST_CASE("names of months and days stand for numbers, in any case") {
  CHECK(DaysOf("0 0 * jun Mon", 2024, 6) == Days{3, 10, 17, 24});
  CHECK(DaysOf("0 0 * MAY-JUL TUE,thu", 2024, 6) == Days{4, 6, 11, 13, 18, 20, 25, 27});
}

TEST_CASE("zero and seven are both Sunday") {
  const Days sundays = {2, 9, 16, 23, 30};
  CHECK(DaysOf("0 0 * * 0", 2024, 6) == sundays);
  CHECK(DaysOf("0 0 * * 7", 2024, 6) == sundays);
  CHECK(DaysOf("0 0 * * SUN", 2024, 6) == sundays);
  CHECK(DaysOf("0 0 * * 6-7", 2024, 6) == Days{1, 2, 8, 9, 15, 16, 22, 23, 29, 30});
  CHECK(DaysOf("0 0 * * 7-1", 2024, 6) == Days{2, 3, 9, 10, 16, 17, 23, 24, 30});
  CHECK(DaysOf("0 0 * * 0-7", 2024, 6).size() == 30);
}

TEST_CASE("a range may wrap round the end of its field") {
  CHECK(DaysOf("0 0 * * FRI-MON", 2024, 6) ==
        Days{1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 17, 21, 22, 23, 24, 28, 29, 30});
  CHECK(Occurrences(Cron("0 22-2/2 * * *"), "2024-05-01 12:00:00", 4) ==
        Texts{"2024-05-01T22:00:00Z", "2024-05-02T00:00:00Z", "2024-05-02T02:00:00Z",
              "2024-05-02T22:00:00Z"});
  CHECK(Occurrences(Cron("0 0 1 NOV-FEB ?"), "2024-05-01 00:00:00", 5) ==
        Texts{"2024-11-01T00:00:00Z", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z",
              "2025-02-01T00:00:00Z", "2025-11-01T00:00:00Z"});
}

TEST_CASE("if both day fields are restricted, either one matches") {
  CHECK(DaysOf("0 0 13 * FRI", 2024, 6) == Days{7, 13, 14, 21, 28});
  CHECK(DaysOf("0 0 13 * *", 2024, 6) == Days{13});
  CHECK(DaysOf("0 0 13 * ?", 2024, 6) == Days{13});
  CHECK(DaysOf("0 0 ? * FRI", 2024, 6) == Days{7, 14, 21, 28});
  CHECK(DaysOf("0 0 L * MON#1", 2024, 6) == Days{3, 30});
  CHECK(DaysOf("0 0 */10 * FRI", 2024, 6) == Days{1, 7, 11, 14, 21, 28});
  CHECK(DaysOf("0 0 */1 * FRI", 2024, 6) == Days{7, 14, 21, 28});
  CHECK(DaysOf("0 0 *,5 * FRI", 2024, 6) == Days{7, 14, 21, 28});
  CHECK(DaysOf("0 0 1-31 * FRI", 2024, 6).size() == 30);
}

TEST_CASE("L is the last day of the month, L-3 three days before") {
  CHECK(DaysOf("0 0 L * *", 2024, 2) == Days{29});
  CHECK(DaysOf("0 0 L * *", 2023, 2) == Days{28});
  CHECK(DaysOf("0 0 l-3 * *", 2024, 6) == Days{27});
  CHECK(DaysOf("0 0 L-30 * *", 2024, 7) == Days{1});
  CHECK(DaysOf("0 0 L-30 * *", 2024, 6).empty());
  CHECK(DaysOf("0 0 1,15,L * *", 2024, 6) == Days{1, 15, 30});
}

TEST_CASE("W is the nearest weekday in the same month") {
  CHECK(DaysOf("0 0 15W * *", 2024, 6) == Days{14});  // the 15th is a Saturday
  CHECK(DaysOf("0 0 16w * *", 2024, 6) == Days{17});  // a Sunday
  CHECK(DaysOf("0 0 19W * *", 2024, 6) == Days{19});  // a Wednesday
  CHECK(DaysOf("0 0 1W * *", 2024, 6) == Days{3});    // Saturday the 1st: not in May
  CHECK(DaysOf("0 0 30W * *", 2024, 6) == Days{28});  // Sunday the last: not in July
  CHECK(DaysOf("0 0 31W * *", 2024, 6).empty());      // June has no 31st
  CHECK(DaysOf("0 0 LW * *", 2024, 6) == Days{28});
  CHECK(DaysOf("0 0 L-1W * *", 2024, 6) == Days{28});  // Saturday 29
}

TEST_CASE("5L is the last Friday, MON#2 the second Monday") {
  CHECK(DaysOf("0 0 * * 5L", 2024, 6) == Days{28});
  CHECK(DaysOf("0 0 * * FRIL", 2024, 5) == Days{31});
  CHECK(DaysOf("0 0 * * 7L", 2024, 6) == Days{30});
  CHECK(DaysOf("0 0 * * MON#2", 2024, 6) == Days{10});
  CHECK(DaysOf("0 0 * * 1#1,sat#5", 2024, 6) == Days{1 + 2, 29});
  CHECK(DaysOf("0 0 * * MON#5", 2024, 6).empty());
}

TEST_CASE("macros stand for their fields") {
  const std::string_view after = "2024-05-15 10:20:30";
  CHECK(Occurrences(Cron("@yearly"), after, 1) == Texts{"2025-01-01T00:00:00Z"});
  CHECK(Occurrences(Cron("@annually"), after, 1) == Texts{"2025-01-01T00:00:00Z"});
  CHECK(Occurrences(Cron("@monthly"), after, 1) == Texts{"2024-06-01T00:00:00Z"});
  CHECK(Occurrences(Cron("@weekly"), after, 1) == Texts{"2024-05-19T00:00:00Z"});
  CHECK(Occurrences(Cron("@daily"), after, 1) == Texts{"2024-05-16T00:00:00Z"});
  CHECK(Occurrences(Cron("@Midnight"), after, 1) == Texts{"2024-05-16T00:00:00Z"});
  CHECK(Occurrences(Cron(" @hourly "), after, 1) == Texts{"2024-05-15T11:00:00Z"});
}

TEST_CASE("@every counts from the epoch, whenever it is asked") {
  const CronSchedule every = Cron("@every 1h30m");
  CHECK(Occurrences(every, "1970-01-01 00:00:00", 2) ==
        Texts{"1970-01-01T01:30:00Z", "1970-01-01T03:00:00Z"});
  CHECK(Occurrences(every, "2024-05-01 10:20:30", 2) ==
        Occurrences(every, "2024-05-01 10:29:59", 2));
  CHECK(Occurrences(Cron("@every 2.5s"), "1970-01-01 00:00:00", 2) ==
        Texts{"1970-01-01T00:00:02.5Z", "1970-01-01T00:00:05Z"});
  CHECK(Cron("@every 1h", "Asia/Kolkata").Next(At("2024-05-01 10:20:30")) ==
        At("2024-05-01 11:00:00"));
}

TEST_CASE("fields are read in the zone, and a prefix wins over the option") {
  CHECK(Occurrences(Cron("0 9 * * MON-FRI", "Europe/Madrid"), "2024-05-04 00:00:00", 1) ==
        Texts{"2024-05-06T09:00:00+02:00"});
  for (const std::string_view text :
       {"CRON_TZ=Asia/Tokyo 0 9 * * *", "  TZ=Asia/Tokyo\t0  9 * * *  ",
        "TZ=Asia/Tokyo @every 24h"}) {
    CHECK(Cron(text, "Europe/Madrid").time_zone().name() == "Asia/Tokyo");
  }
  CHECK(Occurrences(Cron("CRON_TZ=Asia/Tokyo @daily", "Not/Loaded"), "2024-05-04 00:00:00", 1) ==
        Texts{"2024-05-05T00:00:00+09:00"});
}

TEST_CASE("29 February is due every leap year, across 2100 too") {
  const CronSchedule leap = Cron("0 0 29 2 *", "UTC", Dst::kVixie, "2096-02-29 00:00:01");
  CHECK(Occurrences(leap, "2092-03-01 00:00:00", 3) ==
        Texts{"2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"});
}

TEST_CASE("an expression that is rarely due is found again decades later") {
  const CronSchedule rare = Cron("0 0 ? 2 MON#5", "UTC", Dst::kVixie, "2040-01-01 00:00:00");
  CHECK(Occurrences(rare, "2040-01-01 00:00:00", 3) ==
        Texts{"2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z", "2112-02-29T00:00:00Z"});
}

TEST_CASE("an expression that is not due within 8 years is refused") {
  CHECK(Refusal("0 0 31 2 *") ==
        "cron expression \"0 0 31 2 *\": is not due in the 8 years after 2024-01-01T00:00:00Z");
  CHECK(Refusal("0 0 30,31 2 ?").find("8 years") != std::string::npos);
  CHECK(Refusal("0 0 31W 4,6,9,11 ?").find("8 years") != std::string::npos);
  CHECK(Refusal("0 0 ? 2 MON#5").find("8 years") != std::string::npos);  // 2044
  CHECK(Refusal("@every 1000000h").find("8 years") != std::string::npos);
  const absl::StatusOr<CronSchedule> always_in_the_gap = CronSchedule::Parse(
      "30 2 ? 3 SUN#2",
      {.time_zone = "America/New_York", .dst = Dst::kSkip, .reference = At("2024-01-01 00:00:00")});
  CHECK_FALSE(always_in_the_gap.ok());
}

TEST_CASE("without a reference, only what is never due is refused") {
  const auto parse = [](std::string_view text) { return CronSchedule::Parse(text, {}); };
  CHECK(parse("0 0 31 2 *").status().message() == "cron expression \"0 0 31 2 *\": is never due");
  CHECK(parse("0 0 ? 2 MON#5").ok());  // 2016, 2044
  CHECK(parse("@every 1000000h").ok());
}

TEST_CASE("instants are 1970 to 9999") {
  const CronSchedule yearly = Cron("@yearly");
  CHECK(yearly.Next(absl::InfinitePast()) == At("1970-01-01 00:00:00"));
  CHECK(Cron("@every 1h").Next(absl::InfinitePast()) == absl::UnixEpoch());
  CHECK(yearly.Next(At("9998-12-31 00:00:00")) == At("9999-01-01 00:00:00"));
  CHECK_FALSE(yearly.Next(At("9999-01-01 00:00:00")).has_value());
  CHECK_FALSE(yearly.Next(absl::InfiniteFuture()).has_value());
  const CronSchedule minutely = Cron("* * * * *", "Pacific/Auckland");
  CHECK(minutely.Next(At("9999-12-31T23:58:00Z")) == At("9999-12-31 23:59:00"));
  CHECK_FALSE(minutely.Next(At("9999-12-31T23:59:00Z")).has_value());
  CHECK_FALSE(Cron("@every 1h").Next(At("9999-12-31T23:00:00Z")).has_value());
}

TEST_CASE("a refusal names the field, its text and the bound") {
  CHECK(Refusal("61 * * * *") ==
        "cron expression \"61 * * * *\": minute field \"61\" has \"61\", but the minute is 0-59");
  CHECK(Refusal("0 24 * * *").find("hour field \"24\" has \"24\", but the hour is 0-23") !=
        std::string::npos);
  CHECK(Refusal("0 0 0 * *").find("the day-of-month is 1-31") != std::string::npos);
  CHECK(Refusal("0 0 * 13 *").find("the month is 1-12") != std::string::npos);
  CHECK(Refusal("0 0 * * 8").find("the day-of-week is 0-7") != std::string::npos);
  CHECK(Refusal("60 0 0 * * *").find("the second is 0-59") != std::string::npos);
  CHECK(Refusal("*/90 * * * *").find("has \"90\", but the step is 1-60") != std::string::npos);
  CHECK(Refusal("*/0 * * * *").find("the step is 1-60") != std::string::npos);
  CHECK(Refusal("0 0 * * MON#6").find("the week after '#' is 1-5") != std::string::npos);
  CHECK(Refusal("0 0 * * L").find("5L or FRIL") != std::string::npos);
  CHECK(Refusal("0 0 * * * * 2024").find("a year field is not supported") != std::string::npos);
  CHECK(Refusal("* * * *").find("has 4 fields") != std::string::npos);
  CHECK(Refusal("@reboot").find("\"@reboot\" is unknown") != std::string::npos);
  CHECK(Refusal("@every 10ms").find("shorter than the 1s") != std::string::npos);
  CHECK(Refusal("@every soon").find("duration \"soon\"") != std::string::npos);
  CHECK(Refusal("CRON_TZ=Mars/Base 0 0 * * *").find("\"Mars/Base\"") != std::string::npos);
}

TEST_CASE("malformed expressions are refused") {
  for (const std::string_view text : {"",
                                      "   ",
                                      "a b c d e",
                                      "1,,2 * * * *",
                                      ",1 * * * *",
                                      "1, * * * *",
                                      "1- * * * *",
                                      "-1 * * * *",
                                      "1-2-3 * * * *",
                                      "1/2/3 * * * *",
                                      "*/ * * * *",
                                      "*5 * * * *",
                                      "1.5 * * * *",
                                      "+1 * * * *",
                                      "0x1 * * * *",
                                      "999999999999999999999 * * * *",
                                      "? * * * *",
                                      "* ? * * *",
                                      "* * * ? *",
                                      "L * * * *",
                                      "0 0 ?/2 * *",
                                      "0 0 ?,5 * *",
                                      "0 0 * * MON,?",
                                      "0 0 1-L * *",
                                      "0 0 L3 * *",
                                      "0 0 L-31 * *",
                                      "0 0 L- * *",
                                      "0 0 W * *",
                                      "0 0 0W * *",
                                      "0 0 32W * *",
                                      "0 0 1-5W * *",
                                      "0 0 15# * *",
                                      "0 0 * * #2",
                                      "0 0 * * MON#",
                                      "0 0 * * MON#0",
                                      "0 0 * * MON-WED#2",
                                      "0 0 * * 5W",
                                      "0 0 * * MONDAY",
                                      "0 0 * JANUARY *",
                                      "0 0 * MON *",
                                      "0 0 * * JAN",
                                      "@",
                                      "@every",
                                      "@every 1h 2h",
                                      "@everyone",
                                      "@daily 5",
                                      "CRON_TZ= 0 0 * * *",
                                      "CRON_TZ=UTC",
                                      "cron_tz=UTC 0 0 * * *",
                                      "0 0 * * *\n",
                                      "H * * * *",
                                      "0 0 * * * TZ=UTC"}) {
    Refusal(text);
  }
  Refusal(std::string(2000, '*'));
  CHECK(Refusal("0 0 * * \xff\x01").find("\"\\xff\\x01\"") != std::string::npos);
}

TEST_CASE("a long expression is quoted in part") {
  CHECK(Refusal("0 0 * * " + std::string(900, '9')).size() < 600);
}

}  // namespace
}  // namespace scheduled::cron
