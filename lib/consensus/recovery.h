// What a replica finds when it starts: reads log, ledger and state machine, checks that they agree,
// and makes of them what the core begins with. Also founds a group of one. On the opening thread,
// before the lanes run.
#ifndef SCHEDULED_LIB_CONSENSUS_RECOVERY_H_
#define SCHEDULED_LIB_CONSENSUS_RECOVERY_H_

#include "absl/status/statusor.h"
#include "consensus/ledger.h"
#include "consensus/log_sizes.h"
#include "consensus/raft_parts.h"
#include "raft/core.h"

namespace scheduled {

struct Recovery {
  Ledger ledger;
  raft::Recovered core;
  LogSizes sizes;
  LogIndex flushed;  // of the state machine
};

// FAILED_PRECONDITION: the data belongs to another node or other members. DATA_LOSS: log and state
// machine contradict each other.
absl::StatusOr<Recovery> Recover(const RaftOptions& options, const RaftParts& parts);

// What a replica would begin with that found this log and a state that has applied as much. Reads
// only. DATA_LOSS as for Recover.
absl::StatusOr<raft::Recovered> ReadRecovered(LogStore* store, GroupId group,
                                              AppliedPosition applied);

// Entry 1: the configuration that a group begins with, in term 1. Through `writes` it becomes
// durable in one batch with the ledger's records.
inline constexpr Term kFoundingTerm{1};
raft::Recovered Found(const NodeId& self, std::string cluster_id,
                      const raft::Configuration& configuration, GroupId group, Ledger* ledger,
                      std::vector<LogWrite>* writes);

// The 16 bytes of a random UUID.
std::string NewClusterId(Runtime& runtime);

// DATA_LOSS: the state is not of this log.
absl::Status CheckApplied(const LogState& log, AppliedPosition applied);
// Does what a crash kept an install from doing last, if one did.
absl::Status EndInstall(LogStore* store, GroupId group, AppliedPosition applied, Ledger* ledger,
                        LogState* log);

LogWrite ToLogWrite(GroupId group, raft::Persist persist);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_RECOVERY_H_
