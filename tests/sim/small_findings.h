// What a campaign found, made small by itself: the first findings of different kinds, each shrunk
// (shrink.h) as far as the time that there is for it goes.
#ifndef SCHEDULED_TESTS_SIM_SMALL_FINDINGS_H_
#define SCHEDULED_TESTS_SIM_SMALL_FINDINGS_H_

#include <string>
#include <vector>

#include "sim/campaign.h"
#include "sim/shrink.h"

namespace scheduled::sim {

// The first findings of at most two kinds, of `seconds` of real time together. Without those that
// do not come up again within that: a hang, or two runs that differ.
std::vector<Shrunk> MakeSmall(const SeedOptions& seeds,
                              const std::vector<CampaignFinding>& findings, double seconds);

// The command that replays it.
std::string ReplayOf(const Shrunk& small);
// The report, the faults that are left, and the command.
void PrintSmall(const std::vector<Shrunk>& small);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SMALL_FINDINGS_H_
