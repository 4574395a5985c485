// Which headers a job may add to its requests. What the library sends itself, what frames the
// message and what belongs to one connection cannot be replaced, and no value can start a line of
// its own. Pure.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_HEADER_RULES_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_HEADER_RULES_H_

#include <map>
#include <string>

#include "absl/status/status.h"

namespace scheduled::webhook {

// kInvalidArgument names the header and the rule:
//   - a name is an RFC 9110 token; a value holds no control character but tab;
//   - Host, Content-Length, Content-Type, Idempotency-Key, Expect, traceparent, webhook-* and
//     X-Scheduled-* are the library's; Authorization is, if the job has a bearer token;
//   - Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade and HTTP2-Settings
//     are the connection's;
//   - at most 64, 8 KiB in all.
absl::Status CheckUserHeaders(const std::map<std::string, std::string>& headers,
                              bool has_bearer_token);

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_HEADER_RULES_H_
