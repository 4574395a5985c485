// Where a list goes on: the key of the last row that was looked at, in a form that a client can
// carry in a URL. A client may send anything; what is not a cursor of the list at hand is refused.
//
//   base64url without padding of:  version u8, 1 | list u8 (0 all, else JobStatus) | the row's key
#ifndef SCHEDULED_LIB_JOBS_PAGE_CURSOR_H_
#define SCHEDULED_LIB_JOBS_PAGE_CURSOR_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

// `status` names the list; none: all jobs.
std::string EncodePageCursor(std::optional<JobStatus> status, std::string_view key);

// The key, which is one of the table that the list reads (IsListKey). kInvalidArgument.
absl::StatusOr<std::string> DecodePageCursor(std::optional<JobStatus> status,
                                             std::string_view cursor);

// The tag of the table that a list reads; nothing for `skipped`, which no job is.
std::optional<char> TableOfList(std::optional<JobStatus> status);
// True if the list's table could have this key.
bool IsListKey(std::optional<JobStatus> status, std::string_view key);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_PAGE_CURSOR_H_
