// How a group of several comes into being, once: the node with the smallest id asks all others
// whether they have data, and founds the group only if a majority, itself included, says that it is
// empty and nobody says otherwise. So a node that lost its disk never founds a second cluster
// beside one that has a majority. Pure: no I/O, no clock of its own. Raft lane.
//
//   asked          once all say that they are empty in one round                    founds
//   asked          a majority does, and has for kFoundingPatience                   founds
//   asked          somebody ever says that it has data                              never founds
#ifndef SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_
#define SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "consensus/envelope.h"
#include "raft/configuration.h"
#include "scheduled/types.h"

namespace scheduled {

// How long a majority waits for the word of those who have not answered: longer than a transport
// takes to reach a peer that is up, which it may have called in vain just before that was so.
inline constexpr absl::Duration kFoundingPatience = absl::Seconds(1);

class Bootstrap {
 public:
  // `peers` are all voters with their addresses, `self` among them.
  Bootstrap(raft::Member self, std::map<NodeId, std::string> peers);

  // The one that asks, and may found; the others wait to be spoken to.
  bool IsFounder() const;
  // A new round of questions. Who was empty before may not be there any more; who had data has it.
  void BeginRound();
  void Answered(MonoTime now, const NodeId& from, const TellData& answer);
  bool MayFound(MonoTime now) const;
  // Somebody has data, or had: this node is new to a cluster that is there already.
  bool FoundData() const { return found_data_; }
  // The first configuration, with the disks that are known.
  raft::Configuration Founding() const;

 private:
  const raft::Member self_;
  const std::map<NodeId, std::string> peers_;
  bool HasMajority() const { return answers_.size() + 1 > peers_.size() / 2; }  // this node, too

  std::map<NodeId, TellData> answers_;  // of this round; all empty
  bool found_data_ = false;
  MonoTime majority_since_ = MonoTime::Infinite();  // in every round since
};

// Whether a node may be opened with these peers on a log that was founded with this configuration
// and has no later one: another list cannot be meant, since members change by an entry of the log
// alone. FAILED_PRECONDITION says what does not fit. Empty `peers`: whatever is stored.
absl::Status CheckMembers(const NodeId& self, const std::map<NodeId, std::string>& peers,
                          const raft::Configuration& stored);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_BOOTSTRAP_H_
