// What a search is asked for and what it found, the same for every model.
#ifndef SCHEDULED_TESTS_EXPLORE_SEARCH_H_
#define SCHEDULED_TESTS_EXPLORE_SEARCH_H_

#include <cstdint>
#include <string>

namespace scheduled::explore {

struct SearchOptions {
  uint64_t states = 1'000'000;  // it ends once it has seen this many
  uint64_t go_on_share = 16;    // from one state in so many the fair continuation is tried; 0: none
  uint32_t twin_share = 4;      // one twin in so many is checked; 0: none
  bool progress = false;        // a line for each depth, on stderr
};

struct SearchResult {
  uint64_t states = 0;
  uint64_t steps = 0;      // from a state to another, known or new
  uint64_t beyond = 0;     // steps that lead out of the limits
  uint64_t continued = 0;  // states whose continuation was tried
  int depth = 0;           // every state at most this many steps away is explored
  bool whole = false;      // there is no other state within the limits
  std::string more;        // a line on what else was counted
  std::string finding;     // empty: none; otherwise what, and the way there
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_SEARCH_H_
