// See faults.h.
#include "sim/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "sim/frame_types.h"

namespace scheduled::sim {
namespace {

// The clock bounds that a cluster is promised to bear: see NodeOptions::max_clock_skew, and the
// drift bound of leases.
constexpr absl::Duration kBearableStep = absl::Milliseconds(100);
constexpr absl::Duration kMadStep = absl::Seconds(30);
// A node whose disk failed is started again after so long.
constexpr absl::Duration kRestartAfter = absl::Milliseconds(300);
constexpr absl::Duration kAtOnce = absl::Milliseconds(120);
// Whoever took a machine back to the older program goes on with the last one not before this.
constexpr absl::Duration kKnownBack = absl::Seconds(15);

}  // namespace

Faults::Faults(World* world, FaultPlan plan)
    : world_(*world),
      plan_(std::move(plan)),
      random_(world->random().Fork()),
      operator_(world, random_.Fork()) {}

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
  for (const FaultAction& action : plan_.actions) {
    world_.After(action.at, [this, &action] {
      if (!over_) Do(action);
    });
  }
  WatchFailed();
  operator_.Begin();
}

int Faults::AnyMachine(Random* random) {
  const bool leader = random->Chance(plan_.at_leader, 100);
  const auto any = static_cast<int>(random->Uniform(world_.size()));
  return leader && world_.Leader() >= 0 ? world_.Leader() : any;
}

int Faults::AnyOther(Random* random, int than) {
  const int other = static_cast<int>(random->Uniform(world_.size() - 1));
  return other < than ? other : other + 1;
}

void Faults::Later(absl::Duration lasting, Task task) {
  world_.After(lasting, [this, task = std::move(task)]() mutable {
    if (!over_) std::move(task)();
  });
}

void Faults::Do(const FaultAction& action) {
  Random random(action.seed);
  const int machine = AnyMachine(&random);
  Probe(FaultName(action.kind));
  if (world_.tracing()) Note(ToString(action));
  switch (action.kind) {
    case FaultKind::kCutOff:
      return DoCutOff(action, &random, machine);
    case FaultKind::kSplit:
      return DoSplit(action, &random);
    case FaultKind::kMute:
      return DoMute(action, &random, machine);
    case FaultKind::kClog:
      return DoClog(action, &random, machine);
    case FaultKind::kReset:
      return world_.network().Reset(machine, AnyOther(&random, machine));
    case FaultKind::kCrashAll:
      for (int i = 0; i < world_.size(); ++i) {
        DoCrash(i, random.Between(absl::Milliseconds(1), action.lasting));
      }
      return;
    default:
      return DoMachine(action, &random, machine);
  }
}

void Faults::DoMachine(const FaultAction& action, Random* random, int machine) {
  Machine& it = world_.machine(machine);
  const absl::Duration lasting = action.lasting;
  switch (action.kind) {
    case FaultKind::kPause:
      return Soon(random, machine, [this, machine, lasting] { DoPause(machine, lasting); });
    case FaultKind::kCrash: {
      // Half of them are started again at once, as somebody who watches over processes would: with
      // what they have promised shortly before still standing.
      const bool at_once = random->Chance(1, 2);
      const absl::Duration down =
          at_once ? random->Between(absl::Milliseconds(1), kAtOnce) : lasting;
      return Soon(random, machine, [this, machine, down] { DoCrash(machine, down); });
    }
    case FaultKind::kWipeDisk:
      return Soon(random, machine, [this, machine, lasting] { DoWipeDisk(machine, lasting); });
    case FaultKind::kUpgrade:
      return DoUpgrade(random, machine, lasting);
    case FaultKind::kMembers:
      return DoMembers(random, machine, lasting);
    case FaultKind::kStallSync:
      Note(fmt::format("stalls a sync of {}", it.id.value));
      return it.sync->StallNext(lasting);
    case FaultKind::kFailSync:
      Note(fmt::format("fails a sync of {}", it.id.value));
      return it.sync->FailNext();
    case FaultKind::kFailRead:
      Note(fmt::format("fails a read of {}", it.id.value));
      return it.log->FailNextRead();
    case FaultKind::kFullDisk:
      return DoFullDisk(machine, lasting);
    case FaultKind::kStepClock:
      return DoStepClock(random, machine);
    case FaultKind::kDrift:
      return DoDrift(random, machine);
    default:
      return DoTransfer(random, machine);
  }
}

