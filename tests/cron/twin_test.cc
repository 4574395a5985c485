// Random expressions in random zones against the dumb twin, which steps through time.
#include <array>
#include <filesystem>
#include <system_error>

#include "cron_test_util.h"
#include "slow_cron.h"

namespace scheduled::cron {
namespace {

constexpr std::array<std::string_view, 12> kZones = {
    "UTC",          "America/New_York", "Europe/Madrid",     "Australia/Lord_Howe",
    "Pacific/Apia", "America/Havana",   "Africa/Casablanca", "America/Santiago",
    "Asia/Tehran",  "Antarctica/Troll", "Asia/Kathmandu",    "Pacific/Kwajalein"};

// Instants where something happens: mostly changes of the clock, from 1990 to 2060.
absl::Time RandomBegin(absl::TimeZone zone, std::mt19937_64& random) {
  const absl::Time any = absl::FromUnixSeconds(
      std::uniform_int_distribution<int64_t>(631152000, 2840140800)(random) / 60 * 60);
  absl::TimeZone::CivilTransition change;
  if (!zone.NextTransition(any, &change)) return any;
  return zone.At(change.to).trans;
}

struct World {
  std::string zone_name;
  absl::TimeZone zone;
  SlowCron slow;
  Dst dst;
};

World RandomWorld(std::mt19937_64& random, bool with_seconds) {
  World world;
  world.zone_name = kZones[random() % kZones.size()];
  world.zone = *LoadZone(world.zone_name);
  world.slow = RandomExpression(random, with_seconds);
  world.dst = random() % 2 == 0 ? Dst::kVixie : Dst::kSkip;
  return world;
}

// Checks one window of time. False if the expression is refused there as too rare.
bool Agrees(const World& world, absl::Time begin, absl::Time end) {
  INFO(world.slow.text << " in " << world.zone_name
                       << (world.dst == Dst::kVixie ? " vixie" : " skip") << " from "
                       << FormatRfc3339(begin, world.zone));
  const std::vector<absl::Time> expected =
      world.slow.DueWithin(world.zone, world.dst == Dst::kVixie, begin, end);
  const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(
      world.slow.text, {.time_zone = world.zone_name, .dst = world.dst, .reference = begin});
  if (!schedule.ok()) {
    INFO(schedule.status());
    REQUIRE(schedule.status().message().find("8 years") != absl::string_view::npos);
    REQUIRE(expected.empty());
    return false;
  }
  std::vector<absl::Time> due;
  std::optional<absl::Time> next = begin;
  while ((next = schedule->Next(*next)).has_value() && *next <= end) due.push_back(*next);
  REQUIRE(due == expected);
  return true;
}

TEST_CASE("minute expressions agree with the dumb twin around changes of the clock") {
  std::mt19937_64 random(20240310);
  int accepted = 0;
  for (int i = 0; i < 400; ++i) {
    const World world = RandomWorld(random, false);
    const absl::Time change = RandomBegin(world.zone, random);
    const absl::Time begin = change - absl::Minutes(random() % 3000);
    accepted += Agrees(world, begin, change + absl::Hours(48));
  }
  CHECK(accepted > 300);
}

TEST_CASE("second expressions agree with the dumb twin around changes of the clock") {
  std::mt19937_64 random(20241103);
  int accepted = 0;
  for (int i = 0; i < 40; ++i) {
    const World world = RandomWorld(random, true);
    const absl::Time change = RandomBegin(world.zone, random);
    const absl::Time begin = change - absl::Seconds(random() % 10000);
    accepted += Agrees(world, begin, change + absl::Hours(3));
  }
  CHECK(accepted > 30);
}

TEST_CASE("minute expressions agree with the dumb twin over months") {
  std::mt19937_64 random(31);
  int accepted = 0;
  for (int i = 0; i < 12; ++i) {
    const World world = RandomWorld(random, false);
    const absl::Time begin = RandomBegin(world.zone, random) - absl::Hours(24 * (random() % 100));
    accepted += Agrees(world, begin, begin + absl::Hours(24 * 150));
  }
  CHECK(accepted > 8);
}

// The zones that the machine has, but for the names that LoadZone refuses.
std::vector<std::string> AllZones() {
  const std::filesystem::path root = "/usr/share/zoneinfo";
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root, error)) {
    const std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_regular_file() && LoadZone(name).ok()) names.push_back(name);
  }
  return names;
}

TEST_CASE("every minute of the day agrees with the dumb twin in every zone") {
  std::mt19937_64 random(12);
  World world;
  const auto any = [](absl::CivilSecond) { return true; };
  world.slow = {.text = "0-59 0-23 * * *",
                .second = [](absl::CivilSecond at) { return at.second() == 0; },
                .minute = any,
                .hour = any,
                .day_of_month = any,
                .month = any,
                .day_of_week = any,
                .any_day_of_month = true,
                .any_day_of_week = true};
  for (const std::string& name : AllZones()) {
    world.zone_name = name;
    world.zone = *LoadZone(name);
    for (int i = 0; i < 3; ++i) {
      world.dst = i == 0 ? Dst::kSkip : Dst::kVixie;
      const absl::Time change = RandomBegin(world.zone, random);
      Agrees(world, change - absl::Hours(2), change + absl::Hours(3));
    }
  }
}

TEST_CASE("the answer does not depend on where within a stretch it is asked from") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const World world = RandomWorld(random, random() % 2 == 0);
    const absl::Time begin = RandomBegin(world.zone, random) - absl::Seconds(random() % 20000);
    const absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(
        world.slow.text, {.time_zone = world.zone_name, .dst = world.dst, .reference = begin});
    if (!schedule.ok()) continue;
    const std::optional<absl::Time> next = schedule->Next(begin);
    REQUIRE(next.has_value());
    const int64_t stretch = absl::ToInt64Microseconds(*next - begin);
    INFO(world.slow.text << " in " << world.zone_name << " from " << begin);
    for (int ask = 0; ask < 5; ++ask) {
      const absl::Time from = begin + absl::Microseconds(static_cast<int64_t>(random()) % stretch);
      if (from >= begin) REQUIRE(schedule->Next(from) == next);
    }
    REQUIRE(schedule->Next(*next - absl::Microseconds(1)) == next);
  }
}

}  // namespace
}  // namespace scheduled::cron
