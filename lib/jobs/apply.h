// What each command does, one function a command; the files apply_*.cc group them by idea. Called
// by the JobStateMachine on the apply lane, in the order of the log.
//
// A handler validates everything, and only then writes: a refused command has written nothing. What
// it learns of errors in the tables is in the context, and ends the batch. An `answer` comes empty,
// which is success.
#ifndef SCHEDULED_LIB_JOBS_APPLY_H_
#define SCHEDULED_LIB_JOBS_APPLY_H_

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/repeated_field.h"
#include "jobs/apply_context.h"
#include "jobs/job_edit.h"
#include "proto/commands.pb.h"
#include "slots/slot_key.h"

namespace scheduled::jobs {

// apply_create.cc. May move definitions out of the command.
void ApplyCreate(ApplyContext& ctx, std::string_view request_id, pb::Create* create,
                 pb::Answer* answer);

// apply_control.cc: on one existing job.
void ApplyCancel(ApplyContext& ctx, const pb::Cancel& cancel, pb::Answer* answer);
void ApplyPause(ApplyContext& ctx, const pb::Pause& pause, pb::Answer* answer);
void ApplyResume(ApplyContext& ctx, const pb::Resume& resume, pb::Answer* answer);
void ApplyTrigger(ApplyContext& ctx, const pb::Trigger& trigger, pb::Answer* answer);
void ApplyRedrive(ApplyContext& ctx, const pb::Redrive& redrive, pb::Answer* answer);

// apply_replace.cc. May move the definition out of the command.
void ApplyReplace(ApplyContext& ctx, pb::Replace* replace, pb::Answer* answer);

// apply_delete.cc. Scans.
void ApplyDelete(ApplyContext& ctx, const pb::Delete& remove, pb::Answer* answer);

// apply_claims.cc
void ApplyClaims(ApplyContext& ctx, const pb::Claims& claims, pb::Answer* answer);

// apply_finishes.cc
void ApplyFinishes(ApplyContext& ctx, pb::Finishes* finishes, pb::Answer* answer);
void ApplyPutBack(ApplyContext& ctx, const pb::PutBack& put_back, pb::Answer* answer);

// apply_sessions.cc. Both scan, the first only if it closes an older session.
void ApplyOpenSession(ApplyContext& ctx, const pb::OpenSession& open, pb::Answer* answer);
void ApplyCloseSession(ApplyContext& ctx, const pb::CloseSession& close, pb::Answer* answer);

// apply_retention.cc. Retain and SweepDedup scan.
void ApplyRetain(ApplyContext& ctx, const pb::Retain& retain, pb::Answer* answer);
void ApplySweepDedup(ApplyContext& ctx, const pb::SweepDedup& sweep, pb::Answer* answer);
void ApplySetGroup(ApplyContext& ctx, const pb::SetGroup& set, pb::Answer* answer);

// --- Shared by them; apply_common.cc ------------------------------------------------------------

using RunRefs = google::protobuf::RepeatedPtrField<pb::RunRef>;

// Sets the answer to a refusal. Reasons are stable words: "invalid", "not_found", "conflict",
// "limit", "stale", "revision", "already_ended", "paused", "running", "not_failed".
void Refuse(pb::Answer* answer, absl::StatusCode code, std::string_view reason,
            std::string_view message);
void RefuseInvalid(pb::Answer* answer, std::string_view message);
void RefuseNotFound(pb::Answer* answer, std::string_view job_id);
void RefuseQueueLimit(pb::Answer* answer, std::string_view queue);

// The job's row in the answer, as it stands.
void AnswerJob(const JobEdit& job, int64_t created_us, pb::Answer* answer);

// False, and the command refused, if the list is too long or names no job.
bool CheckWithdrawn(const RunRefs& withdrawn, pb::Answer* answer);
// Takes a run out of slots, of its schedule, or of flight if the leader held it and withdrew it for
// this command. False: it stays in flight.
bool TakeBack(ApplyContext& ctx, JobEdit& job, int index, const RunRefs& withdrawn);
// Names in the answer what stands in `inflight`: of the job's live runs (`schedule` null: it has
// none) and of the withdrawn. Called once the command is through, refused or not.
void AnswerInflight(ApplyContext& ctx, std::string_view job_id, const pb::ScheduleRow* schedule,
                    const RunRefs* withdrawn, pb::Answer* answer);

// Of an item of a create, or a replace: whether it describes a job as the node where it entered
// does, and where that puts the job's runs.
template <typename Item>
bool DescribesJob(const Item& item) {
  const bool has_type = item.type() == static_cast<int>(JobType::kOnce) ||
                        item.type() == static_cast<int>(JobType::kRecurring);
  return has_type && IsKeyName(item.job_id()) && IsKeyName(item.queue()) && item.priority() >= 0 &&
         item.priority() <= kMaxPriority && !item.definition().empty() &&
         !item.fingerprint().empty();
}
template <typename Item>
void SetPlacement(const Item& item, uint64_t revision, pb::ScheduleRow* schedule) {
  schedule->set_revision(revision);
  schedule->set_queue(item.queue());
  schedule->set_priority(item.priority());
  schedule->set_type(item.type());
}

// A text cut to `max` bytes.
std::string_view Cut(std::string_view text, size_t max);

// Adds a run to the schedule and enters it into slots.
struct NewRun {
  int64_t due_us = 0;
  int64_t ready_us = 0;
  bool manual = false;
};
void AddRun(ApplyContext& ctx, std::string_view job_id, const NewRun& run, pb::ScheduleRow* row);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_APPLY_H_
