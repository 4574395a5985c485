// scheduled_sim: runs seeds of the deterministic simulation. Exit 1 on a finding.
//
//   scheduled_sim --seeds 1..1000 --jobs 2           a campaign
//   scheduled_sim --minutes 30 --random --json       one that ends by time, of fresh seeds
//   scheduled_sim --seed 17 --trace                  one seed again, a line for each state change
//   scheduled_sim --seed 17 --shrink                 the fewest of its faults that lead there
//   scheduled_sim --planted all                      each bug of the list, until it is found
//
// A campaign that counts is one of a release build, with each workload for itself:
//
//   scheduled_sim --workload log --seeds 1..50000 --jobs 2 --covered
//   scheduled_sim --workload jobs --seeds 1..5000 --jobs 2 --covered
//   scheduled_sim --workload jobs --nodes 1 --seeds 1..1000 --jobs 2 --covered
//
// It prints a progress line every ten seconds and each finding as it comes, with the seed; at its
// end the rates, how often each rare event happened, and with --covered a finding for each that
// never did (coverage.cc). The first findings are then made small, within --shrink-for seconds, and
// come with the command that replays what is left. What a seed draws and what is checked is
// described in fault_plan.h, raft_checks.h, level_checks.h, log_workload.h and job_history.h. A
// finding is replayed by its seed, workload and --nodes, in any build of the same sources and by
// either compiler (same_digest.sh).
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/random.h"
#include "base/runtime.h"
#include "sim/campaign.h"
#include "sim/coverage.h"
#include "sim/planted.h"
#include "sim/seed_run.h"
#include "sim/shrink.h"
#include "sim/small_findings.h"