void Faults::Harm(absl::Duration lasting, std::function<void(bool)> set) {
  set(true);
  world_.BeginHarm();
  Later(lasting, [this, set = std::move(set)] {
    Note("a cut heals");
    world_.EndHarm();
    set(false);
  });
}

void Faults::DoCutOff(const FaultAction& action, Random* random, int machine) {
  const int other = AnyOther(random, machine);
  const bool in = random->Chance(2, 3);
  const bool out = !in || random->Chance(2, 3);
  const bool all = random->Chance(1, 2);
  Note(fmt::format("cuts {} off from {}: {}{}", world_.machine(machine).id.value,
                   all ? "all" : world_.machine(other).id.value, in ? "in " : "",
                   out ? "out" : ""));
  if (in != out) Probe("fault.cut-off-one-way");
  Harm(action.lasting, [this, machine, other, in, out, all](bool cut) {
    for (int i = 0; i < world_.size(); ++i) {
      if (i == machine || (!all && i != other)) continue;
      if (in) world_.network().Cut(i, machine, cut);
      if (out) world_.network().Cut(machine, i, cut);
    }
  });
}

void Faults::DoSplit(const FaultAction& action, Random* random) {
  const uint64_t part = random->Next();
  const bool one_way = random->Chance(1, 4);
  const auto in_part = [part](int machine) { return (part >> machine & 1) != 0; };
  Note("splits the machines");
  Harm(action.lasting, [this, in_part, one_way](bool cut) {
    for (int i = 0; i < world_.size(); ++i) {
      for (int j = 0; j < world_.size(); ++j) {
        if (in_part(i) && !in_part(j)) world_.network().Cut(i, j, cut);
        if (!in_part(i) && in_part(j) && !one_way) world_.network().Cut(i, j, cut);
      }
    }
  });
}

void Faults::DoMute(const FaultAction& action, Random* random, int machine) {
  const auto type = static_cast<FrameType>(random->Uniform(kFrameTypes));
  const int to = random->Chance(1, 2) ? AnyOther(random, machine) : -1;
  const bool both = random->Chance(1, 3);
  Note(fmt::format("mutes {} from {}{}", FrameTypeName(type), world_.machine(machine).id.value,
                   both ? ", and to it" : ""));
  Harm(action.lasting, [this, machine, to, both, type](bool mute) {
    for (int i = 0; i < world_.size(); ++i) {
      if (i == machine || (to >= 0 && i != to)) continue;
      world_.network().Mute(machine, i, type, mute);
      if (both) world_.network().Mute(i, machine, type, mute);
    }
  });
}

void Faults::DoClog(const FaultAction& action, Random* random, int machine) {
  const int to = AnyOther(random, machine);
  const auto frame_class = static_cast<FrameClass>(1 + random->Uniform(SimNetwork::kClasses));
  Note(fmt::format("clogs class {} from {} to {}", static_cast<int>(frame_class),
                   world_.machine(machine).id.value, world_.machine(to).id.value));
  world_.network().Clog(machine, to, frame_class, world_.now() + action.lasting);
  world_.BeginHarm();
  Later(action.lasting, [this] { world_.EndHarm(); });
}

void Faults::Soon(Random* random, int machine, Task act) {
  // Behind any task, or where a step of one kind hands over to the next.
  static constexpr std::array<std::string_view, 12> kLanes = {
      "", "", "", "", "raft", "log", "apply", "flush", "files", "net", "dispatch", "executor"};
  if (random->Chance(1, 3)) return std::move(act)();
  const std::string lane(kLanes[random->Uniform(kLanes.size())]);
  world_.Behind(machine, lane, static_cast<int>(1 + random->Uniform(lane.empty() ? 200 : 50)),
                [this, act = std::move(act)]() mutable {
                  if (!over_) std::move(act)();
                });
}

