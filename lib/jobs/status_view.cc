// See status_view.h.
#include "jobs/status_view.h"

namespace scheduled::jobs {

bool IsEnded(const pb::ScheduleRow& schedule) {
  for (const pb::LiveRun& run : schedule.runs()) {
    if (!run.replaced()) return false;
  }
  return true;
}

JobStatus StatusOf(const pb::ScheduleRow& schedule, bool in_flight) {
  if (schedule.cancelled()) return JobStatus::kCancelled;
  if (IsEnded(schedule)) return static_cast<JobStatus>(schedule.last().status());
  if (schedule.paused()) return JobStatus::kPaused;
  return in_flight ? JobStatus::kInProgress : JobStatus::kPending;
}

bool DependsOnInflight(const pb::ScheduleRow& schedule) {
  return !schedule.cancelled() && !schedule.paused() && !IsEnded(schedule);
}

}  // namespace scheduled::jobs
