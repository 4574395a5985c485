// How long a silence between leader and nodes may be, by the one timeout that a user chooses. A
// round trip is shorter than an election timeout, or elections would never settle; so where that is
// long, all of these are. Plain values.
//
// What rests on their order, whatever the clocks of the nodes show (rules 8 and 10 to 13 of
// dispatch.md): a node stops taking Starts before anybody closes its session. The node counts from
// when it sent what was acknowledged, the leader from when that arrived, or from later.
#ifndef SCHEDULED_LIB_SCHEDULER_SESSION_TIMES_H_
#define SCHEDULED_LIB_SCHEDULER_SESSION_TIMES_H_

#include <algorithm>

#include "absl/time/time.h"

namespace scheduled {

struct SessionTimes {
  // As they are for election timeouts up to 500 ms; in proportion beyond.
  explicit SessionTimes(absl::Duration election_timeout) {
    const double slower = std::max(1.0, absl::FDivDuration(election_timeout, kFast));
    for (absl::Duration* time :
         {&alive_for, &grace_at_begin, &silence, &unanswered, &mute_before_close, &fresh}) {
      *time *= slower;
    }
  }

  static constexpr absl::Duration kFast = absl::Milliseconds(500);

  // Node: takes Starts so long after it sent the last heartbeat that was acknowledged.
  absl::Duration alive_for = absl::Milliseconds(1500);
  // New leader: closes no session earlier. Longer than alive_for.
  absl::Duration grace_at_begin = absl::Milliseconds(1700);
  // Leader: closes a session without a heartbeat after this. Longer than alive_for.
  absl::Duration silence = absl::Seconds(2);
  // Leader: stops acknowledging a session that leaves a message unanswered for this ...
  absl::Duration unanswered = absl::Seconds(5);
  // ... and closes it this much later. Longer than alive_for.
  absl::Duration mute_before_close = absl::Seconds(2);
  // Leader: a reading of a peer's clock that is older says nothing.
  absl::Duration fresh = absl::Seconds(2);
};

// How long a leader may act by itself after a majority has heard it: as 250 ms are to 300. It has
// to end before an election, drift of both clocks included (5/6 of 101 % are less than 99 %), and
// to outlast two heartbeats: these are at most a third of the election timeout.
inline absl::Duration LeaseFor(absl::Duration election_timeout) { return election_timeout * 5 / 6; }

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_SESSION_TIMES_H_
