// A state of the whole explored group, and what may happen in it: three nodes, the messages in
// flight, what is left of the budgets of faults, and what history must remember so that "for ever"
// can be checked in a single state: who led each term, and everything that was ever committed.
//
// There are two ways to choose what happens next. Plain: everything that may happen, breadth-first;
// whole to a small depth. By deviations: a fair schedule goes on by itself (writes are done,
// messages arrive, timers fire in turn, the leader is given proposals), and at most so many times
// something else happens at any point of it: whole for that number, and as deep as the schedule
// goes on.
//
// The network is a set: two equal messages in flight are one, and "double" delivers one and keeps
// it. A message that is never delivered is a lost one, so "lose" adds no behaviour of the nodes;
// it frees them of a message that is in the way of the limit on how many are in flight.
#ifndef SCHEDULED_TESTS_EXPLORE_RAFT_GROUP_H_
#define SCHEDULED_TESTS_EXPLORE_RAFT_GROUP_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "explore/raft_nodes.h"

namespace scheduled::explore {

struct RaftLimits {
  int terms = 3;
  int entries = 3;  // proposed
  int crashes = 2;
  int faults = 3;               // messages lost or doubled
  int transfers = 0;            // asked for
  size_t in_flight = 12;        // messages; what would send more is not explored
  int deviations = 0;           // 0: plain
  bool tables_flushed = false;  // a crash may keep what was applied, or not
};

inline constexpr size_t kMaxTerms = 16;

struct GroupState {
  std::array<NodeStateId, kNodes> nodes = {};
  uint8_t proposed = 0;
  uint8_t crashes = 0;
  uint8_t faults = 0;
  uint8_t transfers = 0;
  std::array<uint8_t, kMaxTerms> leader_of = {};  // of each term, from 1 on; 0: nobody yet
  uint8_t committed = 0;                          // entries ever committed by anybody
  std::array<uint8_t, kMaxLog> truth = {};        // they, as NodeSummary numbers them
  std::array<uint8_t, kMaxLog> truth_term = {};   // the term of who was first seen to commit it
  std::vector<MessageId> messages;                // sorted, each once
  // Of a search by deviations; else always 0 and empty.
  uint8_t deviations = 0;
  uint8_t turn = 0;             // whose timer fires next if several are due
  uint8_t cut = 0;              // a bit a node: nothing from or to it arrives
  uint8_t stalled = 0;          // a bit a node: its disk does nothing
  std::vector<MessageId> held;  // on the way for long; arrive by a deviation alone

  std::string Encode() const;
  static GroupState Decode(std::string_view bytes);
};

enum class GroupActionKind : uint8_t {
  kNode,
  kDouble,
  kLose,
  kTick,
  kHold,     // the message stays on its way
  kRelease,  // and arrives after all
  kCut,      // from all others, or no more
  kStall,    // its disk, or no more
};
// One step of the group: an event of one node, a fault of the network, or time.
struct GroupAction {
  GroupActionKind kind = GroupActionKind::kTick;
  uint8_t node = 0;
  NodeEvent event;        // kNode; what is about a message: that message
  bool deviates = false;  // from the schedule

  uint64_t Pack() const;
  static GroupAction Unpack(uint64_t packed);
};

class RaftGroup {
 public:
  RaftGroup(RaftLimits limits, bool applies_at_once, uint32_t twin_share)
      : limits_(limits), applies_at_once_(applies_at_once), nodes_(&messages_, twin_share) {}

  // Three nodes that were never in use, all timers due.
  GroupState First();
  // A quiet group with a leader that has committed its first entry.
  GroupState Elected();
  // What the search goes on with in `state`, by the limits.
  std::vector<GroupAction> Next(const GroupState& state) const;
  // Everything that may happen in `state` within the limits.
  std::vector<GroupAction> Actions(const GroupState& state) const;
  // The state after it. False if it lies beyond the limits. Throws a Finding.
  bool Take(const GroupState& state, GroupAction action, GroupState* next);
  // The same, without limits: for continuations.
  void TakeFreely(GroupState* state, GroupAction action);

  // What must hold in every state. Throws a Finding.
  void Check(const GroupState& state) const;

  // Goes on from `state` without faults, everything delivered and every timer fired in a fair
  // order: a leader must come, and commit a new entry that all three nodes apply. Throws a Finding
  // if that takes more than `kPatience` ticks.
  void CheckGoesOn(GroupState state);
  static constexpr int kPatience = 60;
  // The number of the proposal that a continuation makes.
  static constexpr uint32_t kContinued = 9;

  std::string Describe(GroupAction action) const;
  std::string Describe(const GroupState& state) const;

  const NodeSummary& summary(const GroupState& state, int node) const {
    return nodes_.summary(state.nodes[static_cast<size_t>(node)]);
  }
  const Nodes& nodes() const { return nodes_; }
  const Messages& messages() const { return messages_; }
  size_t known_to_go_on() const { return goes_on_.size(); }

 private:
  GroupAction Scheduled(const GroupState& state) const;
  std::vector<GroupAction> Deviations(const GroupState& state) const;
  void AddCrashes(const GroupState& state, int node, std::vector<GroupAction>* actions) const;
  void Receive(GroupState* state, int from, const std::vector<MessageId>& sent);
  void Remember(GroupState* state, int node) const;
  void CheckPair(const GroupState& state, int a, int b) const;
  void CheckLeader(const GroupState& state, int leader) const;
  void CheckTruth(const GroupState& state) const;
  bool Quiesce(GroupState* state);
  int SettledLeader(const GroupState& state) const;
  bool FireOrTick(GroupState* state, int* turn);
  static std::string KeyOf(const GroupState& state, int turn);

  const RaftLimits limits_;
  const bool applies_at_once_;
  Messages messages_;
  Nodes nodes_;
  absl::flat_hash_set<std::string> goes_on_;  // states of continuations that ended well
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_RAFT_GROUP_H_
