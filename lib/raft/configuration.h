// Who belongs to a group: voters, learners, and while a change is under way the voters of before. A
// plain value, stored in the log as an entry of its own kind and in every snapshot. What a change
// may do and when it takes effect is in membership.h; how its majorities are counted in quorum.h.
#ifndef SCHEDULED_LIB_RAFT_CONFIGURATION_H_
#define SCHEDULED_LIB_RAFT_CONFIGURATION_H_

#include <string>
#include <vector>

#include "scheduled/types.h"

namespace scheduled::raft {

// Which disk a member keeps its data on: drawn when the data directory is made, so that a node that
// comes back under its old name with an empty disk is told from the one that voted and promised. 0
// stands for "not known yet": such a member is sent the log, and counts for nothing until the
// leader has heard from it and written its disk into the configuration.
using DiskId = StrongInt<struct DiskIdTag>;

struct Member {
  NodeId id;
  std::string address;  // for people and transports; means nothing to the core
  DiskId disk;

  friend bool operator==(const Member&, const Member&) = default;
};

// A member that receives the log and counts for nothing.
struct Learner {
  Member member;
  bool promote = false;  // becomes a voter by itself once it has caught up
  NodeId replaces;       // the voter that leaves in the step of the promotion; empty: none

  friend bool operator==(const Learner&, const Learner&) = default;
};

// Lists are sorted by id and hold each id once. A node may be in `old_voters` and in `learners` at
// the same time: it votes until the joint phase ends.
struct Configuration {
  std::vector<Member> voters;
  std::vector<Learner> learners;
  std::vector<Member> old_voters;  // not empty: joint, both majorities are needed

  friend bool operator==(const Configuration&, const Configuration&) = default;

  bool empty() const { return voters.empty() && learners.empty() && old_voters.empty(); }
  bool IsJoint() const { return !old_voters.empty(); }
  bool IsVoter(const NodeId& id) const;  // in either set of voters
  bool IsMember(const NodeId& id) const;
  // Voter of the one set there is, and nobody else votes.
  bool IsSoleVoter(const NodeId& id) const;
  // Null if `id` is no member. A node that is in several lists has one disk in all of them.
  const Member* Find(const NodeId& id) const;
  // Every member once, sorted by id.
  std::vector<NodeId> Ids() const;
  // Puts the lists in order.
  void Sort();
  // Sorted, no id twice within a list or between voters and learners, at least one voter, one disk
  // for each id, ids and addresses within bounds.
  bool IsWellFormed() const;
};

// Bounds of a well-formed configuration; with them an encoded one stays below 16 KiB.
inline constexpr size_t kMaxVoters = 15;
inline constexpr size_t kMaxLearners = 15;
inline constexpr size_t kMaxNodeIdBytes = 63;
inline constexpr size_t kMaxAddressBytes = 255;

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_CONFIGURATION_H_
