// One seed from its first boot to its last check: a world, a workload and faults that are drawn
// from it. First anything may go wrong and nothing wrong may be seen (safety). Then, in some seeds,
// a majority heals while what is wrong outside of it stays, and in all of them everything heals;
// each time all must come to its end in time (liveness).
#ifndef SCHEDULED_TESTS_SIM_SEED_RUN_H_
#define SCHEDULED_TESTS_SIM_SEED_RUN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/fault_plan.h"

namespace scheduled::sim {

// What a process that had a finding ends with.
inline constexpr int kFindingExit = 1;

enum class WorkloadKind : uint8_t { kLog, kJobs };

struct SeedOptions {
  uint64_t seed = 1;
  int nodes = 0;  // 0: drawn, three to five
  WorkloadKind workload = WorkloadKind::kLog;
  bool trace = false;
  bool trace_tasks = false;
  // To replay a part of what the seed draws: the numbers of the fault actions that are left, and
  // the traits that are left out.
  std::optional<std::vector<size_t>> keep;
  std::vector<std::string> without;
};

struct SeedResult {
  int nodes = 0;
  uint64_t events = 0;
  double simulated_seconds = 0;
  uint64_t digest = 0;
  uint64_t committed = 0;
  uint64_t elections = 0;
};

// The faults that a seed draws, or what `options` leaves of them.
FaultPlan PlanOf(const SeedOptions& options);

// Returns only if nothing was found; a finding goes to the handler of finding.h, which this sets
// to one that adds the state of the nodes, hands the whole report to `report` and ends the process.
SeedResult RunSeed(const SeedOptions& options, void (*report)(const std::string&));

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SEED_RUN_H_
