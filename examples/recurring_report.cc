// A report each working day at nine in Madrid, whatever the clocks do. Under a manual clock one
// sees a year's worth in a moment, the two changes of daylight saving included.
#include <scheduled/cron.h>
#include <scheduled/scheduler.h>
#include <scheduled/time_text.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

using scheduled::Job;

int main() {
  absl::TimeZone madrid;
  if (!absl::LoadTimeZone("Europe/Madrid", &madrid)) return 1;
  int reports = 0;
  std::set<std::string> utc_hours;
  auto clock =
      std::make_shared<scheduled::ManualClock>(absl::FromCivil(absl::CivilDay(2026, 1, 1), madrid));
  auto scheduler = scheduled::Scheduler::Open({.clock = clock});
  if (!scheduler.ok()) return 1;

  auto known =
      (*scheduler)
          ->Register("report", scheduled::CallbackExecutor([&](const scheduled::RunContext& run) {
                       const absl::CivilSecond local = absl::ToCivilSecond(run.due, madrid);
                       if (local.hour() != 9) return absl::InternalError("not at nine");
                       utc_hours.insert(scheduled::FormatRfc3339(run.due).substr(11, 5));
                       ++reports;
                       return absl::OkStatus();
                     }));
  auto job = (*scheduler)
                 ->Schedule(Job::Cron("0 9 * * MON-FRI", "Europe/Madrid")
                                .Executor("report")
                                .Until(absl::FromCivil(absl::CivilDay(2027, 1, 1), madrid)));
  if (!known.ok() || !job.ok()) return 1;
  clock->Advance(absl::Hours(24 * 366));

  std::printf("%d reports in 2026, at", reports);
  for (const std::string& hour : utc_hours) std::printf(" %s", hour.c_str());
  std::printf(" UTC, always 09:00 in Madrid\n");
  return reports == 261 && utc_hours.size() == 2 ? 0 : 1;
}
