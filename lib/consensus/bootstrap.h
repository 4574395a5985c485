// How a group of several comes into being, once: the node with the smallest id asks all others
// whether they have data, and founds the group only if a majority, itself included, says that it is
// empty and nobody says otherwise. So a node that lost its disk never founds a second cluster
// beside one that has a majority. Pure: no I/O, no clock. Raft lane.
#ifndef SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_
#define SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "consensus/envelope.h"
#include "raft/configuration.h"
#include "scheduled/types.h"

namespace scheduled {

class Bootstrap {
 public:
  // `peers` are all voters with their addresses, `self` among them.
  Bootstrap(raft::Member self, std::map<NodeId, std::string> peers);

  // The one that asks, and may found; the others wait to be spoken to.
  bool IsFounder() const;
  // A new round of questions: earlier answers count no more.
  void BeginRound() { answers_.clear(); }
  void Answered(const NodeId& from, const TellData& answer);
  bool MayFound() const;
  // Somebody has data: this node is new to a cluster that is there already.
  bool FoundData() const;
  // The first configuration, with the disks that are known.
  raft::Configuration Founding() const;

 private:
  const raft::Member self_;
  const std::map<NodeId, std::string> peers_;
  std::map<NodeId, TellData> answers_;  // of this round
};

// Whether a node may be opened with these peers on a log that was founded with this configuration
// and has no later one: another list cannot be meant, since members change by an entry of the log
// alone. FAILED_PRECONDITION says what does not fit. Empty `peers`: whatever is stored.
absl::Status CheckMembers(const NodeId& self, const std::map<NodeId, std::string>& peers,
                          const raft::Configuration& stored);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_
