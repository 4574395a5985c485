// See node_member.h.
#include "sim/node_member.h"

#include <utility>

#include "sim/level_checks.h"
#include "sim/sim_executor.h"

namespace scheduled::sim {
namespace {

// Everything that a dispatcher and a worker know is recounted after so many tasks of their lane:
// what is wrong in it stays so.
constexpr uint64_t kRecountEvery = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<NodeMember>> NodeMember::Open(World* world, Machine* machine,
                                                             JobHistory* history,
                                                             LevelChecks* levels,
                                                             const NodeSettings& settings) {
  NodeOptions options;
  options.node_id = machine->id;
  options.peers = world->peers();
  options.boot = BootCounter(machine->boot_counter);
  options.log = world->LogSinkOf(machine->number);
  options.feature_level = machine->program;
  options.request_timeout = settings.request_timeout;
  NodeParts parts;
  parts.runtime = machine->runtime.get();
  parts.log_store = machine->log.get();
  parts.tables = machine->tables.get();
  parts.disk = machine->disk;
  if (settings.log_bytes > 0) options.compact_log_bytes = settings.log_bytes;
  if (world->size() > 1) parts.snapshots = machine->snapshots.get();
  if (world->size() > 1) parts.transport = world->network().NewTransport(machine->number);
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Open(std::move(options), std::move(parts));
  if (!node.ok()) return node.status();
  absl::Status registered = (*node)->Register(
      kExecutor,
      std::make_unique<SimExecutor>(world, machine, history, settings.capacity, settings.blocks));
  if (!registered.ok()) return registered;
  return std::unique_ptr<NodeMember>(new NodeMember(*machine, levels, *std::move(node)));
}

void NodeMember::AfterTask(std::string_view lane) {
  if (lane == "apply") levels_.AfterApply(machine_);
  if (lane == "dispatch" && ++dispatched_ % kRecountEvery == 0) node_->CheckInvariants();
}

}  // namespace scheduled::sim
