// Breadth-first through the states of two whole nodes over an abstract log.
#ifndef SCHEDULED_TESTS_EXPLORE_DISPATCH_SEARCH_H_
#define SCHEDULED_TESTS_EXPLORE_DISPATCH_SEARCH_H_

#include <vector>

#include "explore/dispatch_world.h"
#include "explore/search.h"

namespace scheduled::explore {

const std::vector<DispatchSet>& DispatchSets();

SearchResult SearchDispatch(const DispatchSet& set, const SearchOptions& options);

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_DISPATCH_SEARCH_H_
