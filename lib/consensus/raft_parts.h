// What a RaftNode runs on when somebody else owns it: the scheduler, a test or the simulator hands
// in runtime, lanes, log and ports, and RaftNode::OpenWith makes a member of them. RaftNode::Open
// builds the same parts itself, from threads and a data directory.
#ifndef SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_
#define SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_

#include <string>

#include "base/lane.h"
#include "base/runtime.h"
#include "scheduled/raft_node.h"
#include "scheduled/state_machine.h"
#include "scheduled/transport.h"
#include "storage/log_store.h"

namespace scheduled {

// Everything outlives the node. What the node does to it:
// - OpenWith loads the log and may write to it on the calling thread, before any lane runs a task
//   of the node; it reads StateMachine::applied and Durable there too. It starts the transport.
// - ~RaftNode stops the transport and the lanes raft, log and apply, in this order, and then
//   completes what is still under way (kUnknown or kUnavailable) by posts to the completions lane,
//   which it leaves running. Lanes that its owner has stopped before are fine: that is how the
//   simulator crashes a node, and then nothing is completed.
// - LogStore::MarkCleanStop is for the owner to call, after ~RaftNode.
struct RaftParts {
  Runtime* runtime = nullptr;
  LogStore* log_store = nullptr;
  StateMachine* state_machine = nullptr;
  Transport* transport = nullptr;  // null: a group of one

  Lane* raft = nullptr;
  Lane* log = nullptr;
  Lane* apply = nullptr;
  Lane* completions = nullptr;

  GroupId group{1};
  // Told once, on the raft lane or inside of OpenWith, when the node comes to know which cluster it
  // belongs to (16 bytes), so that the owner can note it beside the data. May be null.
  std::function<void(const std::string& cluster_id)> on_cluster_id;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_
