// Whether the wall clock of a leader agrees with those of a majority (dispatch.md, rule 16), so
// that one node with a mad clock cannot fire next year's jobs. Pure; the leader's, on the dispatch
// lane.
//
// A peer's reading is held against the leader's *monotonic* clock at its arrival: what the peer's
// clock shows now is its reading plus the time that has passed. So a step of the leader's own wall
// clock shows at once, before the next heartbeat.
#ifndef SCHEDULED_LIB_SCHEDULER_CLOCK_AGREEMENT_H_
#define SCHEDULED_LIB_SCHEDULER_CLOCK_AGREEMENT_H_

#include <map>
#include <vector>

#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

// Both clocks at one instant.
struct ClockReading {
  absl::Time wall;
  MonoTime mono;
};

class ClockAgreement {
 public:
  enum class Verdict {
    kAgrees,     // with a majority, itself included
    kUnknown,    // too few readings that are fresh
    kDisagrees,  // so many say otherwise that no majority can agree
  };

  static constexpr absl::Duration kFresh = absl::Seconds(2);

  // `self` and `voters` are of the group; a group of one always agrees.
  // A reading that is older than `fresh` says nothing.
  ClockAgreement(NodeId self, absl::Duration max_skew, absl::Duration fresh = kFresh)
      : self_(self), max_skew_(max_skew), fresh_(fresh) {}

  void SetVoters(std::vector<NodeId> voters) { voters_ = std::move(voters); }
  // `peer`'s wall clock showed `peer_wall` when the message left it, shortly before `now`.
  void Note(const NodeId& peer, absl::Time peer_wall, MonoTime now);
  Verdict Look(ClockReading own) const;

 private:
  NodeId self_;
  absl::Duration max_skew_;
  absl::Duration fresh_;
  std::vector<NodeId> voters_;
  std::map<NodeId, ClockReading> readings_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_CLOCK_AGREEMENT_H_
