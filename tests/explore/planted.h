// The bugs that the explorer is tried on (base/planted.h): the set that shows each, and within how
// many states. One that is not found shows that an action or a check is missing.
#ifndef SCHEDULED_TESTS_EXPLORE_PLANTED_H_
#define SCHEDULED_TESTS_EXPLORE_PLANTED_H_

#include <cstdint>
#include <span>

#include "base/planted.h"

namespace scheduled::explore {

struct PlantedBug {
  Bug bug = Bug::kNone;
  const char* name = "";
  const char* set = "";
  uint64_t states = 0;
  const char* what = "";
};

std::span<const PlantedBug> PlantedBugs();

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_PLANTED_H_
