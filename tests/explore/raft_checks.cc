// What must hold in every state of the group, looked at from outside: disks, logs and what history
// remembers, not what the nodes say of themselves. What one node can be checked for by itself is in
// raft_node.cc.
//
//   1. One leader in a term, in all lives of all nodes (Remember).
//   2. Logs match: two logs with one entry of the same index and term are equal up to there.
//   3. What is committed is on the disks of a majority, in every state that follows: so it was
//      durable at a quorum when it was committed, and stays for ever.
//   4. Nobody takes another entry for committed, and what is applied is what is committed.
//   5. A leader has all that was committed in earlier terms.
//   6. What a leader holds as matching is durable at the follower, as long as no later term is.
//   7. While a leader's lease holds, nobody leads a later term.
#include <algorithm>

#include "explore/finding.h"
#include "explore/raft_group.h"

namespace scheduled::explore {

void RaftGroup::CheckPair(const GroupState& state, int a, int b) const {
  const NodeSummary& x = summary(state, a);
  const NodeSummary& y = summary(state, b);
  const auto match = [](const uint8_t* p, size_t p_size, const uint8_t* q, size_t q_size) {
    bool equal_after = false;  // an entry of the same term was seen further back
    for (size_t i = std::min(p_size, q_size); i-- > 0;) {
      equal_after = equal_after || (p[i] >> 4) == (q[i] >> 4);
      if (equal_after && p[i] != q[i]) return false;
    }
    return true;
  };
  Require(match(x.log, x.log_size, y.log, y.log_size) &&
              match(x.disk, x.disk_size, y.disk, y.disk_size) &&
              match(x.log, x.log_size, y.disk, y.disk_size) &&
              match(x.disk, x.disk_size, y.log, y.log_size),
          "logs match");
  if (x.leads && y.leads && x.term < y.term) {
    Require(x.lease == 0, "while a lease holds, nobody leads a later term");
  }
}

void RaftGroup::CheckLeader(const GroupState& state, int leader) const {
  const NodeSummary& s = summary(state, leader);
  for (size_t i = 0; i < state.committed; ++i) {
    if (state.truth_term[i] >= s.term) break;
    Require(i < s.log_size && s.log[i] == state.truth[i],
            "a leader has all that was committed in earlier terms");
  }
  for (int peer = 0; peer < kNodes; ++peer) {
    const NodeSummary& p = summary(state, peer);
    const uint8_t match = s.match[peer];
    if (peer == leader || match == 0 || p.disk_term > s.term) continue;
    Require(
        match <= p.disk_size && match <= s.log_size && std::equal(p.disk, p.disk + match, s.log),
        "what a leader holds as matching is durable at the follower");
  }
}

void RaftGroup::CheckTruth(const GroupState& state) const {
  for (size_t i = 0; i < state.committed; ++i) {
    int disks = 0;
    for (int node = 0; node < kNodes; ++node) {
      const NodeSummary& s = summary(state, node);
      disks += i < s.disk_size && s.disk[i] == state.truth[i];
    }
    Require(disks * 2 > kNodes, "what is committed is on the disks of a majority, for ever");
  }
  for (int node = 0; node < kNodes; ++node) {
    const NodeSummary& s = summary(state, node);
    Require(s.commit <= state.committed && std::equal(s.log, s.log + s.commit, state.truth.begin()),
            "nobody takes another entry for committed");
    Require(s.applied <= state.committed && s.applied <= s.disk_size &&
                std::equal(s.disk, s.disk + s.applied, state.truth.begin()),
            "what is applied is committed, and durable where it is applied");
    Require(!s.up || s.applied <= s.commit, "what is applied is committed");
  }
}

void RaftGroup::Check(const GroupState& state) const {
  for (int a = 0; a < kNodes; ++a) {
    for (int b = 0; b < kNodes; ++b) {
      if (a != b) CheckPair(state, a, b);
    }
    if (summary(state, a).leads) CheckLeader(state, a);
  }
  CheckTruth(state);
}

}  // namespace scheduled::explore
