// Recurring jobs through both changes of the clock of a year, from the create to the runs, held
// against the table that another implementation wrote for lib/cron.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/civil_time.h"
#include "base/sanitized.h"
#include "cron/dst_table.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

using cron::DstRow;

// The rows of one zone whose windows begin within a span. Without those that are due all the time:
// months of them would show nothing that the others do not.
std::vector<DstRow> RowsWithin(const std::string& zone, absl::Time from, absl::Time to) {
  constexpr size_t kOften = 8;
  std::vector<DstRow> rows = cron::ReadDstTable(SCHEDULED_TEST_DATA "/../cron");
  std::erase_if(rows, [&](const DstRow& row) {
    return row.zone != zone || row.begin < from || row.begin > to || row.due.size() > kOften;
  });
  return rows;
}

// One job for each expression and policy, all from the same instant on, and when they ran.
class RunsOfAYear {
 public:
  RunsOfAYear(const std::vector<DstRow>& rows, absl::Time begin, absl::Time end)
      : clock_(std::make_shared<ManualClock>(begin)) {
    Options options;
    options.clock = clock_;
    absl::StatusOr<std::unique_ptr<Scheduler>> scheduler = Scheduler::Open(std::move(options));
    REQUIRE(scheduler.ok());
    const auto note = [this](const RunContext& run) {
      std::lock_guard lock(mutex_);
      ran_[run.job_id].emplace_back(run.due, clock_->WallNow());
      return absl::OkStatus();
    };
    REQUIRE((*scheduler)->Register("note", CallbackExecutor(note)).ok());
    for (const DstRow& row : rows) {
      const auto [job, is_new] = jobs_.try_emplace({row.expression, row.policy},
                                                   JobId("job-" + std::to_string(jobs_.size())));
      if (!is_new) continue;
      const absl::StatusOr<JobInfo> created =
          (*scheduler)
              ->Schedule(Job::Cron(row.expression, row.zone)
                             .Id(job->second.value)
                             .Executor("note")
                             .OnClockChange(row.policy == "vixie" ? Dst::kVixie : Dst::kSkip));
      INFO(created.status());
      REQUIRE(created.ok());
    }
    clock_->Advance(end - begin);
  }

  // The instants of the row's job within its window, each of which was that of its start as well.
  std::vector<absl::Time> Of(const DstRow& row) {
    std::lock_guard lock(mutex_);
    std::vector<absl::Time> found;
    for (const auto& [due, started] : ran_[jobs_.at({row.expression, row.policy})]) {
      if (due <= row.begin || due > row.end()) continue;
      CHECK(started == due);
      found.push_back(due);
    }
    return found;
  }

 private:
  std::shared_ptr<ManualClock> clock_;
  std::map<std::pair<std::string, std::string>, JobId> jobs_;  // by expression and policy
  std::mutex mutex_;
  std::map<JobId, std::vector<std::pair<absl::Time, absl::Time>>> ran_;
};

TEST_CASE("recurring jobs run at the right instants through both changes of the clock of a year") {
  struct {
    const char* zone;
    absl::CivilDay from, to;  // around the changes that are to be crossed
  } const rows[] = {
      {"America/New_York", absl::CivilDay(2024, 3, 1), absl::CivilDay(2024, 12, 1)},
      {"Europe/Madrid", absl::CivilDay(2025, 3, 1), absl::CivilDay(2025, 12, 1)},
      // By half an hour.
      {"Australia/Lord_Howe", absl::CivilDay(2023, 9, 1), absl::CivilDay(2024, 5, 1)},
      // 2011-12-30 does not exist.
      {"Pacific/Apia", absl::CivilDay(2011, 12, 1), absl::CivilDay(2012, 5, 1)},
  };
  for (const auto& year : rows) {
    INFO(year.zone);
    // Sanitizers see nothing in the other zones that they do not see in the last.
    if (testing::kSanitized && &year != std::end(rows) - 1) continue;
    const std::vector<DstRow> table =
        RowsWithin(year.zone, absl::FromCivil(year.from, absl::UTCTimeZone()),
                   absl::FromCivil(year.to, absl::UTCTimeZone()));
    absl::Time begin = absl::InfiniteFuture(), end = absl::InfinitePast();
    std::set<absl::Time> windows;
    for (const DstRow& row : table) {
      windows.insert(row.begin);
      begin = std::min(begin, row.begin);
      end = std::max(end, row.end());
    }
    REQUIRE(windows.size() == 2);
    RunsOfAYear runs(table, begin, end);
    for (const DstRow& row : table) {
      INFO(row.expression << " " << row.policy << " from " << row.begin);
      REQUIRE(runs.Of(row) == row.due);
    }
  }
}

}  // namespace
}  // namespace scheduled
