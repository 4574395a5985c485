// Which headers and secrets a job may give to its webhooks. Checked when a job is created, so that
// a bad one is refused and not found out at its first run, and again before each delivery, because
// a stored job may be older than a rule. Pure; any thread.
#ifndef SCHEDULED_LIB_BASE_WEBHOOK_RULES_H_
#define SCHEDULED_LIB_BASE_WEBHOOK_RULES_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace scheduled {

// What the library sends itself, what frames the message and what belongs to one connection cannot
// be replaced, and no value can start a line of its own. kInvalidArgument names header and rule:
//   - a name is an RFC 9110 token; a value holds no control character but tab;
//   - Host, Content-Length, Content-Type, Idempotency-Key, Expect, traceparent, webhook-* and
//     X-Scheduled-* are the library's; Authorization is, if the job has a bearer token;
//   - Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade and HTTP2-Settings
//     are the connection's;
//   - at most 64, 8 KiB in all.
absl::Status CheckWebhookHeaders(const std::map<std::string, std::string>& headers,
                                 bool has_bearer_token);

// The bytes that a secret signs with: what "whsec_" and base64 stand for (Standard Webhooks), or
// the secret itself. kInvalidArgument, which does not tell the secret: "whsec_" and no base64.
absl::StatusOr<std::string> WebhookKeyOf(std::string_view secret);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_WEBHOOK_RULES_H_
