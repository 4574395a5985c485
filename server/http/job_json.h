// Jobs between JSON and the library's values: what a create or replace may say, and how a job, an
// attempt and an error are shown. Every field is checked by name; what is unknown, or known but not
// served yet, is refused, so that nothing is accepted and ignored.
#ifndef SCHEDULED_SERVER_HTTP_JOB_JSON_H_
#define SCHEDULED_SERVER_HTTP_JOB_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "http/json_text.h"
#include "scheduled/job.h"

namespace scheduled::server {

// `value` must have passed CheckJson. The job's fingerprint is the SHA-256 of the value's own
// bytes.
absl::StatusOr<Job> JobFromJson(const JsonValue& value);

struct BatchRequest {
  std::vector<absl::StatusOr<Job>> jobs;  // with `atomic` all are OK
  bool atomic = true;
};
// `{"jobs": [create, ...], "atomic": true}`, 1 to 10,000 jobs.
absl::StatusOr<BatchRequest> BatchFromJson(const JsonValue& value);

std::string JobToJson(const JobInfo& info);
std::string StatusToJson(const JobInfo& info);
std::string AttemptsToJson(const JobId& id, const std::vector<Attempt>& attempts);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_JOB_JSON_H_
