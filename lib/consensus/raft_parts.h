// What a RaftNode runs on when somebody else owns it: the scheduler, a test or the simulator hands
// in runtime, lanes, log and ports, and RaftNode::OpenWith makes a member of them. RaftNode::Open
// builds the same parts itself, from threads and a data directory.
#ifndef SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_
#define SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_

#include <functional>
#include <string>

#include "base/lane.h"
#include "base/runtime.h"
#include "raft/configuration.h"
#include "scheduled/raft_node.h"
#include "scheduled/state_machine.h"
#include "scheduled/transport.h"
#include "storage/log_store.h"
#include "storage/snapshot_files.h"

namespace scheduled {

// 1 to 63 bytes of letters, digits, '.', '_' and '-'.
bool IsNodeId(const NodeId& id);

// Everything outlives the node. What the node does to it:
// - OpenWith loads the log and may write to it on the calling thread, before any lane runs a task
//   of the node; it reads StateMachine::applied and Durable there too. It starts the transport.
// - ~RaftNode stops the transport and the lanes raft, log, apply, flush and
//   files, and then completes what
//   is still under way (kUnknown or kUnavailable) by posts to the completions lane, which it leaves
//   running. Where the owner has stopped all lanes before, nothing is completed: that is how a
//   simulator crashes a node.
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
  // Where StateMachine::Flush and Durable are called, never during Install. Null: on the apply
  // lane, one call at a time, as the port promises; a state machine that bears Flush during Apply
  // and Checkpoint gets a lane of its own, so that a flush does not hold up Apply.
  Lane* flush = nullptr;
  // Where files of snapshots are read and written. Null: on the flush lane, or else the apply lane.
  Lane* files = nullptr;
  // Null: no snapshots are sent or taken, and the log is cut only behind what every member has.
  SnapshotFiles* snapshots = nullptr;

  GroupId group{1};
  // Of the data directory; 0: not known, and then a lost disk is not told from a kept one.
  raft::DiskId disk;
  // Told inside of OpenWith if it is known there, else once on the log lane when the node has come
  // to belong to a cluster (16 bytes), so that the owner can note it beside the data. An error
  // stops the node. May be null.
  std::function<absl::Status(const std::string& cluster_id)> on_cluster_id;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_RAFT_PARTS_H_
