// Reads that wait. At a leader: for a round of heartbeats that began after them and that a quorum
// has answered (dissertation, section 6.4). At a follower: for the leader's word on a batch of
// them. Either way one batch is under way and the others wait for the next. Owned by Core.
#ifndef SCHEDULED_LIB_RAFT_READS_H_
#define SCHEDULED_LIB_RAFT_READS_H_

#include "raft/effects.h"
#include "raft/messages.h"

namespace scheduled::raft {

// Who asked: this node's host, or a follower for a batch of its own.
struct LeaderRead {
  ReadId id;        // own
  NodeId follower;  // empty: own
  ReadBatch batch;  // follower's
  LogIndex index;   // at least every index acknowledged before the read; 0: not known yet
  Round round;      // answered by a quorum, it proves that this node led when the read came
};

struct ForwardedRead {
  ReadId id;
  ReadBatch batch;    // any answer to this one or a later one will do
  MonoTime deadline;  // then it fails
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_READS_H_
