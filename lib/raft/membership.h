// Which configuration counts: the newest in the log, committed or not (dissertation, section 4.1).
// A truncation gives the one before back. Also what a change may do. Owned by Core.
#ifndef SCHEDULED_LIB_RAFT_MEMBERSHIP_H_
#define SCHEDULED_LIB_RAFT_MEMBERSHIP_H_

#include <optional>
#include <span>
#include <vector>

#include "raft/configuration.h"
#include "raft/event.h"
#include "scheduled/types.h"

namespace scheduled::raft {

struct ConfigurationAt {
  LogIndex index;  // of the entry that holds it; 0: the group was founded with it
  Configuration configuration;

  friend bool operator==(const ConfigurationAt&, const ConfigurationAt&) = default;
};

class Membership {
 public:
  // Ascending in index. Nothing at or before `applied`: the node belonged to no group then.
  Membership(std::vector<ConfigurationAt> history, LogIndex applied);

  // The newest. Takes effect when it is appended.
  const Configuration& current() const { return history_.back().configuration; }
  LogIndex current_index() const { return history_.back().index; }
  // The one that counts once everything through `index` is applied, which is not cut.
  const ConfigurationAt& At(LogIndex index) const { return Since(index).front(); }
  // The node as a voter of the newest configuration, or of one that counted since `commit`: whoever
  // is no voter only by an entry that is not committed may be the only one that has this entry, and
  // must be able to lead until it is (dissertation, section 4.2.2). Null if it is none.
  const Member* VoterSince(const NodeId& id, LogIndex commit) const;
  // A voter of every configuration that may count while everything through `commit` is committed.
  bool IsVoterThroughout(const NodeId& id, LogIndex commit) const;
  const std::vector<ConfigurationAt>& history() const { return history_; }

  void Append(ConfigurationAt configuration);
  // True if the current configuration is another one now.
  bool TruncateFrom(LogIndex index);
  // Forgets what neither a truncation nor a snapshot at or behind `index` can ask for.
  void CutThrough(LogIndex index);
  void ResetTo(ConfigurationAt configuration);

 private:
  // The one that counts at `index`, and all that came behind it.
  std::span<const ConfigurationAt> Since(LogIndex index) const;

  std::vector<ConfigurationAt> history_;  // never empty
};

// What the members are to be after `changes`, all of them in one step. Nothing if they make no
// sense or change nothing: an unknown or known member where it must be the other, two changes of
// one member, another disk for a voter (it is to be removed first), no voter left. Precondition:
// `current` is not joint.
std::optional<Configuration> Changed(const Configuration& current,
                                     const std::vector<MemberChange>& changes);

// The step from `current` to `target`: joint if other nodes are to vote, `target` itself otherwise.
Configuration StepTo(const Configuration& current, Configuration target);

// The end of a joint phase: its voters alone.
Configuration WithoutOldVoters(const Configuration& joint);

// The learners `ready` become voters, and those leave that they replace. Their disks are those in
// `ready` where they were not known before.
Configuration Promoted(const Configuration& current, const std::vector<Member>& ready);

// The voters whose disk was not known have the one in `spoken`. No joint phase is needed: they
// counted for nothing before, so that whatever was decided without them had a majority of the same
// voters, and meets every majority that they are part of. Precondition: `current` is not joint.
Configuration WithDisks(const Configuration& current, const std::vector<Member>& spoken);

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_MEMBERSHIP_H_
