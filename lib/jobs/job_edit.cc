// See job_edit.h.
#include "jobs/job_edit.h"

#include "base/assert.h"
#include "jobs/status_view.h"

namespace scheduled::jobs {
namespace {

void CountEnded(JobStatus status, pb::CountersRow& counters) {
  switch (status) {
    case JobStatus::kCompleted:
      return counters.set_total_completed(counters.total_completed() + 1);
    case JobStatus::kFailed:
      return counters.set_total_failed(counters.total_failed() + 1);
    case JobStatus::kTimeout:
      return counters.set_total_timeout(counters.total_timeout() + 1);
    case JobStatus::kCancelled:
      return counters.set_total_cancelled(counters.total_cancelled() + 1);
    case JobStatus::kSkipped:
      return counters.set_total_skipped(counters.total_skipped() + 1);
    default:
      break;
  }
  SCHEDULED_ASSERT(false, "a run ends completed, failed, timed out, cancelled or skipped");
}

}  // namespace

JobEdit::JobEdit(ApplyContext& ctx, std::string_view job_id, pb::ScheduleRow* schedule,
                 std::optional<KnownPlace> known)
    : ctx_(ctx), job_id_(job_id), schedule_(schedule), before_(Now(known)) {}

JobStatus JobEdit::Now(std::optional<KnownPlace> known) const {
  bool in_flight = false;
  if (DependsOnInflight(*schedule_)) {
    for (const pb::LiveRun& run : schedule_->runs()) {
      if (run.replaced() || run.held()) continue;
      in_flight = known.has_value() && known->run == run.run() ? known->in_flight
                                                               : PlaceOf(run) == Place::kInflight;
      if (in_flight) break;
    }
  }
  const JobStatus status = StatusOf(*schedule_, in_flight);
  if (status < JobStatus::kPending || status > JobStatus::kPaused) {
    ctx_.Corrupt("a job has ended with no run that did", EncodeScheduleKey(job_id_));
    return JobStatus::kCompleted;
  }
  return status;
}

int JobEdit::Find(uint64_t run) const {
  for (int i = 0; i < schedule_->runs_size(); ++i) {
    if (schedule_->runs(i).run() == run) return i;
  }
  return -1;
}

Place JobEdit::PlaceOf(const pb::LiveRun& run, pb::InflightRow** row) const {
  if (run.held()) return Place::kHeld;
  pb::InflightRow* in_flight = ctx_.ReadInflight(job_id_, run.run());
  if (row != nullptr) *row = in_flight;
  return in_flight != nullptr ? Place::kInflight : Place::kSlots;
}

SlotKey JobEdit::SlotOf(const pb::LiveRun& run) const {
  return {.queue = schedule_->queue(),
          .ready_us = run.ready_us(),
          .priority = schedule_->priority(),
          .job_id = std::string(job_id_),
          .run = run.run()};
}

void JobEdit::LeaveSlot(const pb::LiveRun& run) { ctx_.LeaveSlot(SlotOf(run)); }

void JobEdit::Unhold(int index) {
  pb::LiveRun* run = Change().mutable_runs(index);
  SCHEDULED_ASSERT(run->held(), "only a held run is let go");
  run->set_held(false);
  ctx_.UncountHeld(schedule_->queue());
}

Entered JobEdit::EnterOrEnd(int index) {
  pb::LiveRun* run = schedule_->mutable_runs(index);
  const Entered entered = EnterSlots(ctx_, job_id_, *schedule_, run);
  switch (entered) {
    case Entered::kSlots:  // which only its row there tells
      break;
    case Entered::kHeld:
      changed_ = true;
      break;
    case Entered::kDropped:
      if (run->replaced()) {
        EndUndelivered(index, JobStatus::kSkipped, "replaced");
      } else {
        EndUndelivered(index, JobStatus::kCancelled, "cancelled");
      }
      break;
  }
  return entered;
}

void JobEdit::NoteAttempt(const pb::LiveRun& run, int64_t start_us, int attempts) {
  if (run.replaced()) return;
  pb::ScheduleRow& schedule = Change();
  if (run.attempts() == 0 && run.deliveries() == 0) schedule.set_first_attempt_us(start_us);
  schedule.set_last_attempt_us(start_us);
  schedule.set_attempt_count(attempts);
}

JobStatus JobEdit::DoneStatus(const pb::LiveRun& run, JobStatus status) const {
  if (schedule_->cancelled() && !run.replaced()) return JobStatus::kCancelled;
  if (status != JobStatus::kSkipped || run.replaced()) return status;
  // A skipped occurrence that is the last one ends the job as the run before it did.
  for (const pb::LiveRun& other : schedule_->runs()) {
    if (other.run() != run.run() && !other.replaced()) return status;
  }
  return schedule_->has_last() ? static_cast<JobStatus>(schedule_->last().status())
                               : JobStatus::kCompleted;
}

void JobEdit::EndRun(int index, const Ending& ending, pb::RunRow* record) {
  pb::ScheduleRow& schedule = Change();
  const pb::LiveRun& run = schedule.runs(index);
  const JobStatus done = DoneStatus(run, ending.status);
  const int64_t now = ctx_.stamp().us;
  if (record->due_us() == 0) record->set_due_us(run.due_us());
  record->set_missed(run.missed());
  record->set_status(static_cast<int>(ending.status));
  record->set_done_status(static_cast<int>(done));
  record->set_done_us(now);
  ctx_.PutDelivery({.job_id = std::string(job_id_),
                    .run = run.run(),
                    .attempt = ending.attempt,
                    .delivery = ending.delivery},
                   *record);
  const DoneKey key{
      .status = done, .end_us = now, .job_id = std::string(job_id_), .run = run.run()};
  if (run.cancelled() && schedule.cancelled_us() != now) {
    // It may stand where MarkCancelled put it.
    ctx_.Delete(EncodeDoneKey({.status = JobStatus::kCancelled,
                               .end_us = schedule.cancelled_us(),
                               .job_id = key.job_id,
                               .run = key.run}));
  }
  ctx_.PutDone(key);
  CountEnded(ending.status, ctx_.counters());
  if (!run.replaced() && done != JobStatus::kSkipped) {
    schedule.mutable_last()->set_run(run.run());
    schedule.mutable_last()->set_status(static_cast<int>(done));
    schedule.mutable_last()->set_end_us(now);
  }
  const bool was_ended = IsEnded(schedule);
  schedule.mutable_runs()->DeleteSubrange(index, 1);
  if (!was_ended && IsEnded(schedule)) schedule.set_ended_us(now);
}

void JobEdit::EndUndelivered(int index, JobStatus status, std::string_view error_type,
                             std::string_view message) {
  const pb::LiveRun& run = schedule_->runs(index);
  pb::RunRow* record = ctx_.New<pb::RunRow>();
  record->set_end_us(ctx_.stamp().us);
  record->set_error_type(std::string(error_type));
  record->set_error_message(std::string(message));
  EndRun(index,
         {.status = status,
          .attempt = static_cast<uint32_t>(run.attempts()) + 1,
          .delivery = static_cast<uint32_t>(run.deliveries()) + 1},
         record);
}

void JobEdit::MarkCancelled(uint64_t run) {
  pb::ScheduleRow& schedule = Change();
  SCHEDULED_ASSERT(schedule.cancelled(), "only a cancelled job is marked");
  const int64_t at = schedule.cancelled_us();
  ctx_.PutDone(
      {.status = JobStatus::kCancelled, .end_us = at, .job_id = std::string(job_id_), .run = run});
  schedule.mutable_last()->set_run(run);
  schedule.mutable_last()->set_status(static_cast<int>(JobStatus::kCancelled));
  schedule.mutable_last()->set_end_us(at);
}

void JobEdit::Save(std::optional<KnownPlace> known) {
  if (changed_) ctx_.PutSchedule(job_id_, *schedule_);
  changed_ = false;
  ctx_.MoveJob(before_, Now(known));
}

}  // namespace scheduled::jobs
