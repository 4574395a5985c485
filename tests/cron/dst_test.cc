// Changes of the clock: sentences for each rule, and tables made by another implementation.
#include "cron/dst_table.h"
#include "cron_test_util.h"

namespace scheduled::cron {
namespace {

constexpr std::string_view kNewYork = "America/New_York";

TEST_CASE("a time of day that falls into a gap runs at the first instant after it") {
  CHECK(Occurrences(Cron("30 2 * * *", kNewYork), "2024-03-09T12:00:00Z", 2) ==
        Texts{"2024-03-10T03:00:00-04:00", "2024-03-11T02:30:00-04:00"});
}

TEST_CASE("two times in one gap are one run, and so is one that is due at its end") {
  CHECK(Occurrences(Cron("15,45 2 * * *", kNewYork), "2024-03-09T12:00:00Z", 2) ==
        Texts{"2024-03-10T03:00:00-04:00", "2024-03-11T02:15:00-04:00"});
  CHECK(Occurrences(Cron("0 2,3 * * *", kNewYork), "2024-03-09T12:00:00Z", 2) ==
        Texts{"2024-03-10T03:00:00-04:00", "2024-03-11T02:00:00-04:00"});
}

TEST_CASE("a time of day in the repeated hour runs at its first pass only") {
  const CronSchedule half_past_one = Cron("30 1 * * *", kNewYork);
  CHECK(Occurrences(half_past_one, "2024-11-02T12:00:00Z", 2) ==
        Texts{"2024-11-03T01:30:00-04:00", "2024-11-04T01:30:00-05:00"});
  // Asked from between the passes, and from within the second.
  CHECK(Occurrences(half_past_one, "2024-11-03T01:45:00-04:00", 1) ==
        Texts{"2024-11-04T01:30:00-05:00"});
  CHECK(Occurrences(half_past_one, "2024-11-03T01:10:00-05:00", 1) ==
        Texts{"2024-11-04T01:30:00-05:00"});
}

TEST_CASE("a repeating expression follows elapsed time through both changes") {
  const CronSchedule half_hours = Cron("*/30 * * * *", kNewYork);
  CHECK(Occurrences(half_hours, "2024-03-10T01:30:00-05:00", 2) ==
        Texts{"2024-03-10T03:00:00-04:00", "2024-03-10T03:30:00-04:00"});
  CHECK(
      Occurrences(half_hours, "2024-11-03T01:30:00-04:00", 3) ==
      Texts{"2024-11-03T01:00:00-05:00", "2024-11-03T01:30:00-05:00", "2024-11-03T02:00:00-05:00"});
  CHECK(Occurrences(Cron("15 * * * *", kNewYork), "2024-11-03T01:15:00-04:00", 2) ==
        Texts{"2024-11-03T01:15:00-05:00", "2024-11-03T02:15:00-05:00"});
}

TEST_CASE("under skip, a time in a gap is left out and one in the repeated hour runs twice") {
  CHECK(Occurrences(Cron("30 2 * * *", kNewYork, Dst::kSkip), "2024-03-09T12:00:00Z", 1) ==
        Texts{"2024-03-11T02:30:00-04:00"});
  CHECK(
      Occurrences(Cron("30 1 * * *", kNewYork, Dst::kSkip), "2024-11-02T12:00:00Z", 3) ==
      Texts{"2024-11-03T01:30:00-04:00", "2024-11-03T01:30:00-05:00", "2024-11-04T01:30:00-05:00"});
}

TEST_CASE("a change of half an hour is followed") {
  const std::string_view zone = "Australia/Lord_Howe";
  CHECK(Occurrences(Cron("15 2 * * *", zone), "2023-09-30T12:00:00Z", 1) ==
        Texts{"2023-10-01T02:30:00+11:00"});
  CHECK(Occurrences(Cron("*/10 * * * *", zone), "2023-10-01T01:50:00+10:30", 2) ==
        Texts{"2023-10-01T02:30:00+11:00", "2023-10-01T02:40:00+11:00"});
  CHECK(Occurrences(Cron("45 1 * * *", zone), "2024-04-06T12:00:00Z", 2) ==
        Texts{"2024-04-07T01:45:00+11:00", "2024-04-08T01:45:00+10:30"});
}

TEST_CASE("a day that is skipped whole runs once at the start of the next") {
  const std::string_view zone = "Pacific/Apia";
  CHECK(
      Occurrences(Cron("0 9,18 * * *", zone), "2011-12-29T18:00:00-10:00", 3) ==
      Texts{"2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00", "2011-12-31T18:00:00+14:00"});
  CHECK(Occurrences(Cron("0 9 * * *", zone, Dst::kSkip), "2011-12-29T18:00:00-10:00", 1) ==
        Texts{"2011-12-31T09:00:00+14:00"});
}

TEST_CASE("occurrences around changes of the clock are those of another implementation") {
  const std::vector<DstRow> rows = ReadDstTable(SCHEDULED_TEST_DATA);
  REQUIRE(rows.size() > 600);
  for (const DstRow& row : rows) {
    const Dst dst = row.policy == "vixie" ? Dst::kVixie : Dst::kSkip;
    const CronSchedule schedule = Cron(row.expression, row.zone, dst);
    std::vector<absl::Time> due;
    std::optional<absl::Time> next = row.begin;
    while ((next = schedule.Next(*next)).has_value() && *next <= row.end()) {
      due.push_back(*next);
    }
    INFO(row.zone << " " << row.expression << " " << row.policy << " from " << row.begin);
    REQUIRE(due == row.due);
  }
}

}  // namespace
}  // namespace scheduled::cron
