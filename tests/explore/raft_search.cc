// See raft_search.h.
#include "explore/raft_search.h"

#include <fmt/format.h>

#include <cstdio>

#include "explore/finding.h"
#include "explore/state_set.h"

namespace scheduled::explore {
namespace {

class Search {
 public:
  Search(const RaftSet& set, const SearchOptions& options)
      : set_(set), options_(options), group_(set.limits, set.applies_at_once, options.twin_share) {}

  SearchResult Run() {
    try {
      const GroupState first = set_.elected ? group_.Elected() : group_.First();
      group_.Check(first);
      states_.Add(first.Encode(), kNoState, 0);
      StateId level_end = 1;
      for (StateId id = 0; id < states_.size() && states_.size() < options_.states; ++id) {
        if (id == level_end) {
          ++result_.depth;
          level_end = static_cast<StateId>(states_.size());
          if (options_.progress) Progress(level_end - id);
        }
        Expand(id);
        result_.whole = id + 1 == states_.size();
      }
    } catch (const Finding& finding) {
      result_.finding = Explain(finding);
    }
    result_.states = states_.size();
    result_.more = fmt::format(
        "{} different nodes, {} steps of the core, {} different messages, {} twins compared",
        group_.nodes().size(), group_.nodes().steps(), group_.messages().size(),
        group_.nodes().twins_checked());
    return result_;
  }

 private:
  void Expand(StateId id) {
    at_ = id;
    action_.reset();
    const GroupState state = GroupState::Decode(states_.at(id));
    if (options_.go_on_share > 0 && id % options_.go_on_share == 0) {
      ++result_.continued;
      group_.CheckGoesOn(state);
    }
    GroupState next;
    for (const GroupAction& action : group_.Next(state)) {
      action_ = action;
      if (!group_.Take(state, action, &next)) {
        ++result_.beyond;
        continue;
      }
      ++result_.steps;
      if (states_.Add(next.Encode(), id, action.Pack())) group_.Check(next);
    }
  }

  void Progress(StateId level) const {
    fmt::print(stderr, "depth {}: {} states, {} at it, {} nodes, {} steps of the core\n",
               result_.depth, states_.size(), level, group_.nodes().size(), group_.nodes().steps());
  }

  // The way to it, taken once more, with the state that it ends in.
  std::string Explain(const Finding& finding) {
    std::string text = finding.what + "\n";
    if (states_.size() == 0) return text;
    GroupState state = GroupState::Decode(states_.at(0));
    for (const uint64_t packed : states_.WayTo(at_)) {
      const GroupAction action = GroupAction::Unpack(packed);
      text += "  " + group_.Describe(action) + "\n";
      GroupState next;
      if (!group_.Take(state, action, &next)) return text;
      state = next;
    }
    text += group_.Describe(state);
    if (action_) text += "then: " + group_.Describe(*action_) + "\n";
    return text;
  }

  const RaftSet& set_;
  const SearchOptions options_;
  RaftGroup group_;
  StateSet states_;
  SearchResult result_;
  StateId at_ = 0;                     // for a finding: where it was
  std::optional<GroupAction> action_;  // and what was done there
};

}  // namespace

const std::vector<RaftSet>& RaftSets() {
  static const std::vector<RaftSet> sets = {
      {"boot", "three nodes that know of no leader; all actions", {}, false, false},
      {"elected",
       "a leader that has committed its first entry; all actions",
       {.tables_flushed = true},
       true,
       false},
      {"quick",
       "the same, what is handed out is applied at once; reaches deeper",
       {.in_flight = 8},
       true,
       true},
      {"transfer",
       "the same, and leadership is handed over once",
       {.transfers = 1, .in_flight = 8},
       true,
       true},
      {"deviate1",
       "from a leader on, every way with at most one deviation from a fair schedule",
       {.terms = 6, .transfers = 1, .in_flight = 30, .deviations = 1, .tables_flushed = true},
       true,
       false},
      {"deviate2",
       "the same with at most two",
       {.terms = 6, .transfers = 1, .in_flight = 30, .deviations = 2, .tables_flushed = true},
       true,
       false},
      {"deviate3",
       "the same with at most three",
       {.terms = 6, .transfers = 1, .in_flight = 30, .deviations = 3},
       true,
       false},
      {"deviate4",
       "the same with at most four, applied at once",
       {.terms = 6, .in_flight = 30, .deviations = 4},
       true,
       true},
      {"small",
       "two terms, one entry, one crash, one fault",
       {.terms = 2, .entries = 1, .crashes = 1, .faults = 1, .in_flight = 4},
       true,
       true},
      {"tiny",
       "one term, one entry, no faults: all there is",
       {.terms = 1, .entries = 1, .crashes = 0, .faults = 0, .in_flight = 3},
       true,
       true},
  };
  return sets;
}

SearchResult SearchRaft(const RaftSet& set, const SearchOptions& options) {
  return Search(set, options).Run();
}

}  // namespace scheduled::explore
