// The last resort of a group that has lost the majority of its disks for good: one node that is
// left becomes the only member. With this version it stays that: no other node can join it.
//
// What this gives up:
// - Jobs that were acknowledged, and are only on the lost disks, are lost. So look at every disk
//   that is left, and repair the one whose log is longest (the larger last term, then the larger
//   last index).
// - Whatever the log holds that was never acknowledged counts from now on.
// - The other nodes of the old group must never run again: on their old directories they could
//   still take themselves for the group, and with their old peers they could found another one on
//   empty directories, beside this one.
// It raises the epoch, so that the fencing tokens of everything that runs from now on are larger
// than any that the lost nodes may have given out.
#ifndef SCHEDULED_LOST_QUORUM_H_
#define SCHEDULED_LOST_QUORUM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduled/types.h"

namespace scheduled {

// What the directory of a stopped node says.
struct StoppedNode {
  NodeId node_id;
  std::vector<NodeId> members;  // voters and learners of the newest configuration in its log
  Term term;                    // the largest that it knows of
  Term last_term;               // of the last entry of its log
  LogIndex last_index;
  LogIndex applied_index;  // what is in its tables; the rest is applied when it starts
  uint32_t epoch = 0;
};

// Changes no data: like any start it counts a boot, and it ends what a crash interrupted (the log's
// torn tail, a snapshot that was being installed). kNotFound: there is no data directory at this
// path; kFailedPrecondition: it is in use, or its node never was a member of a group; otherwise the
// errors of Scheduler::Open. Blocks.
absl::StatusOr<StoppedNode> InspectStoppedNode(const std::string& data_dir);

// Makes the node the only member of its group, durably and all at once, and returns what its
// directory says then. The errors are those of InspectStoppedNode; kResourceExhausted: the epoch
// has been raised 65,535 times. Blocks.
absl::StatusOr<StoppedNode> RepairLostQuorum(const std::string& data_dir);

}  // namespace scheduled

#endif  // SCHEDULED_LOST_QUORUM_H_
