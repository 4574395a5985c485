// See coverage.h: the list.
#include "sim/coverage.h"

#include <fmt/format.h>

#include <string_view>

#include "sim/fault_plan.h"

namespace scheduled::sim {
namespace {

// Where an event can happen at all.
enum class Where : uint8_t {
  kAnywhere,
  kGroup,      // with several nodes
  kGroupLog,   // and the workload of Raft alone, which cuts its logs short
  kJobs,       // with whole schedulers
  kGroupJobs,  // both
};

struct Mark {
  const char* probe;
  Where where = Where::kAnywhere;
  const char* why_never = "too few seeds, or nothing leads to it";
};

constexpr Mark kMarks[] = {
    // Machines and disks.
    {"sim.crash"},
    {"sim.crash-while-down"},
    {"sim.restart"},
    {"sim.pause"},
    {"disk.sync-stalled"},
    {"disk.sync-failed"},
    {"disk.full"},
    {"disk.read-damaged"},
    {"disk.write-torn"},
    {"disk.unsynced-write-kept"},
    {"disk.tables-fall-back"},
    // Raft.
    {"raft.elected"},
    {"raft.truncated", Where::kGroup},
    {"raft.lease-expired", Where::kGroup},
    {"raft.stepped-down", Where::kGroup},
    {"raft.lost-quorum", Where::kGroup},
    {"raft.old-term-committed", Where::kGroup},
    {"raft.proposal-superseded", Where::kGroup},
    {"raft.transfer-abandoned", Where::kGroup},
    {"raft.disk-stalled", Where::kGroup},
    {"sim.transfer-done", Where::kGroup},
    {"sim.transfer-refused", Where::kGroup},
    {"net.vote-doubled", Where::kGroup},
    {"fault.cut-off-one-way", Where::kGroup},
    {"raft.led-joint", Where::kGroup},
    {"sim.disk-wiped", Where::kGroup},
    {"sim.lost-disk-replaced", Where::kGroup},
    {"raft.promise-of-a-lost-disk", Where::kGroup},
    {"raft.needs-snapshot", Where::kGroup},
    {"raft.snapshot-installed", Where::kGroup},
    {"consensus.log-compacted", Where::kGroup},
    {"disk.tables-installed", Where::kGroup},
    {"disk.crash-before-switch", Where::kGroupLog},
    {"disk.crash-after-switch", Where::kGroupLog},
    {"consensus.install-ended-at-start", Where::kGroupLog},
    {"sim.members-changed", Where::kGroup},
    {"raft.configuration-truncated", Where::kGroupLog},
    {"sim.reload-after-rare-write", Where::kGroup},
    // The dispatcher.
    {"jobs: a stale claim", Where::kJobs},
    {"jobs: a finish is dropped", Where::kJobs},
    {"jobs: a run is dropped on its way back", Where::kJobs},
    {"jobs: a write is answered from memory", Where::kJobs},
    {"jobs: a run died with its last node", Where::kJobs},
    {"jobs: a closed session had a deleted job", Where::kJobs},
    {"jobs.redelivered", Where::kJobs},
    {"jobs.took-its-node-down", Where::kJobs},
    {"jobs.stopped-after-its-leader", Where::kGroupJobs},
    {"jobs.replace-refused", Where::kJobs},
    {"jobs.led-in-turn", Where::kGroupJobs},
    {"sim.task-blocks", Where::kJobs},
    {"jobs.cancelled-while-running", Where::kJobs},
    {"dispatch.withdrawn", Where::kJobs},
    {"dispatch.given-back", Where::kJobs},
    {"dispatch.due-run-waits", Where::kJobs},
    {"dispatch.put-back-after-step", Where::kJobs},
    {"dispatch.waits-for-resolution", Where::kGroupJobs},
    {"dispatch.finish-again", Where::kJobs},
    {"dispatch.finish-stale", Where::kJobs},
    {"claims.read-again", Where::kJobs},
    {"dispatch.old-claim-started", Where::kJobs},
    {"dispatch.old-claim-put-back", Where::kJobs},
    {"worker.session-lost", Where::kJobs},
    {"worker.timed-out", Where::kJobs},
    {"sessions.opening-closes-older", Where::kJobs},
    {"sessions.late-lane", Where::kJobs},
    {"housekeeping.mad-clock", Where::kGroupJobs},
    {"forwarding.tried-again", Where::kGroupJobs},
    {"forwarding.sent-again", Where::kGroupJobs},
    {"forwarding.copy-under-way", Where::kGroupJobs},
    {"forwarding.copy-refused", Where::kGroupJobs},
    {"node.read-waits-for-leader", Where::kGroupJobs},
    // Programs of two versions.
    {"sim.upgraded", Where::kJobs},
    {"sim.downgraded", Where::kGroupJobs},
    {"jobs.level-raised", Where::kJobs},
    {"jobs.level-raised-after-mixed", Where::kGroupJobs},
    {"jobs.ends-mixed", Where::kGroupJobs},
};

bool CanHappen(Where where, const SeedOptions& options) {
  const bool group = options.nodes != 1;
  const bool jobs = options.workload == WorkloadKind::kJobs;
  switch (where) {
    case Where::kAnywhere:
      return true;
    case Where::kGroup:
      return group;
    case Where::kGroupLog:
      return group && !jobs;
    case Where::kJobs:
      return jobs;
    case Where::kGroupJobs:
      return group && jobs;
  }
  return true;
}

}  // namespace

std::vector<std::string> NeverHappened(const std::map<std::string, uint64_t>& probes,
                                       const SeedOptions& options) {
  std::vector<std::string> missing;
  for (const Mark& mark : kMarks) {
    if (CanHappen(mark.where, options) && !probes.contains(mark.probe)) {
      missing.push_back(fmt::format("{}: {}", mark.probe, mark.why_never));
    }
  }
  for (size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    if (probes.contains(FaultName(kind))) continue;
    if (options.nodes == 1 && IsBetweenMachines(kind)) continue;
    const bool jobs = options.workload == WorkloadKind::kJobs;
    if (kind == FaultKind::kMembers && jobs) continue;
    if (kind == FaultKind::kUpgrade && !jobs) continue;
    missing.push_back(fmt::format("{}: no seed drew it", FaultName(kind)));
  }
  return missing;
}

}  // namespace scheduled::sim
