// See small_findings.h.
#include "sim/small_findings.h"

#include <fmt/format.h>

#include <cstdio>
#include <set>
#include <utility>

#include "base/planted.h"
#include "sim/planted.h"

namespace scheduled::sim {
namespace {

constexpr size_t kMostSmall = 2;

std::vector<uint64_t> FirstOfKinds(const std::vector<CampaignFinding>& findings) {
  std::vector<uint64_t> seeds;
  std::set<std::string> kinds;
  for (const CampaignFinding& finding : findings) {
    if (seeds.size() == kMostSmall) break;
    if (kinds.insert(KindOf(finding.report)).second) seeds.push_back(finding.seed);
  }
  return seeds;
}

}  // namespace

std::vector<Shrunk> MakeSmall(const SeedOptions& seeds,
                              const std::vector<CampaignFinding>& findings, double seconds) {
  std::vector<Shrunk> small;
  if (seconds <= 0) return small;
  const std::vector<uint64_t> firsts = FirstOfKinds(findings);
  for (const uint64_t seed : firsts) {
    ShrinkOptions options{.seed = seeds, .quiet = true};
    options.seed.seed = seed;
    options.most_seconds = seconds / static_cast<double>(firsts.size());
    if (std::optional<Shrunk> one = Shrink(options)) small.push_back(*std::move(one));
  }
  return small;
}

std::string ReplayOf(const Shrunk& small) {
  std::string planted;
  for (const PlantedBug& bug : PlantedBugs()) {
    if (IsPlanted(bug.bug)) planted = fmt::format(" --planted {}", bug.name);
  }
  return fmt::format("scheduled_sim {}{} --trace", CommandOf(small.seed), planted);
}

void PrintSmall(const std::vector<Shrunk>& small) {
  for (const Shrunk& one : small) {
    fmt::print("{}", one.report);
    for (const FaultAction& action : PlanOf(one.seed).actions) {
      fmt::print("  {}\n", ToString(action));
    }
    fmt::print("small after {} runs: {}\n", one.runs, ReplayOf(one));
  }
}

}  // namespace scheduled::sim
