// Cancel, pause, resume, trigger and redrive: commands on one existing job that keep its
// definition.
//
// A command that changes what may run (cancel, pause) takes each live run by where it stands, not
// by what the leader thought when it proposed: a run in slots or held is taken from there; one in
// flight is taken back if the leader had it and names it as withdrawn, and is left to its end if
// not.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "jobs/apply.h"
#include "jobs/enter_slots.h"
#include "jobs/limits.h"
#include "jobs/status_view.h"

namespace scheduled::jobs {
namespace {

constexpr RunRefs* kNoneWithdrawn = nullptr;

// Finds the job and checks the list; null, and the command refused, if it cannot go on.
pb::ScheduleRow* FindJob(ApplyContext& ctx, std::string_view job_id, const RunRefs* withdrawn,
                         pb::Answer* answer) {
  if (!IsKeyName(job_id)) {
    RefuseInvalid(answer, "the command names no job");
    return nullptr;
  }
  if (withdrawn != nullptr && !CheckWithdrawn(*withdrawn, answer)) return nullptr;
  pb::ScheduleRow* schedule = ctx.ReadSchedule(job_id);
  if (schedule == nullptr) {
    RefuseNotFound(answer, job_id);
    if (withdrawn != nullptr) AnswerInflight(ctx, job_id, nullptr, withdrawn, answer);
  }
  return schedule;
}

void RefuseEnded(JobStatus status, pb::Answer* answer) {
  Refuse(answer, absl::StatusCode::kFailedPrecondition, "already_ended",
         absl::StrCat("the job has ended: it is ", std::string(JobStatusName(status))));
}

void AnswerChanged(ApplyContext& ctx, const JobEdit& job, pb::Answer* answer) {
  AnswerJob(job, 0, answer);
  answer->mutable_jobs(0)->set_stamp_us(ctx.stamp().us);
}

// Ends what has not started, and flags what has. The numbers of runs only grow, so that the last
// one ended is the youngest.
void CancelRuns(ApplyContext& ctx, JobEdit& job, const pb::Cancel& cancel) {
  bool any_ended = false;
  uint64_t youngest = 0;
  for (int i = 0; i < job.schedule().runs_size();) {
    if (!job.schedule().runs(i).replaced() && TakeBack(ctx, job, i, cancel.withdrawn())) {
      job.EndUndelivered(i, JobStatus::kCancelled, "cancelled",
                         Cut(cancel.reason(), kMaxReasonBytes));
      any_ended = true;
      continue;
    }
    pb::LiveRun* run = job.Change().mutable_runs(i);
    run->set_cancelled(true);
    if (!run->replaced()) youngest = std::max(youngest, run->run());
    ++i;
  }
  if (!any_ended) job.MarkCancelled(youngest);
}

}  // namespace

void ApplyCancel(ApplyContext& ctx, const pb::Cancel& cancel, pb::Answer* answer) {
  pb::ScheduleRow* row = FindJob(ctx, cancel.job_id(), &cancel.withdrawn(), answer);
  if (row == nullptr) return;
  JobEdit job(ctx, cancel.job_id(), row);
  if (row->cancelled() || IsEnded(*row)) {
    RefuseEnded(job.before(), answer);
  } else {
    pb::ScheduleRow& schedule = job.Change();
    schedule.set_cancelled(true);
    schedule.set_cancelled_us(ctx.stamp().us);
    schedule.set_cancel_reason(std::string(Cut(cancel.reason(), kMaxReasonBytes)));
    CancelRuns(ctx, job, cancel);
    schedule.set_paused(false);
    job.Save();
    AnswerChanged(ctx, job, answer);
  }
  AnswerInflight(ctx, cancel.job_id(), row, &cancel.withdrawn(), answer);
}

void ApplyPause(ApplyContext& ctx, const pb::Pause& pause, pb::Answer* answer) {
  pb::ScheduleRow* row = FindJob(ctx, pause.job_id(), &pause.withdrawn(), answer);
  if (row == nullptr) return;
  JobEdit job(ctx, pause.job_id(), row);
  if (row->cancelled() || IsEnded(*row)) {
    RefuseEnded(job.before(), answer);
  } else {
    // A job that is paused already has nothing in slots, but may have a claim that was withdrawn.
    job.Change().set_paused(true);
    for (int i = 0; i < row->runs_size(); ++i) {
      if (row->runs(i).held() || row->runs(i).replaced()) continue;
      if (!TakeBack(ctx, job, i, pause.withdrawn())) continue;
      const Entered entered = EnterSlots(ctx, job.id(), *row, row->mutable_runs(i));
      SCHEDULED_ASSERT(entered == Entered::kHeld, "what enters a paused job is held");
    }
    job.Save();
    AnswerChanged(ctx, job, answer);
  }
  AnswerInflight(ctx, pause.job_id(), row, &pause.withdrawn(), answer);
}

void ApplyResume(ApplyContext& ctx, const pb::Resume& resume, pb::Answer* answer) {
  pb::ScheduleRow* row = FindJob(ctx, resume.job_id(), kNoneWithdrawn, answer);
  if (row == nullptr) return;
  JobEdit job(ctx, resume.job_id(), row);
  if (row->cancelled() || IsEnded(*row)) {
    RefuseEnded(job.before(), answer);
  } else {
    if (row->paused()) {
      job.Change().set_paused(false);
      for (int i = 0; i < row->runs_size(); ++i) {
        if (!row->runs(i).held()) continue;
        job.Unhold(i);
        EnterSlots(ctx, job.id(), *row, row->mutable_runs(i));
      }
      job.Save();
    }
    AnswerChanged(ctx, job, answer);
  }
  AnswerInflight(ctx, resume.job_id(), row, kNoneWithdrawn, answer);
}

namespace {

// The pending run of a one-time job moves to now; false, and refused, if it is not pending.
bool MoveToNow(ApplyContext& ctx, JobEdit& job, pb::Answer* answer) {
  for (int i = 0; i < job.schedule().runs_size(); ++i) {
    const pb::LiveRun& run = job.schedule().runs(i);
    if (run.replaced()) continue;
    if (job.PlaceOf(run) != Place::kSlots) break;
    if (run.ready_us() <= ctx.stamp().us) return true;  // it is about to start anyway
    job.LeaveSlot(run);
    pb::LiveRun* moved = job.Change().mutable_runs(i);
    moved->set_due_us(std::min(run.due_us(), ctx.stamp().us));
    moved->set_ready_us(ctx.stamp().us);
    EnterSlots(ctx, job.id(), job.schedule(), moved);
    return true;
  }
  Refuse(answer, absl::StatusCode::kFailedPrecondition, "running", "the job's run has started");
  return false;
}

bool AddManualRun(ApplyContext& ctx, JobEdit& job, pb::Answer* answer) {
  if (job.schedule().runs_size() >= kMaxLiveRuns) {
    Refuse(answer, absl::StatusCode::kResourceExhausted, "limit",
           absl::StrCat("the job has ", job.schedule().runs_size(),
                        " runs that have not ended; the limit is ", kMaxLiveRuns));
    return false;
  }
  if (!ctx.HasRoomForQueue(job.schedule().queue())) {
    RefuseQueueLimit(answer, job.schedule().queue());
    return false;
  }
  const int64_t now = ctx.stamp().us;
  AddRun(ctx, job.id(), {.due_us = now, .ready_us = now, .manual = true}, &job.Change());
  return true;
}

}  // namespace

void ApplyTrigger(ApplyContext& ctx, const pb::Trigger& trigger, pb::Answer* answer) {
  pb::ScheduleRow* row = FindJob(ctx, trigger.job_id(), kNoneWithdrawn, answer);
  if (row == nullptr) return;
  JobEdit job(ctx, trigger.job_id(), row);
  if (row->cancelled() || IsEnded(*row)) {
    RefuseEnded(job.before(), answer);
  } else if (row->paused()) {
    Refuse(answer, absl::StatusCode::kFailedPrecondition, "paused", "the job is paused");
  } else if (row->type() == static_cast<int>(JobType::kRecurring) ? AddManualRun(ctx, job, answer)
                                                                  : MoveToNow(ctx, job, answer)) {
    job.Save();
    AnswerChanged(ctx, job, answer);
  }
  AnswerInflight(ctx, trigger.job_id(), row, kNoneWithdrawn, answer);
}

void ApplyRedrive(ApplyContext& ctx, const pb::Redrive& redrive, pb::Answer* answer) {
  pb::ScheduleRow* row = FindJob(ctx, redrive.job_id(), kNoneWithdrawn, answer);
  if (row == nullptr) return;
  JobEdit job(ctx, redrive.job_id(), row);
  if (job.before() != JobStatus::kFailed && job.before() != JobStatus::kTimeout) {
    Refuse(answer, absl::StatusCode::kFailedPrecondition, "not_failed",
           absl::StrCat("only a failed or timed-out job is run again; this one is ",
                        std::string(JobStatusName(job.before()))));
  } else {
    // Asked to run again, a job that was paused meanwhile is no longer.
    row->set_paused(false);
    if (AddManualRun(ctx, job, answer)) {
      job.Save();
      AnswerChanged(ctx, job, answer);
    }
  }
  AnswerInflight(ctx, redrive.job_id(), row, kNoneWithdrawn, answer);
}

}  // namespace scheduled::jobs
