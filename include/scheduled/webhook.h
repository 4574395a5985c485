// The webhook executor: delivers runs as HTTP requests (component scheduled::webhook, libcurl).
//
// A run is sent to its job's URL (Job::webhook) as JSON that holds job id, type, times, run id,
// attempt and the payload's own bytes; with Idempotency-Key and the fencing token, a trace, and a
// signature if the job has a secret. 2xx completes the run; 408, 425, 429, 5xx and transport errors
// are retried; everything else fails it at once. Redirects are not followed, proxies of the
// environment not used. Connections are kept alive; HTTP/2 is used where TLS offers it.
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
  // CIDR blocks ("10.0.0.0/8", "fd00::/8") or single addresses; an address that is about to be
  // connected to, in `deny` and not in `allow`, is refused ("blocked"). Link-local and cloud
  // metadata addresses are always refused, unless `allow` has them or a part of their block: a wide
  // block such as 0.0.0.0/0 does not open them. Loopback and private addresses are not refused by
  // default; who takes jobs from strangers should deny them.
  std::vector<std::string> allow;
  std::vector<std::string> deny;
  // A host (scheme, name and port) that failed this often in a row, by transport errors or 5xx, is
  // paused for `breaker_pause`: its runs are answered "not now" until then, which burns no attempt
  // and holds no capacity. Then one run tries; it ends the pause or begins the next. 0: never.
  int breaker_failures = 5;
  absl::Duration breaker_pause = absl::Seconds(30);  // more than 0, at most 24 h
  // A PEM file of the authorities to trust for TLS. Empty: the system's. For private authorities.
  std::string ca_file;

  // --- How fast it does it --------------------------------------------------------------------
  // Runs taken at once, 1 to 4,096. Each costs about 10 KiB while its request is under way.
  int capacity = 1024;
  // Requests in flight to one host, 1 to 4,096. Others wait for their turn in order, for 5 s or
  // half of their time; then they are answered "not now" and come again 5 s later.
  int connections_per_host = 32;
};

// Has one I/O thread of its own; libcurl starts a short-lived one for each name that it resolves.
// kInvalidArgument: an option out of its bounds, or a CIDR block that does not parse.
absl::StatusOr<std::unique_ptr<Executor>> WebhookExecutor(WebhookOptions options = {});

}  // namespace scheduled

#endif  // SCHEDULED_WEBHOOK_H_
