// See faults.h.
#include "sim/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace scheduled::sim {
namespace {

constexpr std::array<std::string_view, kFaultKinds> kNames = {
    "partition",  "clog",      "reset",      "pause", "crash",   "crash-all",
    "stall-sync", "fail-sync", "step-clock", "drift", "transfer"};

// The clock bounds that a cluster is promised to bear: see NodeOptions::max_clock_skew, and the
// drift bound of leases.
constexpr absl::Duration kBearableStep = absl::Milliseconds(100);
constexpr absl::Duration kMadStep = absl::Seconds(30);

}  // namespace

FaultPlan FaultPlan::Draw(Random* random, int nodes) {
  FaultPlan plan;
  // A tenth of the seeds has a calm world, where everything must be quick and nothing twice.
  const bool calm = random->Chance(1, 10);
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const absl::Duration most = random->Between(absl::Milliseconds(400), absl::Seconds(15));
    const absl::Duration every = random->Between(absl::Milliseconds(200), most);
    if (!calm && random->Chance(1, 3)) plan.every[kind] = every;
  }
  if (nodes == 1) {
    for (FaultKind kind :
         {FaultKind::kPartition, FaultKind::kClog, FaultKind::kReset, FaultKind::kTransfer}) {
      plan.every[static_cast<int>(kind)] = absl::ZeroDuration();
    }
  }
  const std::array<absl::Duration, 4> longest = {absl::Milliseconds(300), absl::Seconds(1),
                                                 absl::Seconds(4), absl::Seconds(10)};
  plan.longest = longest[random->Uniform(longest.size())];
  plan.mad_clocks = random->Chance(1, 3);
  plan.calm = calm;
  if (calm) return plan;

  const auto rate = [random](uint64_t most) {
    return random->Chance(1, 3) ? static_cast<uint32_t>(random->Uniform(most)) : 0;
  };
  plan.weather.lost = rate(2'000);
  plan.weather.doubled = rate(2'000);
  plan.weather.slow = rate(500);
  plan.weather.reordered = rate(2'000);
  if (random->Chance(1, 4)) plan.weather.delay_high = absl::Milliseconds(20);
  if (random->Chance(1, 4)) plan.weather.slow_by = absl::Milliseconds(900);
  if (random->Chance(1, 2)) {
    plan.pace.task_cost = absl::Microseconds(static_cast<int64_t>(random->Uniform(50)));
    plan.pace.stall_per_mille = rate(100);
    plan.pace.stall_max = absl::Milliseconds(static_cast<int64_t>(1 + random->Uniform(20)));
  }
  if (random->Chance(1, 4)) plan.sync_high = absl::Milliseconds(20);
  return plan;
}

std::string FaultPlan::ToString() const {
  std::string text;
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    if (every[kind] == absl::ZeroDuration()) continue;
    text += fmt::format("{} every {:.1f} s, ", kNames[kind], absl::ToDoubleSeconds(every[kind]));
  }
  return text + fmt::format(
                    "lasting up to {:.1f} s{}; of 10,000 frames {} lost, {} doubled, {} slow, {} "
                    "reordered by {} ms, delay up to {} us; tasks {} us, {} per mille stalled by "
                    "{} ms; syncs up to {} us",
                    absl::ToDoubleSeconds(longest), mad_clocks ? ", mad clocks" : "", weather.lost,
                    weather.doubled, weather.slow, weather.reordered,
                    absl::ToInt64Milliseconds(weather.slow_by),
                    absl::ToInt64Microseconds(weather.delay_high),
                    absl::ToInt64Microseconds(pace.task_cost), pace.stall_per_mille,
                    absl::ToInt64Milliseconds(pace.stall_max),
                    absl::ToInt64Microseconds(sync_high));
}

Faults::Faults(World* world, FaultPlan plan)
    : world_(*world), plan_(std::move(plan)), random_(world->random().Fork()) {}

void Faults::Note(std::string_view what) { world_.Trace("fault", what); }

void Faults::Prepare() {
  const Weather& weather = plan_.weather;
  world_.network().SetWeather(weather);
  const bool slow = weather.slow_by > absl::Milliseconds(500) &&
                    (weather.slow > 0 || weather.reordered > 0 || weather.doubled > 0);
  world_.SetHarshWeather(
      weather.lost > 0 || slow || plan_.pace.stall_per_mille > 0,
      plan_.pace.stall_per_mille > 0 || plan_.pace.task_cost > absl::ZeroDuration());
  for (int i = 0; i < world_.size(); ++i) {
    world_.machine(i).runtime->SetPace(plan_.pace);
    world_.machine(i).sync->SetPace(plan_.sync_low, plan_.sync_high);
  }
}

void Faults::Begin() {
  for (int kind = 0; kind < kFaultKinds; ++kind) Arm(static_cast<FaultKind>(kind));
  WatchFailed();
}

void Faults::Arm(FaultKind kind) {
  if (!plan_.Has(kind)) return;
  const absl::Duration every = plan_.every[static_cast<int>(kind)];
  world_.After(random_.Between(absl::Milliseconds(1), 2 * every), [this, kind] {
    if (over_) return;
    Do(kind);
    Arm(kind);
  });
}

int Faults::Any() { return static_cast<int>(random_.Uniform(world_.size())); }

int Faults::AnyOther(int than) {
  const int other = static_cast<int>(random_.Uniform(world_.size() - 1));
  return other < than ? other : other + 1;
}

absl::Duration Faults::Lasting() { return random_.Between(absl::Milliseconds(1), plan_.longest); }

void Faults::Later(Task task) {
  world_.After(Lasting(), [this, task = std::move(task)]() mutable {
    if (!over_) std::move(task)();
  });
}

void Faults::Do(FaultKind kind) {
  const int machine = Any();
  Machine& it = world_.machine(machine);
  switch (kind) {
    case FaultKind::kPartition:
      return DoPartition();
    case FaultKind::kClog:
      return DoClog();
    case FaultKind::kReset:
      Note("connection reset");
      return world_.network().Reset(machine, AnyOther(machine));
    case FaultKind::kPause:
      return Soon(machine, [this, machine] { DoPause(machine); });
    case FaultKind::kCrash:
      return Soon(machine, [this, machine] { DoCrash(machine); });
    case FaultKind::kCrashAll:
      for (int i = 0; i < world_.size(); ++i) DoCrash(i);
      return;
    case FaultKind::kStallSync:
      Note(fmt::format("stalls a sync of {}", it.id.value));
      return it.sync->StallNext(Lasting());
    case FaultKind::kFailSync:
      Note(fmt::format("fails a sync of {}", it.id.value));
      return it.sync->FailNext();
    case FaultKind::kStepClock: {
      const absl::Duration most = plan_.mad_clocks ? kMadStep : kBearableStep;
      // Always near the truth, which no number of steps leaves behind.
      const absl::Duration by =
          random_.Between(-most, most) + (world_.loop().WallNow() - it.runtime->clock().WallNow());
      Note(
          fmt::format("steps the clock of {} by {:.3f} s", it.id.value, absl::ToDoubleSeconds(by)));
      world_.BeforeClockMove(machine);
      return it.runtime->StepWall(by);
    }
    case FaultKind::kDrift:
      return DoDrift(machine);
    case FaultKind::kTransfer:
      return DoTransfer();
  }
}

void Faults::DoPartition() {
  const int machine = Any();
  const int other = AnyOther(machine);
  const bool in = random_.Chance(2, 3);
  const bool out = !in || random_.Chance(2, 3);
  const bool all = random_.Chance(1, 2);
  Note(fmt::format("cuts {} off from {}: {}{}", world_.machine(machine).id.value,
                   all ? "all" : world_.machine(other).id.value, in ? "in " : "",
                   out ? "out" : ""));
  const auto set = [this, machine, other, in, out, all](bool cut) {
    for (int i = 0; i < world_.size(); ++i) {
      if (i == machine || (!all && i != other)) continue;
      if (in) world_.network().Cut(i, machine, cut);
      if (out) world_.network().Cut(machine, i, cut);
    }
  };
  set(true);
  world_.BeginHarm();
  Later([this, set] {
    Note("a cut heals");
    world_.EndHarm();
    set(false);
  });
}

void Faults::DoClog() {
  const int from = Any();
  const int to = AnyOther(from);
  const auto frame_class = static_cast<FrameClass>(1 + random_.Uniform(SimNetwork::kClasses));
  Note(fmt::format("clogs class {} from {} to {}", static_cast<int>(frame_class),
                   world_.machine(from).id.value, world_.machine(to).id.value));
  const absl::Duration lasting = Lasting();
  world_.network().Clog(from, to, frame_class, world_.now() + lasting);
  world_.BeginHarm();
  world_.After(lasting, [this] {
    if (!over_) world_.EndHarm();
  });
}

void Faults::Soon(int machine, Task act) {
  static constexpr std::array<std::string_view, 6> kLanes = {"dispatch", "dispatch", "raft",
                                                             "log",      "apply",    "executor"};
  if (random_.Chance(1, 3)) return std::move(act)();
  const std::string lane(kLanes[random_.Uniform(kLanes.size())]);
  world_.Behind(machine, lane, static_cast<int>(1 + random_.Uniform(50)),
                [this, act = std::move(act)]() mutable {
                  if (!over_) std::move(act)();
                });
}

void Faults::DoPause(int machine) {
  world_.BeginHarm();
  world_.Pause(machine);
  Later([this, machine] {
    world_.EndHarm();
    world_.Resume(machine);
  });
}

void Faults::DoCrash(int machine) {
  world_.BeginHarm();
  world_.Crash(machine);
  Later([this, machine] {
    world_.EndHarm();
    world_.Boot(machine);
  });
}

void Faults::DoDrift(int machine) {
  // Lease arithmetic bears one percent; wall clocks may be worse.
  const int64_t mono = random_.Between(int64_t{-9}, int64_t{9});
  const int64_t wall = plan_.mad_clocks ? random_.Between(int64_t{-50}, int64_t{50}) : mono;
  Note(fmt::format("{}: clocks drift by {} and {} per mille", world_.machine(machine).id.value,
                   mono, wall));
  world_.BeforeClockMove(machine);
  world_.machine(machine).runtime->SetMonoRate({1000 + mono, 1000});
  world_.machine(machine).runtime->SetWallRate({1000 + wall, 1000});
}

void Faults::DoTransfer() {
  const int leader = world_.Leader();
  const int asked = leader < 0 || random_.Chance(1, 10) ? Any() : leader;
  Machine& machine = world_.machine(asked);
  if (!machine.up()) return;
  std::optional<NodeId> to;
  if (random_.Chance(1, 2)) to = world_.machine(Any()).id;
  Note(fmt::format("asks {} to hand over to {}", machine.id.value, to ? to->value : "anybody"));
  machine.member->raft().Transfer(to, [](absl::Status) {});
}

// A node whose disk failed stops; somebody starts it again.
void Faults::WatchFailed() {
  world_.After(absl::Milliseconds(500), [this] {
    if (over_) return;
    for (int i = 0; i < world_.size(); ++i) {
      Machine& machine = world_.machine(i);
      if (machine.log->failed() || machine.tables->failed()) DoCrash(i);
    }
    WatchFailed();
  });
}

void Faults::Heal() {
  over_ = true;
  Note("everything heals");
  world_.AllHealed();
  world_.network().Heal();
  world_.network().SetWeather({});
  for (int i = 0; i < world_.size(); ++i) {
    Machine& machine = world_.machine(i);
    machine.sync->Heal();
    machine.sync->SetPace(absl::Microseconds(100), absl::Milliseconds(1));
    machine.runtime->SetPace({});
    if (world_.clocks_were_moved()) {
      world_.BeforeClockMove(i);
      machine.runtime->SetMonoRate({});
      machine.runtime->SetWallRate({});
      machine.runtime->SetWallTime(world_.loop().WallNow() +
                                   random_.Between(absl::ZeroDuration(), absl::Milliseconds(20)));
    }
    world_.Resume(i);
    if (machine.log->failed() || machine.tables->failed()) world_.Crash(i);
    if (!machine.up() && machine.boot_lane != nullptr) world_.Crash(i);
    world_.Boot(i);
  }
}

}  // namespace scheduled::sim
