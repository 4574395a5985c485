// The arithmetic of majorities, simple and joint. Pure functions; each has a naive twin in its test
// that shares no line with it. Everything the group agrees on goes through here: what is committed,
// who is elected, which round of heartbeats is acknowledged, how long a lease lasts.
#ifndef SCHEDULED_LIB_RAFT_QUORUM_H_
#define SCHEDULED_LIB_RAFT_QUORUM_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/configuration.h"

namespace scheduled::raft {

inline size_t MajorityOf(size_t voters) { return voters / 2 + 1; }

// The largest value that a majority has reached. Reorders `values`. No voters: everything is
// agreed, the largest int64.
int64_t MajorityReached(std::span<int64_t> values);

enum class Vote : uint8_t { kMissing, kGranted, kRefused };
enum class Tally : uint8_t { kPending, kWon, kLost };
// Lost is what no vote that is still missing can turn.
Tally CountVotes(std::span<const Vote> votes);
Tally JointTally(Tally a, Tally b);

// The largest value that both majorities have reached: the one of the voters and, in a joint
// configuration, the one of the voters of before. `value_of(NodeId)` tells a voter's.
template <typename ValueOf>
int64_t QuorumReached(const Configuration& configuration, ValueOf&& value_of) {
  int64_t reached = std::numeric_limits<int64_t>::max();
  for (const auto* voters : {&configuration.voters, &configuration.old_voters}) {
    if (IsPlanted(Bug::kJointCountsNewOnly) && voters == &configuration.old_voters) break;
    SCHEDULED_ASSERT(voters->size() <= kMaxVoters, "a configuration is within its bounds");
    std::array<int64_t, kMaxVoters> values;
    size_t count = 0;
    for (const Member& voter : *voters) values[count++] = value_of(voter.id);
    reached = std::min(reached, MajorityReached(std::span(values.data(), count)));
  }
  return reached;
}

template <typename VoteOf>
Tally QuorumVotes(const Configuration& configuration, VoteOf&& vote_of) {
  Tally tally = Tally::kWon;
  for (const auto* voters : {&configuration.voters, &configuration.old_voters}) {
    if (IsPlanted(Bug::kJointCountsNewOnly) && voters == &configuration.old_voters) break;
    SCHEDULED_ASSERT(voters->size() <= kMaxVoters, "a configuration is within its bounds");
    std::array<Vote, kMaxVoters> votes;
    size_t count = 0;
    for (const Member& voter : *voters) votes[count++] = vote_of(voter.id);
    tally = JointTally(tally, CountVotes(std::span(votes.data(), count)));
  }
  return tally;
}

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_QUORUM_H_
