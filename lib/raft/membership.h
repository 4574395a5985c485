// Which configuration counts: the newest in the log, committed or not (dissertation, section 4.1).
// A truncation gives the one before back. Also what a change may do. Owned by Core.
#ifndef SCHEDULED_LIB_RAFT_MEMBERSHIP_H_
#define SCHEDULED_LIB_RAFT_MEMBERSHIP_H_

#include <vector>

#include "raft/configuration.h"
#include "scheduled/types.h"

namespace scheduled::raft {

struct ConfigurationAt {
  LogIndex index;  // of the entry that holds it; 0: the group was founded with it
  Configuration configuration;

  friend bool operator==(const ConfigurationAt&, const ConfigurationAt&) = default;
};

class Membership {
 public:
  // Ascending in index. May be empty: a node that belongs to no group yet.
  explicit Membership(std::vector<ConfigurationAt> history);

  // The newest. Takes effect when it is appended.
  const Configuration& current() const { return history_.back().configuration; }
  LogIndex current_index() const { return history_.back().index; }
  // The one that counts once everything through `index` is applied.
  const ConfigurationAt& At(LogIndex index) const;
  const std::vector<ConfigurationAt>& history() const { return history_; }

  void Append(ConfigurationAt configuration);
  // True if the current configuration is another one now.
  bool TruncateFrom(LogIndex index);
  // Forgets what neither a truncation nor a snapshot at or behind `index` can ask for.
  void CutThrough(LogIndex index);
  void ResetTo(ConfigurationAt configuration);

 private:
  std::vector<ConfigurationAt> history_;  // never empty: begins with an empty one at 0 if need be
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_MEMBERSHIP_H_
