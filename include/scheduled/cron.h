// A look ahead: when an expression will be due, without scheduling anything.
#ifndef SCHEDULED_CRON_H_
#define SCHEDULED_CRON_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/job.h"

namespace scheduled {

// The next `count` (1 to 1,000) occurrences of `expression` after `from`, in `timezone` unless the
// expression begins with CRON_TZ=; fewer where there are no more. kInvalidArgument names the field
// that is wrong.
absl::StatusOr<std::vector<absl::Time>> NextOccurrences(std::string_view expression,
                                                        std::string_view timezone, absl::Time from,
                                                        int count, Dst dst = Dst::kVixie);

}  // namespace scheduled

#endif  // SCHEDULED_CRON_H_
