// First, next and missed occurrences, against a naive walk from one occurrence to the next.
#include "jobs/schedule.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "jobs/job_model.h"

namespace scheduled::jobs {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1750000000);  // Sunday, 15 June 2025, 15:06:40 UTC

JobSchedule Compile(const Job& job) {
  auto schedule = JobSchedule::Compile(MakeDefinition(job));
  REQUIRE(schedule.ok());
  return *schedule;
}

// Occurrence after occurrence, as slowly as that may be.
JobSchedule::Occurrence Walk(const JobSchedule& schedule, absl::Time due, absl::Time now) {
  JobSchedule::Occurrence result{.due = due, .missed = 0, .next = std::nullopt};
  while (true) {
    const auto next = schedule.Next(result.due, result.due);
    if (!next.has_value() || *next > now) {
      result.next = next;
      return result;
    }
    result.due = *next;
    ++result.missed;
  }
}

void CheckAgainstWalk(const Job& job, absl::Time due, absl::Time now) {
  CAPTURE(job.cron_expression, due, now);
  const JobSchedule schedule = Compile(job);
  const JobSchedule::Occurrence expected = Walk(schedule, due, now);
  const JobSchedule::Occurrence decided = schedule.Decide(due, now);
  REQUIRE(decided.due == expected.due);
  REQUIRE(decided.missed == std::min(expected.missed, kMaxCountedMissed));
  REQUIRE(decided.next == expected.next);
}

}  // namespace

TEST_CASE("a one-time job is due at its timestamp, past or not, or after its delay") {
  REQUIRE(*Compile(Job::At(kNow - absl::Hours(5))).FirstDue(kNow) == kNow - absl::Hours(5));
  REQUIRE(*Compile(Job::In(absl::Seconds(90))).FirstDue(kNow) == kNow + absl::Seconds(90));
  REQUIRE_FALSE(Compile(Job::At(kNow)).Next(kNow, kNow).has_value());
  const auto decided = Compile(Job::At(kNow)).Decide(kNow, kNow + absl::Hours(9));
  REQUIRE(decided.due == kNow);
  REQUIRE(decided.missed == 0);
  REQUIRE_FALSE(decided.next.has_value());
}

TEST_CASE("a recurring job's first run is its timestamp, else the next occurrence") {
  REQUIRE(*Compile(Job::Cron("0 16 * * *")).FirstDue(kNow) ==
          absl::FromCivil(absl::CivilSecond(2025, 6, 15, 16), absl::UTCTimeZone()));
  REQUIRE(*Compile(Job::Every(absl::Minutes(7))).FirstDue(kNow) == kNow + absl::Minutes(7));
  const absl::Time first = kNow + absl::Seconds(3);
  const JobSchedule cron = Compile(Job::Cron("0 16 * * *").StartingAt(first));
  REQUIRE(*cron.FirstDue(kNow) == first);
  REQUIRE(*cron.Next(first, first) ==
          absl::FromCivil(absl::CivilSecond(2025, 6, 15, 16), absl::UTCTimeZone()));
  const JobSchedule every = Compile(Job::Every(absl::Hours(1)).StartingAt(first));
  REQUIRE(*every.FirstDue(kNow) == first);
  REQUIRE(*every.Next(first, first) == first + absl::Hours(1));
}

TEST_CASE("an interval counts from its occurrences, however late they ran") {
  const JobSchedule every = Compile(Job::Every(absl::Minutes(10)));
  const absl::Time due = kNow;
  REQUIRE(*every.Next(due, due + absl::Minutes(34)) == due + absl::Minutes(40));
}

TEST_CASE("there is no occurrence after the last date") {
  const absl::Time last = kNow + absl::Minutes(30);
  const JobSchedule every = Compile(Job::Every(absl::Minutes(10)).Until(last));
  REQUIRE(every.Next(kNow, kNow + absl::Minutes(20)) == last);
  REQUIRE_FALSE(every.Next(kNow, last).has_value());
  // Down for long: the last one within the dates is run, and none follows.
  const auto decided = every.Decide(kNow + absl::Minutes(10), kNow + absl::Hours(48));
  REQUIRE(decided.due == last);
  REQUIRE(decided.missed == 2);
  REQUIRE_FALSE(decided.next.has_value());
}

