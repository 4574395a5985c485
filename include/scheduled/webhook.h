// The webhook executor: delivers runs as HTTP requests (component scheduled::webhook, libcurl).
// Body, headers, signature, retry rules and the address guard are described in the README.
#ifndef SCHEDULED_WEBHOOK_H_
#define SCHEDULED_WEBHOOK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/executor.h"

namespace scheduled {

struct WebhookOptions {
  // --- What it does ---------------------------------------------------------------------------
  // CIDR blocks; a connected address in `deny` and not in `allow` is refused ("blocked").
  // Link-local and cloud metadata addresses are always denied unless allowed by name here. Loopback
  // and private addresses are not denied by default.
  std::vector<std::string> allow;
  std::vector<std::string> deny;
  // A host that failed this often in a row is paused for `breaker_pause`; its runs wait and burn no
  // attempt. 0: never.
  int breaker_failures = 5;
  absl::Duration breaker_pause = absl::Seconds(30);

  // --- How fast it does it --------------------------------------------------------------------
  int capacity = 1024;            // runs taken at once
  int connections_per_host = 32;  // requests in flight to one host
};

// One I/O thread of its own. kInvalidArgument: a CIDR block that does not parse.
absl::StatusOr<std::unique_ptr<Executor>> WebhookExecutor(WebhookOptions options = {});

}  // namespace scheduled

#endif  // SCHEDULED_WEBHOOK_H_
