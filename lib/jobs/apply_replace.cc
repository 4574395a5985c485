// Replace: another definition under the same id. If the schedule stays as it was, so do cursor and
// live runs; else the runs that have not started are recorded as skipped, those in flight are
// marked as of the older schedule, and a first run of the new one is entered.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "jobs/apply.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

class Replacement {
 public:
  Replacement(ApplyContext& ctx, pb::Replace* replace, pb::Answer* answer)
      : ctx_(ctx), replace_(*replace), answer_(answer) {}

  void Run();

 private:
  bool Validate();
  bool CheckAgainst(const pb::JobRow& row);
  void TakeOutKept(JobEdit& job, std::vector<uint64_t>* taken);
  void EnterKept(JobEdit& job, const std::vector<uint64_t>& taken);
  void EndOld(JobEdit& job);

  ApplyContext& ctx_;
  pb::Replace& replace_;
  pb::Answer* const answer_;
};

bool Replacement::Validate() {
  const bool ok = DescribesJob(replace_);
  if (!ok) RefuseInvalid(answer_, "the replace is malformed");
  return ok && CheckWithdrawn(replace_.withdrawn(), answer_);
}

bool Replacement::CheckAgainst(const pb::JobRow& row) {
  if (replace_.has_if_match() && replace_.if_match() != row.revision()) {
    Refuse(answer_, absl::StatusCode::kAborted, "revision",
           absl::StrCat("the job has revision ", row.revision(), ", not ", replace_.if_match()));
    return false;
  }
  if (replace_.seen_revision() != row.revision()) {
    Refuse(answer_, absl::StatusCode::kAborted, "stale",
           absl::StrCat("the job has revision ", row.revision(), ", and the replace was made for ",
                        replace_.seen_revision()));
    return false;
  }
  if (!ctx_.HasRoomForQueue(replace_.queue())) {
    RefuseQueueLimit(answer_, replace_.queue());
    return false;
  }
  return true;
}

// What waits has its place under the old queue and priority: it leaves before they change.
void Replacement::TakeOutKept(JobEdit& job, std::vector<uint64_t>* taken) {
  for (int i = 0; i < job.schedule().runs_size(); ++i) {
    if (job.schedule().runs(i).replaced()) continue;  // it is in flight, and stays there
    if (TakeBack(ctx_, job, i, replace_.withdrawn())) {
      taken->push_back(job.schedule().runs(i).run());
    }
  }
}

void Replacement::EnterKept(JobEdit& job, const std::vector<uint64_t>& taken) {
  for (const uint64_t number : taken) {
    job.EnterOrEnd(job.Find(number));  // ended: a withdrawn run of a job that was cancelled
  }
}

void Replacement::EndOld(JobEdit& job) {
  if (job.schedule().cancelled()) {
    // The job comes back to life. A run that still ends does so as one of an older schedule, so the
    // mark that made the cancelled job found goes now.
    pb::ScheduleRow& schedule = job.Change();
    if (job.Find(schedule.last().run()) >= 0) {
      ctx_.Delete(EncodeDoneKey({.status = JobStatus::kCancelled,
                                 .end_us = schedule.last().end_us(),
                                 .job_id = std::string(job.id()),
                                 .run = schedule.last().run()}));
      schedule.clear_last();
    }
    schedule.set_cancelled(false);
    schedule.set_cancelled_us(0);
    schedule.clear_cancel_reason();
  }
  for (int i = 0; i < job.schedule().runs_size();) {
    const bool taken = TakeBack(ctx_, job, i, replace_.withdrawn());
    job.Change().mutable_runs(i)->set_replaced(true);
    if (taken) {
      job.EndUndelivered(i, JobStatus::kSkipped, "replaced");
    } else {
      ++i;
    }
  }
  pb::ScheduleRow& schedule = job.Change();
  schedule.set_first_attempt_us(0);
  schedule.set_last_attempt_us(0);
  schedule.set_attempt_count(0);
}

void Replacement::Run() {
  if (!Validate()) return;
  pb::JobRow* row = ctx_.ReadJob(replace_.job_id());
  pb::ScheduleRow* schedule = ctx_.ReadSchedule(replace_.job_id());
  if (row == nullptr || schedule == nullptr) {
    RefuseNotFound(answer_, replace_.job_id());
    return;
  }
  if (!CheckAgainst(*row)) return;
  JobEdit job(ctx_, replace_.job_id(), schedule);
  if (!replace_.keeps_schedule() && schedule->runs_size() >= kMaxLiveRuns) {
    Refuse(answer_, absl::StatusCode::kResourceExhausted, "limit",
           absl::StrCat("the job has ", schedule->runs_size(), " runs that have not ended"));
    return;
  }
  const uint64_t revision = ctx_.NextNumber();
  row->set_revision(revision);
  row->mutable_fingerprint()->swap(*replace_.mutable_fingerprint());
  row->mutable_definition()->swap(*replace_.mutable_definition());
  ctx_.PutJob(job.id(), *row);
  if (replace_.keeps_schedule()) {
    std::vector<uint64_t> taken;
    TakeOutKept(job, &taken);
    SetPlacement(replace_, revision, &job.Change());
    EnterKept(job, taken);
  } else {
    EndOld(job);
    SetPlacement(replace_, revision, &job.Change());
    job.Change().set_cursor_us(replace_.first_due_us());
    AddRun(ctx_, job.id(), {.due_us = replace_.first_due_us(), .ready_us = replace_.first_due_us()},
           &job.Change());
  }
  job.Save();
  AnswerJob(job, row->created_us(), answer_);
  answer_->mutable_jobs(0)->set_stamp_us(ctx_.stamp().us);
}

}  // namespace

void ApplyReplace(ApplyContext& ctx, pb::Replace* replace, pb::Answer* answer) {
  Replacement(ctx, replace, answer).Run();
  if (!IsKeyName(replace->job_id()) || replace->withdrawn_size() > kMaxItems) return;
  AnswerInflight(ctx, replace->job_id(), ctx.ReadSchedule(replace->job_id()), &replace->withdrawn(),
                 answer);
}

}  // namespace scheduled::jobs