TEST_CASE("a recurring job without an occurrence is refused when it is created") {
  REQUIRE(
      Compile(Job::Cron("0 0 1 1 *").Until(kNow + absl::Hours(1))).FirstDue(kNow).status().code() ==
      absl::StatusCode::kInvalidArgument);
  REQUIRE(Compile(Job::Every(absl::Hours(2)).Until(kNow + absl::Hours(1)))
              .FirstDue(kNow)
              .status()
              .code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE(
    "an expression is refused if the next 8 years have no occurrence, whenever that is asked") {
  const auto at = [](int year) {
    return absl::FromCivil(absl::CivilSecond(year, 6, 1), absl::UTCTimeZone());
  };
  // Leap years that begin February with a Friday: 1980, 2008, 2036.
  Job rare = Job::Cron("0 0 ? 2 FRI#5");
  REQUIRE(ValidateJob(rare).ok());
  REQUIRE_FALSE(Compile(rare).FirstDue(at(2025)).ok());
  REQUIRE(*Compile(rare).FirstDue(at(2030)) ==
          absl::FromCivil(absl::CivilSecond(2036, 2, 29), absl::UTCTimeZone()));
  // A first run of its own does not make it any less rare.
  rare.timestamp = at(2025) + absl::Hours(1);
  REQUIRE_FALSE(Compile(rare).FirstDue(at(2025)).ok());
}

TEST_CASE("a run that is claimed ahead of time, or in time, missed nothing") {
  const JobSchedule every = Compile(Job::Every(absl::Minutes(10)));
  for (const absl::Duration late :
       {absl::Milliseconds(-50), absl::ZeroDuration(), absl::Minutes(9)}) {
    const auto decided = every.Decide(kNow, kNow + late);
    REQUIRE(decided.due == kNow);
    REQUIRE(decided.missed == 0);
    REQUIRE(decided.next == kNow + absl::Minutes(10));
  }
  // At the very instant of the next one, that one is due.
  REQUIRE(every.Decide(kNow, kNow + absl::Minutes(10)).due == kNow + absl::Minutes(10));
}

TEST_CASE("missed occurrences equal those of a naive walk") {
  Random random(17);
  const char* kExpressions[] = {"* * * * *",     "*/7 * * * *", "* * * * * MON", "0 9 * * MON-FRI",
                                "30 2 * * *",    "0 0 29 2 *",  "15 10 L * *",   "@every 1h30m",
                                "0 */3 1-5 * *", "0 0 1 1 *"};
  for (const char* expression : kExpressions) {
    for (int i = 0; i < 6; ++i) {
      Job job = Job::Cron(expression, random.Chance(1, 2) ? "Europe/Madrid" : "UTC");
      if (random.Chance(1, 3))
        job.last_date = kNow + random.Between(absl::Hours(1), absl::Hours(99));
      const JobSchedule schedule = Compile(job);
      const auto due = schedule.FirstDue(kNow);
      if (!due.ok()) continue;
      const absl::Duration down =
          random.Between(absl::ZeroDuration(), absl::Hours(i < 3 ? 2 : 24 * 9));
      CheckAgainstWalk(job, *due, *due + down);
      // And at the very instant of an occurrence.
      if (const auto at = schedule.Next(*due, *due + down)) CheckAgainstWalk(job, *due, *at);
    }
  }
  for (int i = 0; i < 50; ++i) {
    const Job job = Job::Every(random.Between(absl::Seconds(1), absl::Hours(5)));
    const Job whole = Job::Every(absl::Floor(*job.interval, absl::Microseconds(1)));
    CheckAgainstWalk(whole, kNow, kNow + random.Between(absl::ZeroDuration(), absl::Hours(20)));
  }
}

TEST_CASE("ten years of missed minutes take no time to decide") {
  const JobSchedule minutely = Compile(Job::Cron("* * * * *"));
  const absl::Time due = absl::FromUnixSeconds(1750000020);
  for (int i = 0; i < 200; ++i) {  // would take minutes if it walked
    const auto decided = minutely.Decide(due, due + absl::Hours(24 * 3650) + absl::Seconds(30));
    REQUIRE(decided.due == due + absl::Hours(24 * 3650));
    REQUIRE(decided.missed == kMaxCountedMissed);
    REQUIRE(decided.next == decided.due + absl::Minutes(1));
  }
}

TEST_CASE("a schedule is the same if nothing that decides its occurrences has changed") {
  const pb::Definition cron = MakeDefinition(Job::Cron("0 9 * * *", "Europe/Madrid"));
  const auto differs = [&](auto change) {
    Job job = Job::Cron("0 9 * * *", "Europe/Madrid");
    change(job);
    return !IsSameSchedule(cron, MakeDefinition(job));
  };
  REQUIRE_FALSE(differs([](Job& j) { j.payload = "other", j.executor = "other"; }));
  REQUIRE_FALSE(differs([](Job& j) { j.retry.max_attempts = 9; }));
  REQUIRE(differs([](Job& j) { j.cron_expression = "0 10 * * *"; }));
  REQUIRE(differs([](Job& j) { j.timezone = "UTC"; }));
  REQUIRE(differs([](Job& j) { j.dst = Dst::kSkip; }));
  REQUIRE(differs([](Job& j) { j.last_date = kNow; }));
  REQUIRE(differs([](Job& j) { j.timestamp = kNow; }));
  REQUIRE(differs([](Job& j) { j.timestamp = absl::UnixEpoch(); }));
  REQUIRE(differs([](Job& j) { j.type = JobType::kOnce; }));
}

TEST_CASE("the cache gives what a fresh reading would, and keeps its bound") {
  ScheduleCache cache(3);
  Random random(4);
  for (int i = 0; i < 300; ++i) {
    Job job = Job::Cron(std::to_string(random.Uniform(6)) + " * * * *",
                        random.Chance(1, 2) ? "Asia/Kolkata" : "UTC");
    if (random.Chance(1, 2)) job.last_date = kNow + absl::Minutes(30 + random.Uniform(2));
    const auto cached = cache.Get(MakeDefinition(job));
    REQUIRE(cached.ok());
    REQUIRE(cached->Next(kNow, kNow) == Compile(job).Next(kNow, kNow));
    REQUIRE(cache.size() <= 3);
  }
  pb::Definition broken = MakeDefinition(Job::Cron("* * * * *"));
  broken.set_timezone("No/Where");
  REQUIRE(cache.Get(broken).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace scheduled::jobs
