// The rare events that a campaign must have seen to be worth its time, each counted by a probe of
// that name: in the product where something rare is decided, in the simulator where something is
// done to a node or is seen of it. What stays at zero is told, with the reason where there is one.
#ifndef SCHEDULED_TESTS_SIM_COVERAGE_H_
#define SCHEDULED_TESTS_SIM_COVERAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/seed_run.h"

namespace scheduled::sim {

// A sentence for each event that must happen and did not.
std::vector<std::string> NeverHappened(const std::map<std::string, uint64_t>& probes,
                                       const SeedOptions& options);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_COVERAGE_H_
