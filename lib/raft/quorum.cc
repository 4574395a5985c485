// Majorities over small arrays. At most kMaxVoters values: sorting a copy is the fastest way.
#include "raft/quorum.h"

#include "base/planted.h"

namespace scheduled::raft {

int64_t MajorityReached(std::span<int64_t> values) {
  if (values.empty()) return std::numeric_limits<int64_t>::max();
  // In ascending order, the value at n - majority is reached by itself and all behind it: by just
  // a majority.
  std::sort(values.begin(), values.end());
  if (IsPlanted(Bug::kQuorumTooSmall) && values.size() > 2) {
    return values[values.size() - MajorityOf(values.size()) + 1];
  }
  return values[values.size() - MajorityOf(values.size())];
}

Tally CountVotes(std::span<const Vote> votes) {
  const size_t majority = MajorityOf(votes.size());
  if (votes.empty()) return Tally::kWon;
  size_t granted = 0;
  size_t refused = 0;
  for (Vote vote : votes) {
    granted += vote == Vote::kGranted;
    refused += vote == Vote::kRefused;
  }
  if (granted >= majority) return Tally::kWon;
  return votes.size() - refused < majority ? Tally::kLost : Tally::kPending;
}

Tally JointTally(Tally a, Tally b) {
  if (a == Tally::kLost || b == Tally::kLost) return Tally::kLost;
  if (a == Tally::kPending || b == Tally::kPending) return Tally::kPending;
  return Tally::kWon;
}

}  // namespace scheduled::raft
