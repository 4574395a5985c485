// See fault_plan.h.
#include "sim/fault_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace scheduled::sim {
namespace {

constexpr std::array<const char*, kFaultKinds> kFaultNames = {
    "fault.cut-off",   "fault.split",     "fault.mute",       "fault.clog",       "fault.reset",
    "fault.pause",     "fault.crash",     "fault.crash-all",  "fault.stall-sync", "fault.fail-sync",
    "fault.fail-read", "fault.full-disk", "fault.step-clock", "fault.drift",      "fault.transfer",
    "fault.wipe-disk", "fault.members",   "fault.upgrade"};

constexpr std::array kBetweenMachines = {
    FaultKind::kCutOff, FaultKind::kSplit,    FaultKind::kMute,     FaultKind::kClog,
    FaultKind::kReset,  FaultKind::kTransfer, FaultKind::kWipeDisk, FaultKind::kMembers};

void DrawActions(FaultPlan* plan, Random* random, FaultKind kind, absl::Duration every,
                 absl::Duration longest, absl::Duration length) {
  absl::Duration at = random->Between(absl::Milliseconds(1), 2 * every);
  for (; at < length; at += random->Between(absl::Milliseconds(1), 2 * every)) {
    plan->actions.push_back({.at = at,
                             .kind = kind,
                             .lasting = random->Between(absl::Milliseconds(1), longest),
                             .seed = random->Next()});
  }
}

void SortByTime(std::vector<FaultAction>* actions) {
  std::stable_sort(actions->begin(), actions->end(),
                   [](const FaultAction& a, const FaultAction& b) { return a.at < b.at; });
}

void DrawTraits(FaultPlan* plan, Random* random) {
  const auto rate = [random](uint64_t most) {
    return random->Chance(1, 3) ? static_cast<uint32_t>(random->Uniform(most)) : 0;
  };
  plan->weather.lost = rate(2'000);
  plan->weather.doubled = rate(2'000);
  plan->weather.slow = rate(500);
  plan->weather.reordered = rate(2'000);
  if (random->Chance(1, 4)) plan->weather.delay_high = absl::Milliseconds(20);
  if (random->Chance(1, 4)) plan->weather.slow_by = absl::Milliseconds(900);
  if (random->Chance(1, 2)) {
    plan->pace.task_cost = absl::Microseconds(static_cast<int64_t>(random->Uniform(50)));
    plan->pace.stall_per_mille = rate(100);
    plan->pace.stall_max = absl::Milliseconds(static_cast<int64_t>(1 + random->Uniform(20)));
  }
  if (random->Chance(1, 4)) plan->sync_high = absl::Milliseconds(20);
}

// What is wrong all the time.
struct Trait {
  std::string_view name;
  bool (*is_on)(const FaultPlan& plan);
  void (*turn_off)(FaultPlan* plan);
};

constexpr Trait kTraits[] = {
    {"lost", [](const FaultPlan& plan) { return plan.weather.lost > 0; },
     [](FaultPlan* plan) { plan->weather.lost = 0; }},
    {"doubled", [](const FaultPlan& plan) { return plan.weather.doubled > 0; },
     [](FaultPlan* plan) { plan->weather.doubled = 0; }},
    {"slow", [](const FaultPlan& plan) { return plan.weather.slow > 0; },
     [](FaultPlan* plan) { plan->weather.slow = 0; }},
    {"reordered", [](const FaultPlan& plan) { return plan.weather.reordered > 0; },
     [](FaultPlan* plan) { plan->weather.reordered = 0; }},
    {"delay", [](const FaultPlan& plan) { return plan.weather.delay_high != Weather().delay_high; },
     [](FaultPlan* plan) { plan->weather.delay_high = Weather().delay_high; }},
    {"task-cost", [](const FaultPlan& plan) { return plan.pace.task_cost > absl::ZeroDuration(); },
     [](FaultPlan* plan) { plan->pace.task_cost = absl::ZeroDuration(); }},
    {"lane-stalls", [](const FaultPlan& plan) { return plan.pace.stall_per_mille > 0; },
     [](FaultPlan* plan) { plan->pace.stall_per_mille = 0; }},
    {"slow-syncs", [](const FaultPlan& plan) { return plan.sync_high != FaultPlan().sync_high; },
     [](FaultPlan* plan) { plan->sync_high = FaultPlan().sync_high; }},
    {"core-first", [](const FaultPlan& plan) { return plan.core_first; },
     [](FaultPlan* plan) { plan->core_first = false; }},
    {"mad-clocks", [](const FaultPlan& plan) { return plan.mad_clocks; },
     [](FaultPlan* plan) { plan->mad_clocks = false; }},
    {"at-leader", [](const FaultPlan& plan) { return plan.at_leader > 0; },
     [](FaultPlan* plan) { plan->at_leader = 0; }},
};

}  // namespace

const char* FaultName(FaultKind kind) { return kFaultNames[static_cast<size_t>(kind)]; }

bool IsBetweenMachines(FaultKind kind) {
  return std::count(kBetweenMachines.begin(), kBetweenMachines.end(), kind) > 0;
}

FaultPlan FaultPlan::Draw(Random* random, int nodes, bool members, absl::Duration length) {
  FaultPlan plan;
  // A tenth of the seeds has a calm world, where everything must be quick and nothing twice.
  plan.calm = random->Chance(1, 10);
  const std::array<absl::Duration, 4> lengths = {absl::Milliseconds(300), absl::Seconds(1),
                                                 absl::Seconds(4), absl::Seconds(10)};
  const absl::Duration longest = lengths[random->Uniform(lengths.size())];
  // Two kinds that meet often find what many at once would hide.
  constexpr std::array<uint64_t, 3> kOfEight = {1, 2, 4};
  const uint64_t density = kOfEight[random->Uniform(kOfEight.size())];
  for (size_t i = 0; i < static_cast<size_t>(FaultKind::kUpgrade); ++i) {
    const auto kind = static_cast<FaultKind>(i);
    Random own = random->Fork();
    const absl::Duration most = own.Between(absl::Milliseconds(400), absl::Seconds(15));
    const absl::Duration every = own.Between(absl::Milliseconds(200), most);
    const bool exists = own.Chance(density, 8);
    if (!exists || plan.calm || (nodes == 1 && IsBetweenMachines(kind))) continue;
    if (kind == FaultKind::kMembers && !members) continue;
    DrawActions(&plan, &own, kind, every, longest, length);
  }
  SortByTime(&plan.actions);
  for (size_t i = 0; i < plan.actions.size(); ++i) plan.actions[i].number = i;
  constexpr std::array<uint32_t, 3> kAtLeader = {0, 30, 80};
  plan.at_leader = kAtLeader[random->Uniform(kAtLeader.size())];
  plan.mad_clocks = random->Chance(1, 3);
  plan.core_first = nodes > 1 && !plan.calm && random->Chance(1, 2);
  if (!plan.calm) DrawTraits(&plan, random);
  return plan;
}

void FaultPlan::DrawUpgrade(Random* random, absl::Duration length) {
  if (calm || !random->Chance(1, 3)) return;
  // Some are done long before the faults are over, some are in the middle of it then.
  const absl::Duration every = random->Between(absl::Milliseconds(500), absl::Seconds(15));
  const size_t before = actions.size();
  DrawActions(this, random, FaultKind::kUpgrade, every, absl::Seconds(4), length);
  for (size_t i = before; i < actions.size(); ++i) actions[i].number = i;
  SortByTime(&actions);
}

void FaultPlan::Keep(const std::vector<size_t>& numbers) {
  std::erase_if(actions, [&](const FaultAction& action) {
    return std::find(numbers.begin(), numbers.end(), action.number) == numbers.end();
  });
}

std::vector<std::string_view> FaultPlan::Traits() const {
  std::vector<std::string_view> traits;
  for (const Trait& trait : kTraits) {
    if (trait.is_on(*this)) traits.push_back(trait.name);
  }
  return traits;
}

bool FaultPlan::LeaveOut(std::string_view trait) {
  const auto* const known = std::find_if(std::begin(kTraits), std::end(kTraits),
                                         [trait](const Trait& each) { return each.name == trait; });
  if (known == std::end(kTraits)) return false;
  known->turn_off(this);
  return true;
}

std::string ToString(const FaultAction& action) {
  return fmt::format("{}: {} at {:.6f} s for {:.6f} s", action.number,
                     std::string_view(FaultName(action.kind)).substr(6),
                     absl::ToDoubleSeconds(action.at), absl::ToDoubleSeconds(action.lasting));
}

std::string FaultPlan::ToString() const {
  std::map<std::string_view, int> counts;
  for (const FaultAction& action : actions) ++counts[FaultName(action.kind)];
  std::string text;
  for (const auto& [name, count] : counts) text += fmt::format("{} {}, ", count, name.substr(6));
  if (calm) return "none";
  return text + fmt::format(
                    "{} % at the leader{}{}; of 10,000 frames {} lost, {} doubled, {} slow, {} "
                    "reordered by {} ms, delay up to {} us; tasks {} us, {} per mille stalled by "
                    "{} ms; syncs up to {} us",
                    at_leader, mad_clocks ? ", mad clocks" : "",
                    core_first ? ", a core heals first" : "", weather.lost, weather.doubled,
                    weather.slow, weather.reordered, absl::ToInt64Milliseconds(weather.slow_by),
                    absl::ToInt64Microseconds(weather.delay_high),
                    absl::ToInt64Microseconds(pace.task_cost), pace.stall_per_mille,
                    absl::ToInt64Milliseconds(pace.stall_max),
                    absl::ToInt64Microseconds(sync_high));
}

}  // namespace scheduled::sim
