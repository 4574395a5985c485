// A client's calls as commands, and Apply's answers as what the client reads. Pure; any thread: a
// definition is validated and encoded where it enters, and never again.
#ifndef SCHEDULED_LIB_SCHEDULER_CLIENT_COMMANDS_H_
#define SCHEDULED_LIB_SCHEDULER_CLIENT_COMMANDS_H_

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/commands.pb.h"
#include "scheduled/job.h"
#include "scheduled/types.h"

namespace scheduled {

// Jobs of one batch, and bytes of one command.
inline constexpr size_t kMaxBatchJobs = 10'000;
inline constexpr size_t kMaxCommandBytes = size_t{4} << 20;

// Chooses ids for jobs that have none (`new_id`), in place. kInvalidArgument names the job of a
// batch by its position; kResourceExhausted: too many, or too large.
absl::StatusOr<pb::Command> MakeCreate(std::vector<Job>& jobs,
                                       const std::function<std::string()>& new_id);
absl::StatusOr<pb::Command> MakeReplace(const Job& job, std::optional<Revision> if_match);

enum class JobVerb : uint8_t { kDelete, kCancel, kPause, kResume, kTrigger, kRedrive };
// `reason` is of a cancellation.
absl::StatusOr<pb::Command> MakeVerb(JobVerb verb, const JobId& id, std::string_view reason = "");

// A refusal as a status, with its reason.
absl::Status ToStatus(const pb::Answer& answer);
// A job as Apply has answered its create, for its creator to read: under the id that was found for
// it, and without its secrets.
JobInfo ToInfo(Job job, const pb::JobAnswer& answer);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_CLIENT_COMMANDS_H_
