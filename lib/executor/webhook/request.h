// What is sent for a run: method, body and headers, as text. Pure: the moment of sending comes in.
//
// Body (POST, PUT and PATCH; GET and DELETE have none, RFC 9110 gives theirs no meaning):
//   {"job_id":"…","type":"unico","executed_at":1767225600,"payload":{…},"run_id":"…","attempt":1,
//    "scheduled_at":1767225600}
//   - type is "unico" or "recurrente";
//   - times are seconds since the epoch. scheduled_at has a fraction where the due time has one,
//     and executed_at has one exactly if scheduled_at does: who schedules by whole seconds reads
//     integers only, and executed_at never seems to be before scheduled_at;
//   - the payload's bytes stand there as they were stored; an empty payload is null; one that is no
//     JSON (a library's bytes) is a JSON string; one that is no UTF-8 either is refused.
//
// Headers: Content-Type: application/json (with a body), Idempotency-Key: <run id>,
// X-Scheduled-Job-Id, X-Scheduled-Attempt, X-Scheduled-Fencing-Token, traceparent (W3C Trace
// Context: the run is the trace, each delivery a span), Authorization: Bearer … (with a bearer
// token), webhook-id, webhook-timestamp and webhook-signature (with a secret; signature.h), then
// the job's own (base/webhook_rules.h).
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_REQUEST_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "executor/webhook/signature.h"
#include "scheduled/executor.h"

namespace scheduled::webhook {

struct Request {
  std::string url;
  std::string method;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  bool has_body = true;
};

// kInvalidArgument: this run can never be sent (method, headers, secret or payload).
absl::StatusOr<Request> BuildRequest(const RunContext& run, absl::Time now, Signer& signer);

// The parts, for tests.
absl::StatusOr<std::string> BuildBody(const RunContext& run, absl::Time now);
std::string Traceparent(const RunContext& run);

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_REQUEST_H_
