// See seed_run.h.
#include "sim/seed_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

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

std::unique_ptr<Workload> MakeWorkload(const SeedOptions& options, Random random, bool calm) {
  if (options.workload == WorkloadKind::kJobs) return std::make_unique<JobsWorkload>(random, calm);
  return std::make_unique<LogWorkload>(random);
}

void Converge(World* world, Workload* workload) {
  const MonoTime limit = world->now() + kConvergeWithin;
  while (!workload->IsSettled(*world)) {
    Require(world->now() < limit,
            fmt::format("does not converge: {}", workload->Unsettled(*world)));
    world->loop().RunUntil(world->now() + kLook);
  }
}

}  // namespace

SeedResult RunSeed(const SeedOptions& options, void (*report)(const std::string&)) {
  Random random(options.seed * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(options.nodes));
  const FaultPlan plan = FaultPlan::Draw(&random, options.nodes);
  std::unique_ptr<Workload> workload = MakeWorkload(options, random.Fork(), plan.IsCalm());
  World world({.seed = random.Next(),
               .nodes = options.nodes,
               .trace = options.trace,
               .trace_tasks = options.trace_tasks},
              workload.get());
  SetFindingHandler([&](std::string_view what) {
    std::fflush(stdout);
    report(fmt::format("seed {} nodes {}: {}\n{}faults: {}\n", options.seed, options.nodes, what,
                       world.State(), plan.ToString()));
    _exit(kFindingExit);
  });
  world.Trace("plan", plan.ToString());

  Faults faults(&world, plan);
  faults.Prepare();
  for (int i = 0; i < options.nodes; ++i) {
    world.After(random.Between(absl::ZeroDuration(), absl::Milliseconds(300)),
                [&world, i] { world.Boot(i); });
  }
  // What a cluster is founded by is not in question here: it may take its time.
  world.loop().RunUntil(world.now() + absl::Seconds(1));
  workload->Begin(world);
  faults.Begin();
  world.loop().RunUntil(world.now() + random.Between(absl::Seconds(20), absl::Seconds(40)));
  workload->Quiet(world);
  faults.Heal();
  Converge(&world, workload.get());
  workload->CheckEnd(world);

  SeedResult result;
  result.events = world.loop().event_count();
  result.simulated_seconds = static_cast<double>(world.now().nanos) / 1e9;
  result.digest = world.digest();
  result.committed = world.checks().committed();
  result.elections = world.checks().elections();
  SetFindingHandler(nullptr);
  return result;
}

}  // namespace scheduled::sim
