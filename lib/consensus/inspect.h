// A look into a RaftNode for the simulator and tests that run it on one thread: its core, between
// two tasks. Not for anything that runs on threads.
#ifndef SCHEDULED_LIB_CONSENSUS_INSPECT_H_
#define SCHEDULED_LIB_CONSENSUS_INSPECT_H_

#include "raft/core.h"
#include "scheduled/raft_node.h"

namespace scheduled {

class RaftInspection {
 public:
  static const raft::Core& CoreOf(const RaftNode& node);
};

inline const raft::Core& InspectCore(const RaftNode& node) { return RaftInspection::CoreOf(node); }

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_INSPECT_H_
