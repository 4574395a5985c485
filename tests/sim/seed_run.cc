// See seed_run.h.
#include "sim/seed_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/assert.h"
#include "sim/faults.h"
#include "sim/finding.h"
#include "sim/jobs_workload.h"
#include "sim/log_workload.h"
#include "sim/raft_checks.h"
#include "sim/world.h"

namespace scheduled::sim {
namespace {

// After healing: elections, restarts and replays are done within seconds, a backlog of runs within
// a minute; what needs longer is stuck.
constexpr absl::Duration kConvergeWithin = absl::Seconds(120);
constexpr absl::Duration kLook = absl::Milliseconds(100);
// A seed goes on for longer where little happens.
constexpr uint64_t kFewestEvents = 50'000;
constexpr absl::Duration kLongest = absl::Seconds(180);

// What a seed stands for, before anything runs.
struct Drawn {
  int nodes = 0;
  absl::Duration length;  // of the faults, at least
  FaultPlan plan;
  Random rest{0};  // of whatever is drawn afterwards
};

Drawn Draw(const SeedOptions& options) {
  Random random(options.seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(options.nodes));
  constexpr std::array<int, 5> kSizes = {3, 3, 4, 5, 5};
  Drawn drawn;
  const int size = kSizes[random.Uniform(kSizes.size())];
  drawn.nodes = options.nodes == 0 ? size : options.nodes;
  drawn.length = random.Between(absl::Seconds(60), absl::Seconds(70));
  drawn.plan =
      FaultPlan::Draw(&random, drawn.nodes, options.workload == WorkloadKind::kLog, kLongest);
  if (options.workload == WorkloadKind::kJobs) {
    Random apart(options.seed * 0xd1342543de82ef95u + static_cast<uint64_t>(options.nodes));
    drawn.plan.DrawUpgrade(&apart, kLongest);
  }
  if (options.keep) drawn.plan.Keep(*options.keep);
  for (const std::string& trait : options.without) {
    const bool known = drawn.plan.LeaveOut(trait);
    SCHEDULED_ASSERT(known, "a trait that is left out has a known name");
  }
  drawn.rest = random.Fork();
  return drawn;
}

std::unique_ptr<Workload> MakeWorkload(const SeedOptions& options, Random random, bool calm) {
  if (options.workload == WorkloadKind::kJobs) return std::make_unique<JobsWorkload>(random, calm);
  return std::make_unique<LogWorkload>(random);
}

void Converge(World* world, Workload* workload, const Faults& faults) {
  const MonoTime limit = world->now() + kConvergeWithin;
  while (!faults.IsSettled() || !workload->IsSettled(*world)) {
    Require(world->now() < limit,
            fmt::format("does not converge: {}", workload->Unsettled(*world)));
    world->loop().RunUntil(world->now() + kLook);
  }
}

}  // namespace

FaultPlan PlanOf(const SeedOptions& options) { return Draw(options).plan; }

SeedResult RunSeed(const SeedOptions& options, void (*report)(const std::string&)) {
  Drawn drawn = Draw(options);
  const FaultPlan& plan = drawn.plan;
  std::unique_ptr<Workload> workload = MakeWorkload(options, drawn.rest.Fork(), plan.calm);
  World world({.seed = drawn.rest.Next(),
               .nodes = drawn.nodes,
               .trace = options.trace,
               .trace_tasks = options.trace_tasks},
              workload.get());
  SetFindingHandler([&](std::string_view what) {
    std::fflush(stdout);
    report(fmt::format("seed {} nodes {}: {}\n{}faults: {}\n", options.seed, options.nodes, what,
                       world.State(), plan.ToString()));
    _exit(kFindingExit);
  });
  if (world.tracing()) world.Trace("plan", plan.ToString());

  Faults faults(&world, plan);
  faults.Prepare();
  for (int i = 0; i < drawn.nodes; ++i) {
    world.After(drawn.rest.Between(absl::ZeroDuration(), absl::Milliseconds(300)),
                [&world, i] { world.Boot(i); });
  }
  // What a cluster is founded by is not in question here: it may take its time.
  world.loop().RunUntil(world.now() + absl::Seconds(1));
  workload->Begin(world);
  faults.Begin();
  const MonoTime began = world.now();
  world.loop().RunUntil(began + drawn.length);
  while (world.loop().event_count() < kFewestEvents && world.now() < began + kLongest) {
    world.loop().RunUntil(world.now() + absl::Seconds(1));
  }
  workload->Quiet(world);
  // While members come and go, no majority may be healed before the others.
  if (plan.core_first && faults.IsSettled()) {
    faults.HealCore();
    Converge(&world, workload.get(), faults);
  }
  faults.Heal();
  workload->Quiet(world);  // something is to be written in each phase
  Converge(&world, workload.get(), faults);
  workload->CheckEnd(world);

  SeedResult result;
  result.nodes = drawn.nodes;
  result.events = world.loop().event_count();
  result.simulated_seconds = static_cast<double>(world.now().nanos) / 1e9;
  result.digest = world.digest();
  result.committed = world.checks().committed();
  result.elections = world.checks().elections();
  SetFindingHandler(nullptr);
  return result;
}

}  // namespace scheduled::sim
