// What the handlers of several commands share. See apply.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "jobs/apply.h"
#include "jobs/enter_slots.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

// True if the run in flight was held by the leader and is withdrawn by this command.
bool IsWithdrawn(const RunRefs& withdrawn, std::string_view job_id, uint64_t run, uint64_t token) {
  return std::any_of(withdrawn.begin(), withdrawn.end(), [&](const pb::RunRef& ref) {
    return ref.run() == run && ref.token() == token && ref.job_id() == job_id;
  });
}

void AddInflight(std::string_view job_id, uint64_t run, uint64_t token, pb::Answer* answer) {
  pb::RunRef* ref = answer->add_inflight();
  ref->set_job_id(std::string(job_id));
  ref->set_run(run);
  ref->set_token(token);
}

}  // namespace

void Refuse(pb::Answer* answer, absl::StatusCode code, std::string_view reason,
            std::string_view message) {
  answer->Clear();
  answer->set_code(static_cast<int>(code));
  answer->set_reason(std::string(reason));
  answer->set_message(std::string(message));
}

void RefuseInvalid(pb::Answer* answer, std::string_view message) {
  Refuse(answer, absl::StatusCode::kInvalidArgument, "invalid", message);
}

void RefuseNotFound(pb::Answer* answer, std::string_view job_id) {
  Refuse(answer, absl::StatusCode::kNotFound, "not_found",
         absl::StrCat("there is no job \"", absl::string_view(job_id.data(), job_id.size()), "\""));
}

void RefuseQueueLimit(pb::Answer* answer, std::string_view queue) {
  Refuse(answer, absl::StatusCode::kResourceExhausted, "limit",
         absl::StrCat("jobs of ", kMaxQueues, " executors wait already; \"",
                      absl::string_view(queue.data(), queue.size()), "\" would be one more"));
}

void AnswerJob(const JobEdit& job, int64_t created_us, pb::Answer* answer) {
  pb::JobAnswer* row = answer->add_jobs();
  row->set_job_id(std::string(job.id()));
  row->set_revision(job.schedule().revision());
  row->set_created_us(created_us);
  row->set_status(static_cast<int>(job.Now()));
  int64_t next_us = 0;
  for (const pb::LiveRun& run : job.schedule().runs()) {
    if (run.replaced() || run.cancelled() || job.PlaceOf(run) != Place::kSlots) continue;
    if (next_us == 0 || run.ready_us() < next_us) next_us = run.ready_us();
  }
  row->set_next_due_us(next_us);
}

bool CheckWithdrawn(const RunRefs& withdrawn, pb::Answer* answer) {
  bool ok = withdrawn.size() <= kMaxItems;
  for (const pb::RunRef& ref : withdrawn) ok = ok && IsKeyName(ref.job_id());
  if (!ok) RefuseInvalid(answer, "the list of withdrawn runs is too long or names no job");
  return ok;
}

bool TakeBack(ApplyContext& ctx, JobEdit& job, int index, const RunRefs& withdrawn) {
  const pb::LiveRun& run = job.schedule().runs(index);
  pb::InflightRow* row = nullptr;
  switch (job.PlaceOf(run, &row)) {
    case Place::kSlots:
      job.LeaveSlot(run);
      return true;
    case Place::kHeld:
      job.Unhold(index);
      return true;
    case Place::kInflight:
      if (!IsWithdrawn(withdrawn, job.id(), run.run(), row->token())) return false;
      ctx.LeaveInflight(job.id(), run.run(), *row);
      return true;
  }
  return false;
}

void AnswerInflight(ApplyContext& ctx, std::string_view job_id, const pb::ScheduleRow* schedule,
                    const RunRefs* withdrawn, pb::Answer* answer) {
  if (schedule != nullptr) {
    for (const pb::LiveRun& run : schedule->runs()) {
      if (run.held()) continue;
      const pb::InflightRow* row = ctx.ReadInflight(job_id, run.run());
      if (row != nullptr) AddInflight(job_id, run.run(), row->token(), answer);
    }
  }
  if (withdrawn == nullptr) return;
  for (const pb::RunRef& ref : *withdrawn) {
    const auto& named = answer->inflight();
    const bool is_named = std::any_of(named.begin(), named.end(), [&](const pb::RunRef& other) {
      return other.run() == ref.run() && other.job_id() == ref.job_id();
    });
    if (is_named) continue;
    const pb::InflightRow* row = ctx.ReadInflight(ref.job_id(), ref.run());
    if (row != nullptr) AddInflight(ref.job_id(), ref.run(), row->token(), answer);
  }
}

std::string_view Cut(std::string_view text, size_t max) { return text.substr(0, max); }

void AddRun(ApplyContext& ctx, std::string_view job_id, const NewRun& run, pb::ScheduleRow* row) {
  pb::LiveRun* live = row->add_runs();
  live->set_run(ctx.NextNumber());
  live->set_due_us(run.due_us);
  live->set_ready_us(run.ready_us);
  live->set_manual(run.manual);
  row->set_ended_us(0);
  EnterSlots(ctx, job_id, *row, live);
}

}  // namespace scheduled::jobs
