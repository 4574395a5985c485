// See job_info.h.
#include "jobs/job_info.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "jobs/job_model.h"
#include "jobs/status_view.h"

namespace scheduled::jobs {
namespace {

std::optional<absl::Time> TimeOf(int64_t micros) {
  if (micros == 0) return std::nullopt;
  return absl::FromUnixMicros(micros);
}

void FillAttempts(const JobRecord& record, JobInfo* info) {
  info->attempt_count = record.schedule.attempt_count();
  info->first_attempt_at = TimeOf(record.schedule.first_attempt_us());
  info->last_attempt_at = TimeOf(record.schedule.last_attempt_us());
  const InflightRun* flight = FirstInFlight(record);
  if (flight == nullptr) return;
  // The attempt that goes on is not in the schedule yet. It starts when it is due, or at once.
  const auto started =
      absl::FromUnixMicros(std::max(flight->row.claimed_us(), flight->row.ready_us()));
  const pb::LiveRun* run = record.FindRun(flight->run);
  info->attempt_count = flight->row.attempt();
  info->last_attempt_at = started;
  info->executing_node = NodeId(flight->row.node_id());
  if (run->attempts() == 0 && run->deliveries() == 0) info->first_attempt_at = started;
}

}  // namespace

const pb::LiveRun* FirstWaiting(const JobRecord& record) {
  const pb::LiveRun* first = nullptr;
  for (const pb::LiveRun& run : record.schedule.runs()) {
    if (run.held() || run.replaced() || run.cancelled() || record.IsInFlight(run.run())) continue;
    if (first == nullptr ||
        std::tuple(run.ready_us(), run.run()) < std::tuple(first->ready_us(), first->run())) {
      first = &run;
    }
  }
  return first;
}

const InflightRun* FirstInFlight(const JobRecord& record) {
  const InflightRun* first = nullptr;
  for (const InflightRun& flight : record.in_flight) {
    const pb::LiveRun* run = record.FindRun(flight.run);
    if (run == nullptr || run->replaced()) continue;
    if (first == nullptr || flight.run < first->run) first = &flight;
  }
  return first;
}

JobStatus StatusOf(const JobRecord& record) {
  return StatusOf(record.schedule, FirstInFlight(record) != nullptr);
}

JobInfo MakeJobInfo(const JobRecord& record) {
  JobInfo info;
  info.job = MakePublicJob(record.job_id, record.definition);
  info.revision = Revision(record.revision);
  info.status = StatusOf(record);
  info.created_at = absl::FromUnixMicros(record.created_us);
  FillAttempts(record, &info);
  const bool is_live = info.status == JobStatus::kPending || info.status == JobStatus::kInProgress;
  if (const pb::LiveRun* next = FirstWaiting(record); is_live && next != nullptr) {
    info.next_run_at = absl::FromUnixMicros(next->ready_us());
  }
  info.completed_at = TimeOf(record.schedule.ended_us());
  info.cancelled_at = TimeOf(record.schedule.cancelled_us());
  info.cancellation_reason = record.schedule.cancel_reason();
  if (info.status != JobStatus::kInProgress) info.executing_node = NodeId();
  return info;
}

}  // namespace scheduled::jobs
