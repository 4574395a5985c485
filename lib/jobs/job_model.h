// A job between its three shapes: the public value (scheduled/job.h), the stored definition
// (proto/rows.proto) and the read-back JobInfo. Pure; any thread. The rules of what a job may be
// are in job_validate.cc, behind the public ValidateJob.
#ifndef SCHEDULED_LIB_JOBS_JOB_MODEL_H_
#define SCHEDULED_LIB_JOBS_JOB_MODEL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

inline constexpr size_t kMaxPayloadBytes = size_t{1} << 20;
inline constexpr size_t kFingerprintBytes = 32;
inline constexpr char kWebhookExecutor[] = "webhook";
inline constexpr char kNoopExecutor[] = "noop";

// Says what is wrong with a job's id, in a sentence; kInvalidArgument. Empty is wrong here.
absl::Status ValidateJobId(std::string_view id);
// The same for the name of an executor: 1 to 128 letters, digits, '.', '_', '-' and ':'.
absl::Status ValidateExecutorName(std::string_view name);

// The executor that will get the job's runs: its own, or what stands for an empty name.
std::string_view EffectiveExecutor(const Job& job);

// Fills in defaults: executor and queue. Precondition: ValidateJob(job) is OK.
pb::Definition MakeDefinition(const Job& job);
// The way back, secrets included. `id` is not part of a definition. Fields that a newer writer
// added are lost here, never in the stored bytes.
Job MakeJob(std::string_view id, const pb::Definition& definition);
// As MakeJob, for whoever reads a job back: secret and bearer_token are empty.
Job MakePublicJob(std::string_view id, const pb::Definition& definition);

// What "the same create" means: job.fingerprint if it is given, else the SHA-256 of every field in
// one canonical encoding, the id included if the caller chose one. Taken before an id is chosen for
// a job that has none. 32 bytes.
std::string FingerprintOf(const Job& job);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_JOB_MODEL_H_
