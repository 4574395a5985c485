// See client_commands.h.
#include "scheduler/client_commands.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "jobs/job_model.h"
#include "scheduled/reason.h"

namespace scheduled {
namespace {

absl::Status TooLarge(size_t bytes) {
  return WithReason(absl::ResourceExhaustedError(absl::StrCat("the request has ", bytes,
                                                              " bytes, the most that fits into one "
                                                              "entry of the log is ",
                                                              kMaxCommandBytes)),
                    "too_large");
}

absl::Status AtPosition(const absl::Status& status, size_t position, size_t count) {
  if (status.ok() || count == 1) return status;
  return absl::Status(status.code(), absl::StrCat("job ", position, ": ", status.message()));
}

}  // namespace

absl::StatusOr<pb::Command> MakeCreate(std::vector<Job>& jobs,
                                       const std::function<std::string()>& new_id) {
  if (jobs.empty()) return absl::InvalidArgumentError("a batch needs at least one job");
  if (jobs.size() > kMaxBatchJobs) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          "a batch of ", jobs.size(), " jobs; the most is ", kMaxBatchJobs)),
                      "too_large");
  }
  pb::Command command;
  pb::Create* create = command.mutable_create();
  size_t bytes = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    if (absl::Status valid = ValidateJob(job); !valid.ok()) {
      return AtPosition(valid, i, jobs.size());
    }
    pb::CreateItem* item = create->add_items();
    // Before the id is chosen: the same request without an id is the same create.
    item->set_fingerprint(jobs::FingerprintOf(job));
    if (job.id.empty()) job.id = JobId(new_id());
    item->set_job_id(job.id.value);
    const pb::Definition definition = jobs::MakeDefinition(job);
    item->set_definition(definition.SerializeAsString());
    item->set_idempotency_key(job.idempotency_key);
    item->set_queue(definition.queue());
    item->set_priority(definition.priority());
    item->set_type(definition.type());
    bytes += item->definition().size();
    if (bytes > kMaxCommandBytes) return TooLarge(bytes);
  }
  if (const size_t all = command.ByteSizeLong(); all > kMaxCommandBytes - 1024)
    return TooLarge(all);
  return command;
}

absl::StatusOr<pb::Command> MakeReplace(const Job& job, std::optional<Revision> if_match) {
  if (absl::Status valid = ValidateJob(job); !valid.ok()) return valid;
  if (job.id.empty()) return absl::InvalidArgumentError("a replace needs the id of its job");
  pb::Command command;
  pb::Replace* replace = command.mutable_replace();
  const pb::Definition definition = jobs::MakeDefinition(job);
  replace->set_job_id(job.id.value);
  replace->set_definition(definition.SerializeAsString());
  replace->set_fingerprint(jobs::FingerprintOf(job));
  if (if_match) replace->set_if_match(if_match->value);
  replace->set_queue(definition.queue());
  replace->set_priority(definition.priority());
  replace->set_type(definition.type());
  return command;
}

absl::StatusOr<pb::Command> MakeVerb(JobVerb verb, const JobId& id, std::string_view reason) {
  // An id that no job can have names no job.
  if (absl::Status valid = jobs::ValidateJobId(id.value); !valid.ok()) {
    return absl::NotFoundError(absl::StrCat("no job has the id \"", id.value, "\""));
  }
  pb::Command command;
  switch (verb) {
    case JobVerb::kDelete:
      command.mutable_delete_job()->set_job_id(id.value);
      break;
    case JobVerb::kCancel:
      command.mutable_cancel()->set_job_id(id.value);
      command.mutable_cancel()->set_reason(std::string(reason));
      break;
    case JobVerb::kPause:
      command.mutable_pause()->set_job_id(id.value);
      break;
    case JobVerb::kResume:
      command.mutable_resume()->set_job_id(id.value);
      break;
    case JobVerb::kTrigger:
      command.mutable_trigger()->set_job_id(id.value);
      break;
    case JobVerb::kRedrive:
      command.mutable_redrive()->set_job_id(id.value);
      break;
  }
  return command;
}

absl::Status ToStatus(const pb::Answer& answer) {
  if (answer.code() == 0) return absl::OkStatus();
  absl::Status status(static_cast<absl::StatusCode>(answer.code()), answer.message());
  return answer.reason().empty() ? status : WithReason(std::move(status), answer.reason());
}

JobInfo ToInfo(Job job, const pb::JobAnswer& answer) {
  JobInfo info;
  info.job = std::move(job);
  info.job.id = JobId(answer.job_id());
  info.job.executor = std::string(jobs::EffectiveExecutor(info.job));
  info.job.webhook.secret.clear();
  info.job.webhook.bearer_token.clear();
  info.job.fingerprint.clear();
  info.revision = Revision(answer.revision());
  info.status = static_cast<JobStatus>(answer.status());
  info.created_at = absl::FromUnixMicros(answer.created_us());
  if (answer.next_due_us() != 0) info.next_run_at = absl::FromUnixMicros(answer.next_due_us());
  return info;
}

}  // namespace scheduled
