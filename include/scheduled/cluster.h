// What a node knows of its group: role, leader, positions in the log and members.
#ifndef SCHEDULED_CLUSTER_H_
#define SCHEDULED_CLUSTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

enum class Role : uint8_t { kFollower = 1, kCandidate = 2, kLeader = 3, kLearner = 4 };
std::string_view RoleName(Role role);

struct ClusterMember {
  NodeId id;
  std::string address;  // as in `peers`; empty in a group of one
  bool voter = true;
  LogIndex match;  // last entry it is known to have; leader only
  // Leader only, of the others: since the member last answered, or since this node leads if it has
  // not answered since then.
  std::optional<absl::Duration> last_contact;
};

// Of one moment, as this node sees it.
struct ClusterStatus {
  NodeId node_id;
  Role role = Role::kFollower;
  NodeId leader;  // empty: none known
  Term term;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex first_index;  // of the log on this node; what came before is in the tables alone
  LogIndex last_index;
  uint64_t log_bytes = 0;  // that is not cut yet; see RaftOptions::max_log_bytes
  // Since this node started: snapshots that peers have installed, that came to nothing on their
  // way to a peer, and that were installed here.
  uint64_t snapshots_sent = 0;
  uint64_t snapshots_dropped = 0;
  uint64_t snapshots_received = 0;
  bool caught_up = false;   // has a leader, and has applied all that was committed before its term
  bool has_quorum = false;  // leader: a majority answers; follower: a leader is heard
  std::string failure;      // why this node stopped, if it did
  std::vector<ClusterMember> members;
};

}  // namespace scheduled

#endif  // SCHEDULED_CLUSTER_H_
