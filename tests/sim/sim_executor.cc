// See sim_executor.h.
#include "sim/sim_executor.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"

namespace scheduled::sim {
namespace {

// How long a run that is told to stop takes to do so, and how long after its time one that does not
// listen ends.
constexpr absl::Duration kStopsWithin = absl::Milliseconds(5);
constexpr absl::Duration kOverstays = absl::Milliseconds(700);
// How long a Run that blocks does so at most: beyond a resend, or beyond what a session outlives.
constexpr std::array kBlocks = {absl::Milliseconds(400), absl::Milliseconds(2500)};
constexpr absl::Duration kBootsWithin = absl::Milliseconds(300);

}  // namespace

SimExecutor::SimExecutor(World* world, Machine* machine, JobHistory* history, int capacity,
                         bool blocks)
    : world_(*world),
      machine_(*machine),
      history_(*history),
      capacity_(capacity),
      blocks_(blocks),
      random_(world->random().Fork()),
      lane_(machine->runtime->NewLane("executor")) {}

// Whatever it has not answered dies with the node.
SimExecutor::~SimExecutor() { lane_->Stop(); }

RunResult SimExecutor::ResultOf(const JobPlan& plan, const RunContext& run) {
  int same = 0;  // deliveries of this run and attempt before this one
  for (const Delivery& each : history_.Find(run.job_id)->deliveries) {
    same += each.run_id == run.run_id && each.attempt == run.attempt;
  }
  if (run.attempt == 1 && same <= plan.snoozes) {
    return RunResult::Snooze(plan.snooze, "not now");
  }
  if (plan.end == JobEnd::kRefuse) return absl::InvalidArgumentError("refused as planned");
  if (run.attempt <= plan.failures) return absl::InternalError("failed as planned");
  return absl::OkStatus();
}

void SimExecutor::Run(std::shared_ptr<const RunContext> run, Done done) {
  const size_t delivery = history_.Started(machine_, *run);
  const JobPlan plan = *JobPlan::FromPayload(run->payload());
  // Handlers that went on killing would keep a group from ever coming to its end.
  const bool deadly = history_.DeliveriesOf(run->job_id, run->run_id) <= plan.deaths;
  if (deadly && !world_.healed()) TakeNodeDown();
  if (blocks_ && random_.Chance(1, 50)) {
    world_.Stall(random_.Between(absl::Milliseconds(1), kBlocks[random_.Uniform(kBlocks.size())]));
  }
  const uint64_t number = ++last_;
  going_.emplace(number, Going{run->job_id, delivery, std::move(done)});
  const MonoTime now = machine_.runtime->clock().MonoNow();
  if (plan.end == JobEnd::kOverstay && run->attempt > plan.failures) {
    // Every second one listens to being told to stop.
    if (number % 2 == 0) {
      run->OnCancel([this, number] {
        lane_->PostAt(machine_.runtime->clock().MonoNow() + kStopsWithin,
                      [this, number] { End(number, absl::CancelledError("told to stop")); });
      });
    }
    lane_->PostAt(now + run->job->timeout + kOverstays,
                  [this, number] { End(number, absl::InternalError("overstayed")); });
    return;
  }
  lane_->PostAt(now + plan.takes, [this, number, plan, run] {
    if (going_.contains(number)) End(number, ResultOf(plan, *run));
  });
}

// As a handler does that crashes its process, right behind this task or a little later.
void SimExecutor::TakeNodeDown() {
  Probe("jobs.took-its-node-down");
  const int number = machine_.number;
  const uint64_t life = machine_.boots;
  World& world = world_;
  world.BeginHarm();
  world.After(random_.Between(absl::ZeroDuration(), absl::Milliseconds(2)), [&world, number, life] {
    // A task that blocked may have been ahead of the time at which all heals.
    if (!world.healed() && world.machine(number).boots == life) world.Crash(number);
  });
  world.After(random_.Between(absl::Milliseconds(3), kBootsWithin), [&world, number] {
    if (world.healed()) return;  // who is to be up is
    world.EndHarm();
    world.Boot(number);
  });
}

void SimExecutor::End(uint64_t number, RunResult result) {
  const auto it = going_.find(number);
  if (it == going_.end()) return;
  Going going = std::move(it->second);
  going_.erase(it);
  history_.Ended(going.job, going.delivery, result);
  going.done(std::move(result));
}

}  // namespace scheduled::sim
