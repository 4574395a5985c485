// Many seeds, spread over worker processes: a finding, a crash or a hang ends one process and is
// reported with its seed, and another goes on behind it. Processes and not threads, since the
// hooks for assertions and probes are a process's own. Uses real time for its progress only.
#ifndef SCHEDULED_TESTS_SIM_CAMPAIGN_H_
#define SCHEDULED_TESTS_SIM_CAMPAIGN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/seed_run.h"

namespace scheduled::sim {

struct CampaignOptions {
  SeedOptions seeds;   // but the seed itself
  uint64_t first = 1;  // seeds first .. last
  uint64_t last = UINT64_MAX;
  int jobs = 1;
  double minutes = 0;           // 0: until `last`
  uint64_t twice_every = 20;    // a seed of so many runs twice and must end in the same digest
  uint64_t most_findings = 20;  // then it gives up
  double hang_seconds = 120;    // a seed that takes longer is a finding
  bool quiet = false;           // prints nothing
};

struct CampaignFinding {
  uint64_t seed = 0;
  std::string report;
};

struct CampaignResult {
  uint64_t seeds = 0;
  uint64_t events = 0;
  uint64_t fewest_events = UINT64_MAX;  // of one seed
  double simulated_seconds = 0;
  double real_seconds = 0;
  uint64_t committed = 0;
  uint64_t elections = 0;
  std::map<std::string, uint64_t> probes;
  std::vector<CampaignFinding> findings;  // in the order in which they came
};

// Prints a progress line now and then, and each finding as it comes, to stderr.
CampaignResult RunCampaign(const CampaignOptions& options);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_CAMPAIGN_H_
