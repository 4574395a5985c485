// A look into a RaftNode for the simulator and tests that run it on one thread: its core, and what
// its host still has in hand, between two tasks. Not for anything that runs on threads.
#ifndef SCHEDULED_LIB_CONSENSUS_INSPECT_H_
#define SCHEDULED_LIB_CONSENSUS_INSPECT_H_

#include "raft/core.h"
#include "scheduled/raft_node.h"

namespace scheduled {

// What a host owes its callers or holds for them. Nothing of it is left once all is quiet.
struct InHand {
  size_t bytes = 0;      // of commands, as limits count them
  size_t proposals = 0;  // that wait, or whose entry is not applied
  size_t reads = 0;
  size_t transfers = 0;
  size_t sends = 0;  // that wait for a write

  friend bool operator==(const InHand&, const InHand&) = default;
};

class RaftInspection {
 public:
  static bool IsWritten(const RaftNode& node);
  static const raft::Core& CoreOf(const RaftNode& node);
  static InHand InHandOf(const RaftNode& node);
};

// Everything that the core knows is on the disk: no write is under way, and no snapshot is being
// installed.
inline bool InspectIsWritten(const RaftNode& node) { return RaftInspection::IsWritten(node); }
inline const raft::Core& InspectCore(const RaftNode& node) { return RaftInspection::CoreOf(node); }
inline InHand InspectInHand(const RaftNode& node) { return RaftInspection::InHandOf(node); }

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_INSPECT_H_
