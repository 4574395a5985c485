// Short verbs for the tests of lib/cron: parse or fail the test, list occurrences as local text.
#ifndef SCHEDULED_TESTS_CRON_CRON_TEST_UTIL_H_
#define SCHEDULED_TESTS_CRON_CRON_TEST_UTIL_H_

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cron/schedule.h"
#include "cron/time_text.h"
#include "cron/time_zone.h"

namespace scheduled::cron {

inline absl::Time At(std::string_view text) {
  const absl::StatusOr<absl::Time> time = ParseTime(text);
  INFO(time.status());
  REQUIRE(time.ok());
  return *time;
}

inline CronSchedule Cron(std::string_view text, std::string_view zone = "UTC",
                         Dst dst = Dst::kVixie,
                         std::string_view reference = "2024-01-01 00:00:00") {
  const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(
      text, {.time_zone = std::string(zone), .dst = dst, .reference = At(reference)});
  INFO(schedule.status());
  REQUIRE(schedule.ok());
  return *schedule;
}

// The message of the refusal.
inline std::string Refusal(std::string_view text, std::string_view zone = "UTC") {
  const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(
      text, {.time_zone = std::string(zone), .reference = At("2024-01-01 00:00:00")});
  INFO(text);
  REQUIRE_FALSE(schedule.ok());
  CHECK(schedule.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(schedule.status().message());
}

// The next `count` occurrences in the schedule's zone: "2024-03-10T03:00:00-04:00".
inline std::vector<std::string> Occurrences(const CronSchedule& schedule, std::string_view after,
                                            int count) {
  std::vector<std::string> found;
  absl::Time at = At(after);
  for (int i = 0; i < count; ++i) {
    const std::optional<absl::Time> next = schedule.Next(at);
    if (!next.has_value()) break;
    REQUIRE(*next > at);
    at = *next;
    found.push_back(FormatRfc3339(at, schedule.time_zone()));
  }
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace scheduled::cron

#endif  // SCHEDULED_TESTS_CRON_CRON_TEST_UTIL_H_
