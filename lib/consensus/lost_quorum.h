// The last resort of a group that has lost the majority of its disks for good: makes the one node
// whose log this is the only member. Works on the stores of a stopped node, before any lane runs.
//
// It appends, in a term of its own, a configuration of this node alone, and entries that the caller
// gives. What the log had that was never committed counts from then on, and what only the lost
// nodes had is lost: that is not Raft any more, and nobody but an operator may decide it.
#ifndef SCHEDULED_LIB_CONSENSUS_LOST_QUORUM_H_
#define SCHEDULED_LIB_CONSENSUS_LOST_QUORUM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "raft/configuration.h"
#include "scheduled/state_machine.h"
#include "storage/log_store.h"

namespace scheduled {

// What the log of a stopped node says.
struct StoppedMember {
  NodeId node;
  Term term;                    // the largest that it knows of
  LogIndex last_index;          // of its log
  Term last_term;               // of its last entry
  raft::Configuration members;  // the newest in its log
};

// `applied` is what the state has. kFailedPrecondition: it belongs to no group; DATA_LOSS as
// Recover.
absl::StatusOr<StoppedMember> InspectStopped(LogStore* store, GroupId group,
                                             AppliedPosition applied);

// One durable write. `commands` become one entry behind the configuration. Returns what the log
// says then.
absl::StatusOr<StoppedMember> MakeSoleMember(LogStore* store, GroupId group,
                                             AppliedPosition applied, raft::DiskId disk,
                                             const std::vector<std::string>& commands);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_LOST_QUORUM_H_
