// The bugs that the simulator is tried on (base/planted.h), by name: what each gets wrong, which
// workload is to find it, and within how many seeds. One that is not found shows that a fault or a
// checker is missing.
#ifndef SCHEDULED_TESTS_SIM_PLANTED_H_
#define SCHEDULED_TESTS_SIM_PLANTED_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/planted.h"
#include "sim/campaign.h"

namespace scheduled::sim {

struct PlantedBug {
  Bug bug = Bug::kNone;
  const char* name = "";
  int fault = 0;  // of the list of faults seen in other implementations; 0: beside it
  WorkloadKind workload = WorkloadKind::kJobs;
  // From 1 on; it is found by one of them. 0: not found yet, by as many as were tried.
  uint64_t seeds = 0;
  const char* what = "";
};

std::span<const PlantedBug> PlantedBugs();
const PlantedBug* FindPlanted(std::string_view name);

// Runs the bug's seeds until the first finding. Prints a line. False if it was not found, and
// the list says that it is.
bool TryPlanted(const PlantedBug& bug, const CampaignOptions& options);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_PLANTED_H_
