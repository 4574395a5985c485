// scheduled_sim: runs seeds of the deterministic simulation. Exit 1 on a finding.
//
//   scheduled_sim --seeds 1..1000 --jobs 2           a campaign
//   scheduled_sim --minutes 30 --nodes 1 --json      one that ends by time
//   scheduled_sim --seed 17 --trace                  one seed again, a line for each state change
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "sim/campaign.h"
#include "sim/seed_run.h"

namespace scheduled::sim {
namespace {

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

void PrintJson(const CampaignResult& result) {
  std::string probes, findings;
  for (const auto& [name, count] : result.probes) {
    probes += fmt::format("{}{}:{}", probes.empty() ? "" : ",", JsonString(name), count);
  }
  for (const std::string& finding : result.findings) {
    findings += (findings.empty() ? "" : ",") + JsonString(finding);
  }
  fmt::print(
      "{{\"seeds\":{},\"events\":{},\"simulated_seconds\":{:.1f},\"real_seconds\":{:.1f},"
      "\"committed\":{},\"elections\":{},\"probes\":{{{}}},\"findings\":[{}]}}\n",
      result.seeds, result.events, result.simulated_seconds, result.real_seconds, result.committed,
      result.elections, probes, findings);
}

void PrintText(const CampaignResult& result) {
  fmt::print("{} seeds in {:.1f} s: {:.2f} seeds/s, {:.0f} events/s, {:.0f} simulated s/s\n",
             result.seeds, result.real_seconds,
             static_cast<double>(result.seeds) / result.real_seconds,
             static_cast<double>(result.events) / result.real_seconds,
             result.simulated_seconds / result.real_seconds);
  fmt::print("{} entries committed, {} terms led\n", result.committed, result.elections);
  for (const auto& [name, count] : result.probes) fmt::print("probe {} {}\n", name, count);
  fmt::print("{} findings\n", result.findings.size());
}

int RunOne(const SeedOptions& options, bool twice) {
  const auto report = [](const std::string& text) { fmt::print(stderr, "FINDING {}\n", text); };
  const SeedResult result = RunSeed(options, report);
  fmt::print(
      "seed {} nodes {}: {} events, {:.1f} simulated s, {} committed, {} terms led, "
      "digest {:016x}\n",
      options.seed, options.nodes, result.events, result.simulated_seconds, result.committed,
      result.elections, result.digest);
  if (!twice) return 0;
  const SeedResult again = RunSeed(options, report);
  if (again.digest == result.digest) return 0;
  fmt::print(stderr, "FINDING seed {}: another digest, {:016x}\n", options.seed, again.digest);
  return kFindingExit;
}

int Main(int argc, char** argv) {
  CLI::App app("Deterministic simulation of whole nodes");
  CampaignOptions options;
  std::string seeds, workload = "log";
  uint64_t seed = 0;
  bool json = false, twice = false;
  app.add_option("--seeds", seeds, "first..last");
  app.add_option("--seed", seed, "this seed alone, in this process");
  app.add_flag("--trace", options.seeds.trace, "with --seed: a line for each state change");
  app.add_flag("--trace-tasks", options.seeds.trace_tasks, "with --trace: and for each task");
  app.add_flag("--twice", twice, "with --seed: runs it twice and compares the digests");
  app.add_option("--nodes", options.seeds.nodes, "of the group")->check(CLI::IsMember({1, 3}));
  app.add_option("--workload", workload)->check(CLI::IsMember({"log", "jobs"}));
  app.add_option("--jobs", options.jobs, "worker processes")->check(CLI::Range(1, 256));
  app.add_option("--minutes", options.minutes, "ends after so long");
  app.add_option("--twice-every", options.twice_every, "a seed of so many runs twice; 0: none");
  app.add_option("--findings", options.most_findings, "ends after so many");
  app.add_option("--hang", options.hang_seconds, "longest real time of one seed, seconds");
  app.add_flag("--json", json, "prints the result as JSON");
  CLI11_PARSE(app, argc, argv);
  options.seeds.workload = workload == "jobs" ? WorkloadKind::kJobs : WorkloadKind::kLog;
  if (seed != 0) {
    options.seeds.seed = seed;
    return RunOne(options.seeds, twice);
  }
  if (!seeds.empty()) {
    const size_t dots = seeds.find("..");
    options.first = std::stoull(seeds.substr(0, dots));
    options.last = dots == std::string::npos ? options.first : std::stoull(seeds.substr(dots + 2));
  } else if (options.minutes <= 0) {
    options.last = 100;
  }
  const CampaignResult result = RunCampaign(options);
  json ? PrintJson(result) : PrintText(result);
  return result.findings.empty() ? 0 : kFindingExit;
}

}  // namespace
}  // namespace scheduled::sim

int main(int argc, char** argv) { return scheduled::sim::Main(argc, argv); }