namespace scheduled::sim {
namespace {

struct Arguments {
  CampaignOptions campaign;
  std::string seeds;
  std::string workload = "jobs";
  uint64_t seed = 0;
  uint64_t count = 0;
  bool random = false;
  bool json = false;
  bool twice = false;
  bool shrink = false;
  bool plan = false;
  bool covered = false;
  std::string planted;
  uint64_t lot = 0;
  double for_seconds = 30;
  std::optional<double> shrink_for;
  std::vector<size_t> keep;
  bool keep_none = false;
};

std::string JsonString(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string JsonList(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ",") + JsonString(text);
  return "[" + list + "]";
}

void PrintJson(const CampaignResult& result, const std::vector<std::string>& never,
               const std::vector<Shrunk>& small) {
  std::vector<std::string> reports;
  for (const CampaignFinding& finding : result.findings) reports.push_back(finding.report);
  std::string shrunk;
  for (const Shrunk& one : small) {
    shrunk += fmt::format(R"({}{{"command":{},"runs":{},"report":{}}})", shrunk.empty() ? "" : ",",
                          JsonString(ReplayOf(one)), one.runs, JsonString(one.report));
  }
  std::string probes;
  for (const auto& [name, count] : result.probes) {
    probes += fmt::format("{}{}:{}", probes.empty() ? "" : ",", JsonString(name), count);
  }
  fmt::print(
      "{{\"seeds\":{},\"events\":{},\"simulated_seconds\":{:.1f},\"real_seconds\":{:.1f},"
      "\"fewest_events\":{},\"committed\":{},\"elections\":{},\"counts\":{{{}}},\"never\":{},"
      "\"findings\":{},\"small\":[{}]}}\n",
      result.seeds, result.events, result.simulated_seconds, result.real_seconds,
      result.fewest_events, result.committed, result.elections, probes, JsonList(never),
      JsonList(reports), shrunk);
}

void PrintText(const CampaignResult& result, const std::vector<std::string>& never) {
  fmt::print("{} seeds in {:.1f} s: {:.2f} seeds/s, {:.0f} events/s, {:.0f} simulated s/s\n",
             result.seeds, result.real_seconds,
             static_cast<double>(result.seeds) / result.real_seconds,
             static_cast<double>(result.events) / result.real_seconds,
             result.simulated_seconds / result.real_seconds);
  fmt::print("{} entries committed, {} terms led, at least {} events a seed\n", result.committed,
             result.elections, result.fewest_events);
  for (const auto& [name, count] : result.probes) fmt::print("{:>12} {}\n", count, name);
  for (const std::string& each : never) fmt::print("       never {}\n", each);
  fmt::print("{} findings\n", result.findings.size());
}

int RunShrink(const Arguments& arguments) {
  const std::optional<Shrunk> shrunk = Shrink({.seed = arguments.campaign.seeds,
                                               .hang_seconds = arguments.campaign.hang_seconds,
                                               .most_seconds = arguments.shrink_for.value_or(0)});
  if (!shrunk) {
    fmt::print("seed {} has no finding\n", arguments.campaign.seeds.seed);
    return 0;
  }
  PrintSmall({*shrunk});
  return kFindingExit;
}

int RunOne(const SeedOptions& options, bool twice) {
  const auto report = [](const std::string& text) { fmt::print(stderr, "FINDING {}\n", text); };
  const SeedResult result = RunSeed(options, report);
  fmt::print(
      "seed {} nodes {}: {} events, {:.1f} simulated s, {} committed, {} terms led, "
      "digest {:016x}\n",
      options.seed, result.nodes, result.events, result.simulated_seconds, result.committed,
      result.elections, result.digest);
  if (!twice) return 0;
  const SeedResult again = RunSeed(options, report);
  if (again.digest == result.digest) return 0;
  fmt::print(stderr, "FINDING seed {}: another digest, {:016x}\n", options.seed, again.digest);
  return kFindingExit;
}

// Such a bug takes minutes.
constexpr uint64_t kMostSeedsOfLot = 100;

// As many bugs as fit into the time, in an order that each run draws anew.
int RunPlantedByLot(const Arguments& arguments) {
  const uint64_t lot =
      arguments.lot != 0 ? arguments.lot : MakeRuntime(nullptr)->Random() >> 32 | 1;
  fmt::print("the lot is {}\n", lot);
  std::vector<PlantedBug> bugs(PlantedBugs().begin(), PlantedBugs().end());
  std::erase_if(
      bugs, [](const PlantedBug& bug) { return bug.seeds == 0 || bug.seeds > kMostSeedsOfLot; });
  Random random(lot);
  for (size_t i = bugs.size(); i > 1; --i) std::swap(bugs[i - 1], bugs[random.Uniform(i)]);
  const auto start = std::chrono::steady_clock::now();
  size_t tried = 0;
  bool all_found = true;
  for (const PlantedBug& bug : bugs) {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (taken.count() > arguments.for_seconds) break;
    ++tried;
    all_found &= TryPlanted(bug, arguments.campaign);
  }
  fmt::print("{} of {} bugs were tried\n", tried, bugs.size());
  return all_found ? 0 : kFindingExit;
}

// With "list" prints the list; with "all" tries every bug. 1: one was not found.
int RunPlanted(const Arguments& arguments) {
  if (arguments.planted == "lot") return RunPlantedByLot(arguments);
  if (arguments.planted == "list") {
    for (const PlantedBug& bug : PlantedBugs()) {
      fmt::print("{:<30} fault {:>2}, {:>3} seeds of {}: {}\n", bug.name, bug.fault, bug.seeds,
                 bug.workload == WorkloadKind::kJobs ? "jobs" : "log", bug.what);
    }
    return 0;
  }
  bool all_found = true;
  for (const PlantedBug& bug : PlantedBugs()) all_found &= TryPlanted(bug, arguments.campaign);
  return all_found ? 0 : kFindingExit;
}

void AddOptions(CLI::App* app, Arguments* to) {
  CampaignOptions& campaign = to->campaign;
  app->add_option("--seeds", to->seeds, "first..last");
  app->add_flag("--random", to->random, "seeds that nobody has run, from a random first one");
  app->add_option("--count", to->count, "so many seeds");
  app->add_option("--seed", to->seed, "this seed alone, in this process");
  app->add_flag("--trace", campaign.seeds.trace, "with --seed: a line for each state change");
  app->add_flag("--trace-tasks", campaign.seeds.trace_tasks, "with --trace: and for each task");
  app->add_flag("--twice", to->twice, "with --seed: runs it twice and compares the digests");
  app->add_flag("--plan", to->plan, "with --seed: prints its faults and runs nothing");
  app->add_flag("--shrink", to->shrink, "with --seed: finds the fewest faults that still fail");
  app->add_option("--keep", to->keep, "with --seed: only the faults of these numbers")
      ->delimiter(',');
  app->add_flag("--keep-none", to->keep_none, "with --seed: none of its faults");
  app->add_option("--without", campaign.seeds.without, "with --seed: none of these traits")
      ->delimiter(',');
  app->add_option("--nodes", campaign.seeds.nodes, "of the group; 0: each seed draws, 3 to 5")
      ->check(CLI::Range(0, 7));
  app->add_option("--workload", to->workload)->check(CLI::IsMember({"log", "jobs"}));
  app->add_option("--jobs", campaign.jobs, "worker processes")->check(CLI::Range(1, 256));
  app->add_option("--minutes", campaign.minutes, "ends after so long");
  app->add_option("--twice-every", campaign.twice_every, "a seed of so many runs twice; 0: none");
  app->add_option("--findings", campaign.most_findings, "ends after so many");
  app->add_option("--hang", campaign.hang_seconds, "longest real time of one seed, seconds");
  app->add_option("--planted", to->planted,
                  "runs with this bug in the code; list: which there are; all: tries each; lot: "
                  "some of them, in an order drawn by lot");
  app->add_option("--lot", to->lot, "with --planted lot: the order; 0: another one each time");
  app->add_option("--for", to->for_seconds, "with --planted lot: begins no other after so long");
  app->add_option("--shrink-for", to->shrink_for,
                  "makes the first findings of a campaign small, within so many seconds; 0: not; "
                  "60, and with --planted 0, if it is not said");
  app->add_flag("--json", to->json, "prints the result as JSON");
  app->add_flag("--covered", to->covered, "an event that never happened is a finding");
}

// Which seeds a campaign runs.
void ChooseSeeds(Arguments* arguments) {
  CampaignOptions& campaign = arguments->campaign;
  if (!arguments->seeds.empty()) {
    const std::string& seeds = arguments->seeds;
    const size_t dots = seeds.find("..");
    campaign.first = std::stoull(seeds.substr(0, dots));
    campaign.last =
        dots == std::string::npos ? campaign.first : std::stoull(seeds.substr(dots + 2));
    return;
  }
  if (arguments->random) campaign.first = MakeRuntime(nullptr)->Random() >> 24;
  uint64_t count = arguments->count;
  if (count == 0 && campaign.minutes <= 0) count = 100;
  if (count > 0) campaign.last = campaign.first + count - 1;
  if (arguments->random) {
    fmt::print("seeds from {} on: --workload {} --nodes {}\n", campaign.first, arguments->workload,
               campaign.seeds.nodes);
    std::fflush(stdout);
  }
}

// A seed touches much memory for a short time: with huge pages for malloc a campaign is a quarter
// to a half faster, and glibc takes that from the environment alone, before main. Where it cannot
// be had, all goes on without it; digests are the same.
void BeginAgainWithHugePages(char** argv) {
  constexpr const char* kTunables = "GLIBC_TUNABLES";
  if (std::getenv(kTunables) != nullptr) return;
  setenv(kTunables, "glibc.malloc.hugetlb=1", 1);
  execv("/proc/self/exe", argv);
}

int Main(int argc, char** argv) {
  BeginAgainWithHugePages(argv);
  // What a seed has used the next one uses again: nothing goes back to the system in between.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  CLI::App app("Deterministic simulation of whole nodes");
  Arguments arguments;
  AddOptions(&app, &arguments);
  CLI11_PARSE(app, argc, argv);
  SeedOptions& seeds = arguments.campaign.seeds;
  seeds.workload = arguments.workload == "jobs" ? WorkloadKind::kJobs : WorkloadKind::kLog;
  if (!arguments.planted.empty()) {
    const PlantedBug* bug = FindPlanted(arguments.planted);
    const bool lists = arguments.planted == "list";
    const bool several = lists || arguments.planted == "all" || arguments.planted == "lot";
    if ((!lists && !CanPlant()) || (bug == nullptr && !several)) {
      fmt::print(stderr, "no such bug in this build; see --planted list\n");
      return 2;
    }
    if (bug == nullptr) return RunPlanted(arguments);
    Plant(bug->bug);
    seeds.workload = bug->workload;
    if (arguments.seed == 0 && arguments.seeds.empty()) arguments.count = bug->seeds;
  }
  for (const std::string& trait : seeds.without) {
    if (FaultPlan().LeaveOut(trait)) continue;
    fmt::print(stderr, "--without {}: there is no such trait; --plan shows a seed's\n", trait);
    return 2;
  }
  if (arguments.seed != 0) {
    seeds.seed = arguments.seed;
    if (!arguments.keep.empty() || arguments.keep_none) seeds.keep = arguments.keep;
    if (arguments.plan) {
      const FaultPlan plan = PlanOf(seeds);
      fmt::print("{}\ntraits: {}\n", plan.ToString(), fmt::join(plan.Traits(), ","));
      for (const FaultAction& action : plan.actions) fmt::print("  {}\n", ToString(action));
      return 0;
    }
    return arguments.shrink ? RunShrink(arguments) : RunOne(seeds, arguments.twice);
  }
  ChooseSeeds(&arguments);
  const CampaignResult result = RunCampaign(arguments.campaign);
  const std::vector<std::string> never = NeverHappened(result.probes, seeds);
  const double shrink_for = arguments.shrink_for.value_or(arguments.planted.empty() ? 60 : 0);
  const std::vector<Shrunk> small = MakeSmall(seeds, result.findings, shrink_for);
  arguments.json ? PrintJson(result, never, small) : PrintText(result, never);
  if (!arguments.json) PrintSmall(small);
  const bool found = !result.findings.empty() || (arguments.covered && !never.empty());
  return found ? kFindingExit : 0;
}

}  // namespace
}  // namespace scheduled::sim

int main(int argc, char** argv) { return scheduled::sim::Main(argc, argv); }
