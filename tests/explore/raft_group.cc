// See raft_group.h; what is checked is in raft_checks.cc.
#include "explore/raft_group.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "explore/finding.h"
#include "raft/print.h"

namespace scheduled::explore {
namespace {

void InsertSorted(MessageId id, std::vector<MessageId>* messages) {
  const auto at = std::lower_bound(messages->begin(), messages->end(), id);
  if (at == messages->end() || *at != id) messages->insert(at, id);
}

void EraseSorted(MessageId id, std::vector<MessageId>* messages) {
  const auto at = std::lower_bound(messages->begin(), messages->end(), id);
  Require(at != messages->end() && *at == id, "only what is in flight is taken");
  messages->erase(at);
}

GroupAction OfNode(int node, NodeEventKind kind, uint32_t argument = 0) {
  return GroupAction{GroupActionKind::kNode, static_cast<uint8_t>(node), {kind, argument}};
}

}  // namespace

// Short, since millions of it are kept: of the arrays only what is used.
std::string GroupState::Encode() const {
  std::string out;
  out.reserve(64);
  const auto word = [&](uint32_t value) {
    char bytes[4];
    std::memcpy(bytes, &value, 4);
    out.append(bytes, 4);
  };
  const auto byte = [&](uint8_t value) { out.push_back(static_cast<char>(value)); };
  for (const NodeStateId node : nodes) word(node);
  for (const uint8_t value : {proposed, crashes, faults, transfers}) byte(value);
  uint8_t terms = 0;
  for (size_t i = 1; i < kMaxTerms; ++i) {
    if (leader_of[i] != 0) terms = static_cast<uint8_t>(i);
  }
  byte(terms);
  for (size_t i = 1; i <= terms; ++i) byte(leader_of[i]);
  byte(committed);
  for (size_t i = 0; i < committed; ++i) byte(truth[i]);
  for (size_t i = 0; i < committed; ++i) byte(truth_term[i]);
  for (const uint8_t value : {deviations, turn, cut, stalled}) byte(value);
  byte(static_cast<uint8_t>(held.size()));
  for (const MessageId message : held) word(message);
  for (const MessageId message : messages) word(message);
  return out;
}

GroupState GroupState::Decode(std::string_view bytes) {
  GroupState state;
  const auto word = [&] {
    uint32_t value;
    std::memcpy(&value, bytes.data(), 4);
    bytes.remove_prefix(4);
    return value;
  };
  const auto byte = [&] {
    const auto value = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    return value;
  };
  for (NodeStateId& node : state.nodes) node = word();
  for (uint8_t* value : {&state.proposed, &state.crashes, &state.faults, &state.transfers}) {
    *value = byte();
  }
  const uint8_t terms = byte();
  for (size_t i = 1; i <= terms; ++i) state.leader_of[i] = byte();
  state.committed = byte();
  for (size_t i = 0; i < state.committed; ++i) state.truth[i] = byte();
  for (size_t i = 0; i < state.committed; ++i) state.truth_term[i] = byte();
  for (uint8_t* value : {&state.deviations, &state.turn, &state.cut, &state.stalled}) {
    *value = byte();
  }
  for (size_t i = byte(); i > 0; --i) state.held.push_back(word());
  while (!bytes.empty()) state.messages.push_back(word());
  return state;
}

uint64_t GroupAction::Pack() const {
  return uint64_t{deviates} << 56 | static_cast<uint64_t>(kind) << 48 | uint64_t{node} << 40 |
         static_cast<uint64_t>(event.kind) << 32 | uint64_t{event.argument};
}

GroupAction GroupAction::Unpack(uint64_t packed) {
  return GroupAction{static_cast<GroupActionKind>((packed >> 48) & 0xff),
                     static_cast<uint8_t>(packed >> 40),
                     {static_cast<NodeEventKind>((packed >> 32) & 0xff),
                      static_cast<uint32_t>(packed & 0xffffffff)},
                     (packed >> 56) != 0};
}

GroupState RaftGroup::First() {
  GroupState state;
  for (int node = 0; node < kNodes; ++node) {
    state.nodes[static_cast<size_t>(node)] = nodes_.Add(Replica::First(node, applies_at_once_));
  }
  return state;
}

std::vector<GroupAction> RaftGroup::Actions(const GroupState& state) const {
  std::vector<GroupAction> actions;
  for (const MessageId id : state.messages) {
    const int to = messages_.To(id);
    const auto node = static_cast<uint8_t>(to);
    const NodeEvent deliver{NodeEventKind::kDeliver, id};
    const bool up = summary(state, to).up;
    if (up) actions.push_back(OfNode(to, NodeEventKind::kDeliver, id));
    if (state.faults >= limits_.faults) continue;
    if (up) actions.push_back(GroupAction{GroupActionKind::kDouble, node, deliver});
    actions.push_back(GroupAction{GroupActionKind::kLose, node, deliver});
  }
  for (int node = 0; node < kNodes; ++node) {
    const NodeSummary& s = summary(state, node);
    if (!s.up) {
      actions.push_back(OfNode(node, NodeEventKind::kRestart));
      continue;
    }
    if (s.busy) actions.push_back(OfNode(node, NodeEventKind::kPersist));
    if (s.behind) actions.push_back(OfNode(node, NodeEventKind::kApply));
    if (s.due) actions.push_back(OfNode(node, NodeEventKind::kDeadline));
    if (s.leads && state.proposed < limits_.entries) {
      actions.push_back(OfNode(node, NodeEventKind::kPropose, state.proposed));
    }
    if (s.leads && state.transfers < limits_.transfers) {
      for (int to = 0; to < kNodes; ++to) {
        if (to != node) {
          actions.push_back(OfNode(node, NodeEventKind::kTransfer, static_cast<uint32_t>(to)));
        }
      }
    }
    AddCrashes(state, node, &actions);
  }
  actions.push_back(GroupAction{});
  return actions;
}

void RaftGroup::AddCrashes(const GroupState& state, int node,
                           std::vector<GroupAction>* actions) const {
  const NodeSummary& s = summary(state, node);
  if (!s.up || state.crashes >= limits_.crashes) return;
  for (uint32_t writes = 0; writes <= s.writes; ++writes) {
    actions->push_back(OfNode(node, NodeEventKind::kCrash, writes));
    if (s.applied > 0 && limits_.tables_flushed) {
      actions->push_back(OfNode(node, NodeEventKind::kCrash, writes | kKeepsTables));
    }
  }
}

void RaftGroup::Receive(GroupState* state, int from, const std::vector<MessageId>& sent) {
  for (const MessageId id : sent) {
    if (((state->cut >> from | state->cut >> messages_.To(id)) & 1) != 0) continue;
    InsertSorted(id, &state->messages);
  }
}

void RaftGroup::TakeFreely(GroupState* state, GroupAction action) {
  const NodeEvent event = action.event;
  const auto bit = static_cast<uint8_t>(1 << action.node);
  const auto age = [this](std::vector<MessageId>* messages) {
    std::vector<MessageId> aged;
    for (const MessageId id : *messages) InsertSorted(messages_.Aged(id), &aged);
    *messages = std::move(aged);
  };
  switch (action.kind) {
    case GroupActionKind::kTick:
      for (NodeStateId& node : state->nodes) node = nodes_.Take(node, event).node;
      age(&state->messages);
      age(&state->held);
      return;
    case GroupActionKind::kLose:
      ++state->faults;
      return EraseSorted(event.argument, &state->messages);
    case GroupActionKind::kHold:
      EraseSorted(event.argument, &state->messages);
      return InsertSorted(event.argument, &state->held);
    case GroupActionKind::kCut:
      state->cut ^= bit;
      std::erase_if(state->messages, [&](MessageId id) {
        return messages_.To(id) == action.node || NumberOf(messages_.at(id).from) == action.node;
      });
      return;
    case GroupActionKind::kStall:
      state->stalled ^= bit;
      return;
    case GroupActionKind::kDouble:
      ++state->faults;
      break;
    case GroupActionKind::kRelease:
      EraseSorted(event.argument, &state->held);
      break;
    case GroupActionKind::kNode:
      if (event.kind == NodeEventKind::kDeliver) EraseSorted(event.argument, &state->messages);
      break;
  }
  const Nodes::Outcome& outcome = nodes_.Take(state->nodes[action.node], event);
  state->nodes[action.node] = outcome.node;
  Receive(state, action.node, outcome.sent);
  if (event.kind == NodeEventKind::kPropose) ++state->proposed;
  if (event.kind == NodeEventKind::kCrash) ++state->crashes;
  if (event.kind == NodeEventKind::kTransfer) ++state->transfers;
}

// --- The schedule, and what deviates from it -----------------------------------------------------

std::vector<GroupAction> RaftGroup::Next(const GroupState& state) const {
  if (limits_.deviations == 0) return Actions(state);
  std::vector<GroupAction> actions;
  if (state.deviations < limits_.deviations) actions = Deviations(state);
  for (GroupAction& action : actions) action.deviates = true;
  actions.push_back(Scheduled(state));
  return actions;
}

GroupAction RaftGroup::Scheduled(const GroupState& state) const {
  for (int node = 0; node < kNodes; ++node) {
    const NodeSummary& s = summary(state, node);
    if (s.up && s.busy && (state.stalled >> node & 1) == 0) {
      return OfNode(node, NodeEventKind::kPersist);
    }
    if (s.up && s.behind) return OfNode(node, NodeEventKind::kApply);
  }
  for (const MessageId id : state.messages) {
    if (summary(state, messages_.To(id)).up) {
      return OfNode(messages_.To(id), NodeEventKind::kDeliver, id);
    }
  }
  for (int node = 0; node < kNodes; ++node) {
    if (!summary(state, node).up) return OfNode(node, NodeEventKind::kRestart);
  }
  if (const int leader = SettledLeader(state); leader >= 0 && state.proposed < limits_.entries) {
    return OfNode(leader, NodeEventKind::kPropose, state.proposed);
  }
  for (int i = 0; i < kNodes; ++i) {
    const int node = (state.turn + i) % kNodes;
    if (summary(state, node).due) return OfNode(node, NodeEventKind::kDeadline);
  }
  return GroupAction{};
}

std::vector<GroupAction> RaftGroup::Deviations(const GroupState& state) const {
  std::vector<GroupAction> actions;
  const auto add = [&](GroupActionKind kind, int node, MessageId id = 0) {
    actions.push_back(GroupAction{kind, static_cast<uint8_t>(node), {NodeEventKind::kDeliver, id}});
  };
  for (const MessageId id : state.messages) {
    const int to = messages_.To(id);
    add(GroupActionKind::kHold, to, id);
    if (!summary(state, to).up) continue;
    if (id != state.messages.front()) actions.push_back(OfNode(to, NodeEventKind::kDeliver, id));
    if (state.faults < limits_.faults) add(GroupActionKind::kDouble, to, id);
  }
  for (const MessageId id : state.held) {
    if (summary(state, messages_.To(id)).up) add(GroupActionKind::kRelease, messages_.To(id), id);
  }
  for (int node = 0; node < kNodes; ++node) {
    const NodeSummary& s = summary(state, node);
    add(GroupActionKind::kCut, node);
    add(GroupActionKind::kStall, node);
    if (!s.up) {
      actions.push_back(OfNode(node, NodeEventKind::kRestart));
      continue;
    }
    if (s.due) actions.push_back(OfNode(node, NodeEventKind::kDeadline));
    if (s.leads && state.proposed < limits_.entries) {
      actions.push_back(OfNode(node, NodeEventKind::kPropose, state.proposed));
    }
    for (int to = 0; s.leads && state.transfers < limits_.transfers && to < kNodes; ++to) {
      if (to == node) continue;
      actions.push_back(OfNode(node, NodeEventKind::kTransfer, static_cast<uint32_t>(to)));
    }
    AddCrashes(state, node, &actions);
  }
  actions.push_back(GroupAction{});
  return actions;
}

bool RaftGroup::Take(const GroupState& state, GroupAction action, GroupState* next) {
  *next = state;
  TakeFreely(next, action);
  if (action.deviates) ++next->deviations;
  const bool fires = action.kind == GroupActionKind::kNode &&
                     action.event.kind == NodeEventKind::kDeadline && limits_.deviations > 0;
  if (fires) next->turn = static_cast<uint8_t>((action.node + 1) % kNodes);
  if (next->messages.size() > limits_.in_flight) return false;
  for (int node = 0; node < kNodes; ++node) {
    if (summary(*next, node).term > limits_.terms) return false;
  }
  Remember(next, action.node);
  return true;
}

// What the step of a node adds to history.
void RaftGroup::Remember(GroupState* state, int node) const {
  const NodeSummary& s = summary(*state, node);
  if (!s.up) return;
  if (s.leads) {
    uint8_t& leader = state->leader_of[s.term];
    Require(leader == 0 || leader == node + 1, "one leader in a term");
    leader = static_cast<uint8_t>(node + 1);
  }
  for (; state->committed < s.commit; ++state->committed) {
    state->truth[state->committed] = s.log[state->committed];
    state->truth_term[state->committed] = s.term;
  }
}

// --- Continuations -------------------------------------------------------------------------------

// Everything that can be done without time passing, but timers; the first that can each time, so
// that each way has one end.
bool RaftGroup::Quiesce(GroupState* state) {
  for (int steps = 0; steps < 2000; ++steps) {
    std::optional<GroupAction> action;
    for (int node = 0; node < kNodes && !action; ++node) {
      const NodeSummary& s = summary(*state, node);
      if (!s.up) action = OfNode(node, NodeEventKind::kRestart);
      if (s.up && s.busy) action = OfNode(node, NodeEventKind::kPersist);
      if (s.up && !s.busy && s.behind) action = OfNode(node, NodeEventKind::kApply);
    }
    if (!action && !state->messages.empty()) {
      const MessageId id = state->messages.front();
      action = OfNode(messages_.To(id), NodeEventKind::kDeliver, id);
    }
    if (!action) return true;
    TakeFreely(state, *action);
  }
  return false;
}

std::string RaftGroup::KeyOf(const GroupState& state, int turn) {
  std::string key;
  for (const NodeStateId node : state.nodes) absl::StrAppend(&key, node, ".");
  absl::StrAppend(&key, turn);
  for (const MessageId id : state.messages) absl::StrAppend(&key, ".", id);
  return key;
}

// Leads the largest term that anybody leads, and has committed in it; -1 if nobody has.
int RaftGroup::SettledLeader(const GroupState& state) const {
  int leader = -1;
  for (int node = 0; node < kNodes; ++node) {
    const NodeSummary& s = summary(state, node);
    if (!s.leads || s.commit < s.term_start) continue;
    if (leader < 0 || s.term > summary(state, leader).term) leader = node;
  }
  return leader;
}

// One timer at a time, each node's in its turn: chance does that in a real group. Where none is
// due, time passes; true then.
bool RaftGroup::FireOrTick(GroupState* state, int* turn) {
  for (int i = 0; i < kNodes; ++i) {
    const int node = (*turn + i) % kNodes;
    if (!summary(*state, node).due) continue;
    TakeFreely(state, OfNode(node, NodeEventKind::kDeadline));
    *turn = (node + 1) % kNodes;
    return false;
  }
  TakeFreely(state, GroupAction{});
  return true;
}

GroupState RaftGroup::Elected() {
  GroupState state = First();
  int turn = 0;
  for (int ticks = 0; ticks < kPatience;) {
    Require(Quiesce(&state), "without time passing there is an end to what happens");
    if (const int leader = SettledLeader(state); leader >= 0) {
      Remember(&state, leader);
      return state;
    }
    ticks += FireOrTick(&state, &turn);
  }
  throw Finding{"no leader comes"};
}

void RaftGroup::CheckGoesOn(GroupState state) {
  state.cut = state.stalled = 0;
  state.held.clear();
  std::vector<std::string> way;
  int turn = 0;
  for (int ticks = 0;;) {
    std::string key = KeyOf(state, turn);
    if (goes_on_.contains(key)) break;
    way.push_back(std::move(key));
    Require(Quiesce(&state), "without time passing there is an end to what happens");
    if (const int leader = SettledLeader(state); leader >= 0) {
      const NodeSummary& s = summary(state, leader);
      const bool proposed = s.log_size > 0 && (s.log[s.log_size - 1] & 0xf) == kContinued + 1;
      const auto has_all = [&](int node) { return summary(state, node).applied >= s.log_size; };
      if (proposed && has_all(0) && has_all(1) && has_all(2)) break;
      const NodeStateId before = state.nodes[static_cast<size_t>(leader)];
      if (!proposed) TakeFreely(&state, OfNode(leader, NodeEventKind::kPropose, kContinued));
      if (state.nodes[static_cast<size_t>(leader)] != before) continue;
    }
    if (FireOrTick(&state, &turn) && ++ticks == kPatience) {
      throw Finding{absl::StrCat("stuck: no progress\n", Describe(state))};
    }
  }
  for (std::string& key : way) goes_on_.insert(std::move(key));
}

// --- Text ----------------------------------------------------------------------------------------

std::string RaftGroup::Describe(GroupAction action) const {
  const std::string node = NameOf(action.node).value;
  const uint32_t argument = action.event.argument;
  if (action.kind == GroupActionKind::kTick) return "a tick passes";
  if (action.kind == GroupActionKind::kLose) {
    return absl::StrCat("lost: ", raft::ToString(messages_.at(argument)));
  }
  if (action.kind == GroupActionKind::kHold) {
    return absl::StrCat("held up: ", raft::ToString(messages_.at(argument)));
  }
  if (action.kind == GroupActionKind::kCut) return node + " is cut off, or no more";
  if (action.kind == GroupActionKind::kStall) return node + "'s disk stalls, or no more";
  if (action.kind == GroupActionKind::kDouble) {
    return absl::StrCat("delivered and kept: ", raft::ToString(messages_.at(argument)));
  }
  switch (action.event.kind) {
    case NodeEventKind::kDeliver:
      return raft::ToString(messages_.at(argument));
    case NodeEventKind::kPersist:
      return node + " has written";
    case NodeEventKind::kApply:
      return node + " has applied";
    case NodeEventKind::kDeadline:
      return node + "'s timer fires";
    case NodeEventKind::kPropose:
      return absl::StrCat(node, " is given proposal ", argument);
    case NodeEventKind::kTransfer:
      return absl::StrCat(node, " is to hand over to ", NameOf(static_cast<int>(argument)).value);
    case NodeEventKind::kCrash:
      return absl::StrCat(node, " crashes; of its writes stay ", argument & ~kKeepsTables,
                          (argument & kKeepsTables) != 0 ? ", and its tables" : "");
    case NodeEventKind::kRestart:
      return node + " starts again";
    case NodeEventKind::kTick:
      break;
  }
  return "?";
}

std::string RaftGroup::Describe(const GroupState& state) const {
  std::string text;
  for (const NodeStateId node : state.nodes) {
    absl::StrAppend(&text, "  ", nodes_.at(node).Describe(), "\n");
  }
  for (const MessageId id : state.held) {
    absl::StrAppend(&text, "  held up: ", raft::ToString(messages_.at(id)), "\n");
  }
  for (const MessageId id : state.messages) {
    absl::StrAppend(&text, "  in flight: ", raft::ToString(messages_.at(id)), "\n");
  }
  return text;
}

}  // namespace scheduled::explore
