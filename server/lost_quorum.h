// `scheduled --repair-lost-quorum`: shows what a stopped node has and what the repair gives up, and
// repairs if that is confirmed.
#ifndef SCHEDULED_SERVER_LOST_QUORUM_H_
#define SCHEDULED_SERVER_LOST_QUORUM_H_

#include "absl/status/status.h"
#include "config.h"

namespace scheduled::server {

// Prints to standard output. Not OK: nothing was changed; without `confirmed` that is the rule.
absl::Status RepairQuorum(const Config& config, bool confirmed);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_LOST_QUORUM_H_
