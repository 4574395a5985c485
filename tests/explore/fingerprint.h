// Everything in a core that decides what it will do from here on, as bytes: two cores with the same
// fingerprint do the same with the same events, for ever. What is left out, and why that is sound:
//
//   Instants      only their distance from `now` counts, in whole ticks. The explorer steps cores
//                 at whole ticks alone, so an instant between two of them is the next one; and what
//                 is older than the longest span that it is ever compared with (see fingerprint.cc)
//                 is as old as that. Comparing two such ages gives the same answer, or one that no
//                 longer matters: ages beyond the bound are all past it.
//   Write numbers relative to the newest that is done. A core compares them only with each other.
//   Rounds        a round of heartbeats is known by its age: without reads it renews a lease and
//                 does nothing else, and two of one leader and one age renew it alike.
//   The generator it is asked for instants that lie between two ticks, whatever it answers
//                 (see ExploreOptions in raft_node.cc), so its state decides nothing.
//   Counters      of what was dropped, and the numbers of fetches, which are answered at once.
//   Leader's      fields of a node that does not lead; they are set anew when it does.
//
// The claim is itself tested: see Nodes::CheckTwin.
#ifndef SCHEDULED_TESTS_EXPLORE_FINGERPRINT_H_
#define SCHEDULED_TESTS_EXPLORE_FINGERPRINT_H_

#include <cstdint>
#include <string>

#include "raft/core.h"

namespace scheduled::raft {

struct Fingerprint {
  static void Append(const Core& core, MonoTime now, absl::Duration tick, std::string* out);

  // Numbers of the explorer are small: one byte, or two where they are not.
  static void AppendNumber(uint64_t value, std::string* out);
  // Whole ticks since `past`, at most `longest`.
  static uint64_t Age(MonoTime past, MonoTime now, absl::Duration tick, uint64_t longest);
  // Whole ticks until `due`, rounded up, 0 if it is past; at most `longest`, or that plus 1 if it
  // never comes.
  static uint64_t Left(MonoTime due, MonoTime now, absl::Duration tick, uint64_t longest);
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_EXPLORE_FINGERPRINT_H_