void Faults::DoPause(int machine, absl::Duration lasting) {
  world_.BeginHarm();
  world_.Pause(machine);
  Later(lasting, [this, machine] {
    world_.EndHarm();
    world_.Resume(machine);
  });
}

void Faults::DoCrash(int machine, absl::Duration lasting) {
  world_.BeginHarm();
  world_.Crash(machine);
  Later(lasting, [this, machine] {
    world_.EndHarm();
    world_.Boot(machine);
  });
}

void Faults::DoFullDisk(int machine, absl::Duration lasting) {
  Note(fmt::format("fills the disk of {}", world_.machine(machine).id.value));
  world_.BeginHarm();
  world_.machine(machine).sync->SetFull(true);
  Later(lasting, [this, machine] {
    world_.EndHarm();
    world_.machine(machine).sync->SetFull(false);
  });
}

void Faults::DoStepClock(Random* random, int machine) {
  Machine& it = world_.machine(machine);
  const absl::Duration most = plan_.mad_clocks ? kMadStep : kBearableStep;
  // Always near the truth, which no number of steps leaves behind.
  const absl::Duration by =
      random->Between(-most, most) + (world_.loop().WallNow() - it.runtime->clock().WallNow());
  Note(fmt::format("steps the clock of {} by {:.3f} s", it.id.value, absl::ToDoubleSeconds(by)));
  world_.BeforeClockMove(machine);
  it.runtime->StepWall(by);
}

void Faults::DoDrift(Random* random, int machine) {
  // Lease arithmetic bears one percent; wall clocks may be worse.
  const int64_t mono = random->Between(int64_t{-9}, int64_t{9});
  const int64_t wall = plan_.mad_clocks ? random->Between(int64_t{-50}, int64_t{50}) : mono;
  Note(fmt::format("{}: clocks drift by {} and {} per mille", world_.machine(machine).id.value,
                   mono, wall));
  world_.BeforeClockMove(machine);
  world_.machine(machine).runtime->SetMonoRate({1000 + mono, 1000});
  world_.machine(machine).runtime->SetWallRate({1000 + wall, 1000});
}

void Faults::DoTransfer(Random* random, int machine) {
  const int leader = world_.Leader();
  const int asked = leader < 0 || random->Chance(1, 10) ? machine : leader;
  Machine& it = world_.machine(asked);
  if (!it.up()) return;
  std::optional<NodeId> to;
  const auto target = static_cast<int>(random->Uniform(world_.size()));
  if (random->Chance(1, 2)) to = world_.machine(target).id;
  Note(fmt::format("asks {} to hand over to {}", it.id.value, to ? to->value : "anybody"));
  it.member->raft().Transfer(to, [](absl::Status done) {
    Probe(done.ok() ? "sim.transfer-done" : "sim.transfer-refused");
  });
}

void Faults::DoWipeDisk(int machine, absl::Duration lasting) {
  if (!operator_.MayWipe(machine)) return;
  world_.BeginHarm();
  world_.Wipe(machine);
  Later(lasting, [this, machine] {
    world_.EndHarm();
    world_.Boot(machine);
  });
}

// A machine goes back as long as another one has the older program still: once all have the newer
// one, the group may follow it, and there is no way back. Until nobody can take the machine for
// what it was before, no other gets the newer one.
bool Faults::MayChangeProgram(int machine, bool back) const {
  int others = 0;  // with the older program
  for (int i = 0; i < world_.size(); ++i) {
    others += i != machine && world_.machine(i).program == kProgram;
  }
  if (back) return others > 0 && world_.machine(machine).program == kNewerProgram;
  return world_.machine(machine).program == kProgram && world_.now() >= taken_back_ + kKnownBack;
}

