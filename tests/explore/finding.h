// Something that must not be: thrown where it is seen, caught by the search, which knows the way
// there and prints it.
#ifndef SCHEDULED_TESTS_EXPLORE_FINDING_H_
#define SCHEDULED_TESTS_EXPLORE_FINDING_H_

#include <string>
#include <utility>

namespace scheduled::explore {

struct Finding {
  std::string what;
};

inline void Require(bool holds, const char* what) {
  if (!holds) throw Finding{what};
}

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_FINDING_H_
