// See world.h.
#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "consensus/inspect.h"
#include "raft/print.h"
#include "sim/finding.h"
#include "sim/raft_checks.h"
#include "sim/workload.h"

namespace scheduled::sim {
namespace {

// A Tuesday in 2026, far from any clock change.
constexpr int64_t kWallStart = 1'780'000'000;

VirtualLoopOptions LoopOptions(uint64_t seed) {
  return {.seed = seed, .wall_start = absl::FromUnixSeconds(kWallStart)};
}

// As a new DataDirectory begins to count.
uint64_t FirstBootOf(const Machine& machine) {
  return static_cast<uint64_t>(absl::ToUnixMillis(machine.runtime->clock().WallNow()));
}

}  // namespace

World::World(const WorldOptions& options, Workload* workload)
    : options_(options),
      workload_(*workload),
      random_(options.seed),
      loop_(LoopOptions(random_.Next())),
      outside_(loop_.NewRuntime("world")),
      driver_(outside_->NewLane("driver")) {
  std::vector<NodeId> names;
  std::vector<VirtualRuntime*> runtimes;
  for (int i = 0; i < options.nodes; ++i) {
    AddMachine(i, options.nodes);
    names.push_back(machines_.back()->id);
    runtimes.push_back(machines_.back()->runtime.get());
    if (options.nodes > 1) peers_[names.back()] = fmt::format("machine-{}:1", i + 1);
  }
  core_.assign(machines_.size(), true);
  network_ = std::make_unique<SimNetwork>(&loop_, random_.Fork(), names, runtimes);
  checks_ = std::make_unique<RaftChecks>(this);
  loop_.SetAfterEvent([this] { AfterEvent(); });
}

World::~World() {
  for (const auto& machine : machines_) {
    if (machine->up()) machine->member->BeforeKill();
    machine->runtime->Kill();
    machine->member.reset();
    machine->boot_lane.reset();
  }
}

void World::AddMachine(int number, int nodes) {
  auto machine = std::make_unique<Machine>();
  machine->number = number;
  machine->id = NodeId(fmt::format("n{}", number + 1));
  machine->disk = raft::DiskId(random_.Next() | 1);
  VirtualNodeOptions node;
  node.mono_start = MonoTime{random_.Between(int64_t{1'000'000'000}, int64_t{1} << 50)};
  if (nodes > 1)
    node.wall_offset = random_.Between(absl::Milliseconds(-50), absl::Milliseconds(50));
  machine->runtime = loop_.NewRuntime(machine->id.value, node);
  machine->boot_counter = FirstBootOf(*machine);
  machine->sync = std::make_unique<SyncModel>(&loop_, random_.Fork());
  machine->log = std::make_unique<SimLogStore>(machine->sync.get());
  machine->snapshots = std::make_unique<MemorySnapshotFiles>();
  machine->tables = std::make_unique<SimTableStore>(machine->sync.get(), machine->snapshots.get());
  machines_.push_back(std::move(machine));
}

int World::NumberOf(const NodeId& id) const {
  for (const auto& machine : machines_) {
    if (machine->id == id) return machine->number;
  }
  Found("a member that is no machine: " + id.value);
}

void World::After(absl::Duration wait, Task task) {
  driver_->PostAt(loop_.now() + wait, std::move(task));
}

void World::Behind(int number, std::string lane, int count, Task act) {
  behind_[number] = {std::move(lane), count, std::move(act)};
}

void World::Boot(int number) {
  Machine& machine = *machines_[number];
  if (machine.up() || machine.boot_lane != nullptr) return;
  ++machine.boots;
  ++machine.boot_counter;
  if (machine.boots > 1) Probe("sim.restart");
  if (tracing()) Trace(machine.id.value, fmt::format("boots, {}", machine.boots));
  machine.boot_lane = machine.runtime->NewLane("boot");
  machine.boot_lane->Post([this, &machine] {
    absl::StatusOr<std::unique_ptr<Member>> member = workload_.Boot(*this, machine);
    if (!member.ok()) {
      // A disk that failed while the node opened is the simulation's own doing.
      const bool disk = machine.log->failed() || machine.tables->failed();
      Require(disk,
              fmt::format("{} does not boot: {}", machine.id.value, member.status().ToString()));
      if (tracing()) Trace(machine.id.value, "failed to boot");
      return;
    }
    machine.member = *std::move(member);
    checks_->OnBoot(machine);
  });
}

void World::Crash(int number) {
  Machine& machine = *machines_[number];
  if (machine.boot_lane == nullptr) return;
  if (tracing()) Trace(machine.id.value, "crashes");
  CheckWhyStopped(machine);
  ++crashes_;
  Probe(machine.up() ? "sim.crash" : "sim.crash-while-down");
  if (machine.up()) machine.member->BeforeKill();
  machine.runtime->Kill();
  workload_.OnCrash(*this, machine);
  machine.member.reset();
  machine.boot_lane.reset();
  machine.log->Crash(&random_);
  machine.tables->Crash(&random_);
  checks_->OnCrash(machine);
}

// Only its disk gives a node a reason to stop by itself.
void World::CheckWhyStopped(const Machine& machine) {
  if (!machine.up() || machine.log->failed() || machine.tables->failed()) return;
  const std::string why = machine.member->raft().status().failure;
  Require(why.empty(), [&] { return machine.id.value + " has stopped by itself: " + why; });
}

void World::Wipe(int number) {
  Machine& machine = *machines_[number];
  Crash(number);
  if (const LogState* log = machine.log->State(kSimGroup)) {
    machine.lost_through = std::max(machine.lost_through, log->last);
  }
  if (tracing()) Trace(machine.id.value, "loses its disk");
  Probe("sim.disk-wiped");
  machine.log->Wipe();
  machine.tables->Wipe();
  const absl::Status removed = machine.snapshots->RemoveAll();
  Require(removed.ok(), "files in memory are removed");
  machine.disk = raft::DiskId(random_.Next() | 1);
  machine.boot_counter = FirstBootOf(machine);
  machine.wiped = true;
}

void World::Pause(int number) {
  if (!machines_[number]->up() || machines_[number]->paused()) return;
  if (tracing()) Trace(machines_[number]->id.value, "is paused");
  Probe("sim.pause");
  paused_ever_ = true;
  last_pause_ = now();
  machines_[number]->runtime->Pause();
}

void World::Resume(int number) {
  if (!machines_[number]->paused()) return;
  if (tracing()) Trace(machines_[number]->id.value, "goes on");
  last_pause_ = now();
  machines_[number]->runtime->Resume();
}

int World::Leader() {
  int leader = -1;
  Term newest;
  for (const auto& machine : machines_) {
    if (!machine->up()) continue;
    const raft::Core& core = InspectCore(machine->member->raft());
    if (core.role() != raft::Role::kLeader || core.term() <= newest) continue;
    newest = core.term();
    leader = machine->number;
  }
  return leader;
}

void World::AfterEvent() {
  const std::string_view full_name = loop_.last_lane();
  if (options_.trace_tasks) Trace("task", full_name);
  const auto [known, fresh] = lanes_.try_emplace(full_name.data());
  if (fresh) known->second = LaneOfName(full_name);
  const auto [machine, task] = known->second;
  if (machine == nullptr || !machine->up()) return;
  if (task == "raft") checks_->AfterRaft(*machine);
  checks_->LookAtLease(*machine);
  machine->member->AfterTask(task);
  const auto behind = behind_.find(machine->number);
  if (behind == behind_.end() || !IsBehind(behind->second, task)) return;
  if (--behind->second.count > 0) return;
  Task act = std::move(behind->second.act);
  behind_.erase(behind);
  std::move(act)();
}

World::MachineLane World::LaneOfName(std::string_view full_name) const {
  const size_t slash = full_name.find('/');
  for (const auto& machine : machines_) {
    if (full_name.substr(0, slash) == machine->id.value) {
      return {machine.get(), full_name.substr(slash + 1)};
    }
  }
  return {};
}

bool World::MayHaveLost(MonoTime since) const {
  constexpr absl::Duration kAftermath = absl::Seconds(8);
  return harsh_ || harms_ > 0 || last_harm_ >= since - kAftermath;
}

void World::Stall(absl::Duration lasting) {
  if (healed_) return;
  Probe("sim.task-blocks");
  loop_.Spend(lasting);
  paused_ever_ = true;
  last_pause_ = last_harm_ = now();  // with what was spent
}

bool World::MajorityAgrees(int number) const {
  // What a node knows of others' clocks may be two seconds old.
  constexpr absl::Duration kKnown = absl::Seconds(3);
  // 500 ms by what it has heard, which may be on its way for 920 here; and a drift of 1 %.
  constexpr absl::Duration kSkew = absl::Milliseconds(1450);
  if (now() - last_clock_move_ < kKnown) return true;
  const absl::Time own = machines_[number]->runtime->clock().WallNow();
  int agree = 0;
  for (const auto& machine : machines_) {
    agree += absl::AbsDuration(machine->runtime->clock().WallNow() - own) <= kSkew;
  }
  return 2 * agree > size();
}

absl::Time World::EverShown(const Machine& machine) const {
  return std::max(machine.ever_shown, machine.runtime->clock().WallNow());
}

void World::SetHarshWeather(bool harsh, bool lags) {
  harsh_ = harsh;
  lags_ = lags;
}

void World::BeforeClockMove(int number) {
  clocks_moved_ = true;
  last_clock_move_ = now();
  machines_[number]->ever_shown = EverShown(*machines_[number]);
}

void World::AllHealed() {
  healed_ = true;
  harms_ = 0;
  last_harm_ = last_pause_ = now();
  behind_.clear();
  harsh_ = lags_ = false;
}

void World::Trace(std::string_view who, std::string_view what) {
  if (!options_.trace) return;
  const double seconds = static_cast<double>(now().nanos) / 1e9;
  fmt::print("{:12.6f} {:<6} {}\n", seconds, who, what);
}

LogSink World::LogSinkOf(int number) {
  if (!options_.trace) return nullptr;
  return
      [this, number](LogLevel level, std::string_view message, std::span<const LogField> fields) {
        std::string line = fmt::format("{} {}", LogLevelName(level), message);
        for (const LogField& field : fields) {
          if (field.key != "node") line += fmt::format(" {}={}", field.key, field.value);
        }
        Trace(machines_[number]->id.value, line);
      };
}

void World::Digest(uint64_t value) {
  digest_ = (digest_ ^ value) * 0x9e3779b97f4a7c15u;
  digest_ ^= digest_ >> 32;
}

void World::Digest(std::string_view bytes) { Digest(Checksum64(bytes)); }

uint64_t World::digest() const { return loop_.digest() ^ (digest_ * 31); }

std::string World::State() {
  std::string state = fmt::format("time {:.6f} s, last lane {}\n",
                                  static_cast<double>(now().nanos) / 1e9, loop_.last_lane());
  for (const auto& machine : machines_) {
    state += fmt::format("  {} boot {}: ", machine->id.value, machine->boots);
    if (!machine->up()) {
      state += "down\n";
      continue;
    }
    state += fmt::format("{}{} tables applied {}", machine->paused() ? "paused " : "",
                         raft::ToString(InspectCore(machine->member->raft()).status()),
                         machine->tables->applied().value);
    const std::string failure = machine->member->raft().status().failure;
    if (!failure.empty()) state += " failed: " + failure;
    state += "\n";
  }
  return state;
}

}  // namespace scheduled::sim
