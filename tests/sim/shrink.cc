// See shrink.h.
#include "sim/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "sim/campaign.h"

namespace scheduled::sim {
namespace {

// The report of the seed's finding; empty if it has none.
std::string ReportOf(const SeedOptions& seed, double hang_seconds) {
  const CampaignResult result = RunCampaign({.seeds = seed,
                                             .first = seed.seed,
                                             .last = seed.seed,
                                             .twice_every = 0,
                                             .hang_seconds = hang_seconds,
                                             .quiet = true});
  return result.findings.empty() ? "" : result.findings.front().report;
}

// When it was found, by the line of the nodes' state. Faults begin a little later than time does.
absl::Duration TimeOf(const std::string& report) {
  double seconds = 0;
  const size_t at = report.find("\ntime ");
  if (at == std::string::npos || std::sscanf(report.c_str() + at, "\ntime %lf s", &seconds) != 1) {
    return absl::InfiniteDuration();
  }
  return absl::Seconds(seconds);
}

// ---- Fewer and fewer

class Shrinker {
 public:
  explicit Shrinker(const ShrinkOptions& options) : options_(options), best_(options.seed) {}

  std::optional<Shrunk> Run() {
    report_ = ReportOf(best_, HangSeconds());
    if (report_.empty()) return std::nullopt;
    kind_ = KindOf(report_);
    const FaultPlan plan = PlanOf(best_);
    std::vector<size_t> all;
    for (const FaultAction& action : plan.actions) all.push_back(action.number);
    best_.keep = all;
    if (!options_.quiet) fmt::print(stderr, "{} faults lead to: {}\n", all.size(), kind_);
    LeaveOutLater(plan);
    TryWithoutAny();
    LeaveOutActions();
    for (const std::string_view trait : plan.Traits()) {
      SeedOptions fewer = best_;
      fewer.without.emplace_back(trait);
      Try(std::move(fewer));
    }
    LeaveOutActions();
    return Shrunk{best_, report_, runs_};
  }

 private:
  double SecondsLeft() const {
    if (options_.most_seconds <= 0) return options_.hang_seconds;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
    return options_.most_seconds - taken.count();
  }

  // That one run may take from now on.
  double HangSeconds() const { return std::min<double>(options_.hang_seconds, SecondsLeft()); }

  // True: the same finding comes up, and this is the best from now on.
  bool Try(SeedOptions fewer) {
    if (runs_ >= options_.most_runs || SecondsLeft() <= 0) return false;
    ++runs_;
    const std::string report = ReportOf(fewer, HangSeconds());
    if (report.empty() || KindOf(report) != kind_) return false;
    best_ = std::move(fewer);
    report_ = report;
    if (options_.quiet) return true;
    fmt::print(stderr, "run {}: {} faults and {} traits are left\n", runs_, best_.keep->size(),
               PlanOf(best_).Traits().size());
    return true;
  }

  // What was to come behind the finding has led to nothing.
  void LeaveOutLater(const FaultPlan& plan) {
    const absl::Duration found = TimeOf(report_);
    SeedOptions fewer = best_;
    for (const FaultAction& action : plan.actions) {
      if (action.at > found) std::erase(*fewer.keep, action.number);
    }
    Try(std::move(fewer));
  }

  void TryWithoutAny() {
    SeedOptions none = best_;
    none.keep = std::vector<size_t>();
    Try(std::move(none));
  }

  // Leaves out one chunk after the other, of half the size each time that none can go.
  void LeaveOutActions() {
    for (size_t chunk = (best_.keep->size() + 1) / 2; chunk > 0;) {
      bool less = false;
      for (size_t from = 0; from < best_.keep->size();) {
        SeedOptions fewer = best_;
        const auto begin = fewer.keep->begin() + static_cast<std::ptrdiff_t>(from);
        const size_t count = std::min(chunk, fewer.keep->size() - from);
        fewer.keep->erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        if (Try(std::move(fewer))) {
          less = true;
        } else {
          from += chunk;
        }
      }
      if (!less || chunk > best_.keep->size()) chunk /= 2;
    }
  }

  const ShrinkOptions options_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  SeedOptions best_;
  std::string kind_;
  std::string report_;
  int runs_ = 0;
};

}  // namespace

std::optional<Shrunk> Shrink(const ShrinkOptions& options) { return Shrinker(options).Run(); }

std::string KindOf(const std::string& report) {
  const std::string first = report.substr(0, report.find('\n'));
  const size_t seed_end = first.find(": ");
  std::string kind;
  for (const char c :
       std::string_view(first).substr(seed_end == std::string::npos ? 0 : seed_end + 2)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      kind += c;
    } else if (!kind.ends_with('#')) {
      kind += '#';
    }
  }
  return kind;
}

std::string CommandOf(const SeedOptions& seed) {
  std::string command = fmt::format(
      "--workload {} --seed {}", seed.workload == WorkloadKind::kJobs ? "jobs" : "log", seed.seed);
  if (seed.nodes != 0) command += fmt::format(" --nodes {}", seed.nodes);
  if (seed.keep && seed.keep->empty()) command += " --keep-none";
  if (seed.keep && !seed.keep->empty()) {
    command += fmt::format(" --keep {}", fmt::join(*seed.keep, ","));
  }
  if (!seed.without.empty()) command += fmt::format(" --without {}", fmt::join(seed.without, ","));
  return command;
}

}  // namespace scheduled::sim
