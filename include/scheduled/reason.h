// A stable word beside a status, for callers that tell cases of one code apart: "too_large",
// "limit", "overloaded", "no_leader", "unknown_outcome", "already_ended", ...
#ifndef SCHEDULED_REASON_H_
#define SCHEDULED_REASON_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace scheduled {

// Empty if the status carries none.
std::string StatusReason(const absl::Status& status);
absl::Status WithReason(absl::Status status, std::string_view reason);

}  // namespace scheduled

#endif  // SCHEDULED_REASON_H_