// The machine goes back to the older program, or the next one gets the newer one.
void Faults::DoUpgrade(Random* random, int machine, absl::Duration lasting) {
  const bool back = random->Chance(1, 3) && MayChangeProgram(machine, true);
  for (int i = 0; i < world_.size() && !back && !MayChangeProgram(machine, false); ++i) {
    machine = (machine + 1) % world_.size();
  }
  if (!MayChangeProgram(machine, back)) return;
  Soon(random, machine, [this, machine, lasting, back] {
    if (!MayChangeProgram(machine, back)) return;
    Note(fmt::format("{} gets the {} program", world_.machine(machine).id.value,
                     back ? "older" : "newer"));
    Probe(back ? "sim.downgraded" : "sim.upgraded");
    if (back) taken_back_ = world_.now();
    world_.machine(machine).program = back ? kProgram : kNewerProgram;
    DoCrash(machine, lasting);
  });
}

void Faults::DoMembers(Random* random, int machine, absl::Duration lasting) {
  if (!operator_.MayDoWithout(machine)) return;
  const Wish wish = random->Chance(2, 3) ? Wish::kAbsent : Wish::kLearner;
  Note(fmt::format("{} is to be {}", world_.machine(machine).id.value,
                   wish == Wish::kAbsent ? "no member" : "a learner"));
  operator_.Want(machine, wish);
  Later(lasting, [this, machine] { operator_.Want(machine, Wish::kVoter); });
}

// A node whose disk failed stops; somebody starts it again.
void Faults::WatchFailed() {
  world_.After(absl::Milliseconds(500), [this] {
    if (over_) return;
    for (int i = 0; i < world_.size(); ++i) {
      Machine& machine = world_.machine(i);
      if (machine.log->failed() || machine.tables->failed()) DoCrash(i, kRestartAfter);
    }
    WatchFailed();
  });
}

// Nothing new goes wrong, and what is wrong between machines and all the time is over.
void Faults::Calm() {
  over_ = true;
  world_.AllHealed();
  world_.network().Heal();
  world_.network().SetWeather({});
}

void Faults::HealMachine(int number) {
  Machine& machine = world_.machine(number);
  machine.sync->Heal();
  machine.log->Heal();
  machine.sync->SetPace(absl::Microseconds(100), absl::Milliseconds(1));
  machine.runtime->SetPace({});
  if (world_.clocks_were_moved()) {
    world_.BeforeClockMove(number);
    machine.runtime->SetMonoRate({});
    machine.runtime->SetWallRate({});
    machine.runtime->SetWallTime(world_.loop().WallNow() +
                                 random_.Between(absl::ZeroDuration(), absl::Milliseconds(20)));
  }
  world_.Resume(number);
  if (machine.log->failed() || machine.tables->failed()) world_.Crash(number);
  if (!machine.up() && machine.boot_lane != nullptr) world_.Crash(number);
  world_.Boot(number);
}

void Faults::HealCore() {
  Note("a core heals");
  Calm();
  std::vector<bool> core(world_.size(), true);
  const int most_outside = (world_.size() - 1) / 2;
  for (int left = static_cast<int>(random_.Uniform(most_outside + 1)); left > 0; --left) {
    core[random_.Uniform(world_.size())] = false;
  }
  world_.SetCore(core);
  for (int i = 0; i < world_.size(); ++i) {
    HealMachine(i);
    if (core[i]) continue;
    world_.BeginHarm();
    const bool in = random_.Chance(2, 3);
    const bool out = !in || random_.Chance(1, 2);
    const bool down = random_.Chance(1, 3);
    Note(fmt::format("{} stays {}", world_.machine(i).id.value,
                     down ? "down" : (in && out ? "cut off" : (in ? "deaf" : "mute"))));
    if (down) world_.Crash(i);
    for (int j = 0; j < world_.size(); ++j) {
      if (in) world_.network().Cut(j, i, true);
      if (out) world_.network().Cut(i, j, true);
    }
  }
}

void Faults::Heal() {
  Note("everything heals");
  Calm();
  operator_.WantAllVoters();
  world_.SetCore(std::vector<bool>(world_.size(), true));
  for (int i = 0; i < world_.size(); ++i) HealMachine(i);
}

}  // namespace scheduled::sim
