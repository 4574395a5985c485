// Breadth-first through the states of a group of three real cores.
#ifndef SCHEDULED_TESTS_EXPLORE_RAFT_SEARCH_H_
#define SCHEDULED_TESTS_EXPLORE_RAFT_SEARCH_H_

#include <string_view>
#include <vector>

#include "explore/raft_group.h"
#include "explore/search.h"

namespace scheduled::explore {

struct RaftSet {
  const char* name;
  const char* what;
  RaftLimits limits;
  bool elected = false;          // begins with a leader, not with three nodes that know of none
  bool applies_at_once = false;  // one action less where applying is not the point
};
const std::vector<RaftSet>& RaftSets();

SearchResult SearchRaft(const RaftSet& set, const SearchOptions& options);

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_RAFT_SEARCH_H_
