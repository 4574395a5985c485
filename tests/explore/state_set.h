// Every state that a search has seen, each once, in the order in which they were found, and the way
// to each: the state before it and the action that led on. Compared byte by byte, so no two states
// are ever taken for one. Flat memory: millions of them are held.
#ifndef SCHEDULED_TESTS_EXPLORE_STATE_SET_H_
#define SCHEDULED_TESTS_EXPLORE_STATE_SET_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

namespace scheduled::explore {

using StateId = uint32_t;
inline constexpr StateId kNoState = UINT32_MAX;

class StateSet {
 public:
  StateSet() : known_(0, Hash{this}, Equal{this}) {}
  StateSet(const StateSet&) = delete;
  StateSet& operator=(const StateSet&) = delete;

  // True if it is new. `action` is the caller's encoding.
  bool Add(std::string_view bytes, StateId parent, uint64_t action) {
    if (known_.contains(bytes)) return false;
    const auto id = static_cast<StateId>(parents_.size());
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    ends_.push_back(bytes_.size());
    parents_.push_back(parent);
    actions_.push_back(action);
    known_.insert(id);
    return true;
  }

  std::string_view at(StateId id) const {
    const uint64_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(bytes_.data() + begin, ends_[id] - begin);
  }
  size_t size() const { return parents_.size(); }

  // The actions from the first state to this one.
  std::vector<uint64_t> WayTo(StateId id) const {
    std::vector<uint64_t> way;
    for (; parents_[id] != kNoState; id = parents_[id]) way.push_back(actions_[id]);
    return {way.rbegin(), way.rend()};
  }

 private:
  struct Hash {
    using is_transparent = void;
    const StateSet* set;
    size_t operator()(std::string_view bytes) const {
      return absl::Hash<absl::string_view>()(absl::string_view(bytes.data(), bytes.size()));
    }
    size_t operator()(StateId id) const { return (*this)(set->at(id)); }
  };
  struct Equal {
    using is_transparent = void;
    const StateSet* set;
    bool operator()(StateId a, StateId b) const { return a == b; }
    bool operator()(StateId a, std::string_view b) const { return set->at(a) == b; }
    bool operator()(std::string_view a, StateId b) const { return a == set->at(b); }
  };

  std::vector<char> bytes_;
  std::vector<uint64_t> ends_;
  std::vector<StateId> parents_;
  std::vector<uint64_t> actions_;
  absl::flat_hash_set<StateId, Hash, Equal> known_;
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_STATE_SET_H_
