// A whole scheduler node on a simulated machine: the production Node with Raft, tables, dispatcher,
// sessions and worker, over the machine's disk and the simulated network. Only its executor is the
// simulation's own.
#ifndef SCHEDULED_TESTS_SIM_NODE_MEMBER_H_
#define SCHEDULED_TESTS_SIM_NODE_MEMBER_H_

#include <memory>

#include "scheduler/node.h"
#include "sim/job_history.h"
#include "sim/world.h"

namespace scheduled::sim {

// The name under which every node registers its executor.
inline constexpr const char* kExecutor = "work";

// What a seed draws for all its nodes.
struct NodeSettings {
  int capacity = 64;
  absl::Duration request_timeout = absl::Seconds(3);
  bool blocks = false;     // executors do not always return at once
  uint64_t log_bytes = 0;  // that a log may have before it is cut; 0: as many as it likes
};

class LevelChecks;

class NodeMember final : public Member {
 public:
  static absl::StatusOr<std::unique_ptr<NodeMember>> Open(World* world, Machine* machine,
                                                          JobHistory* history, LevelChecks* levels,
                                                          const NodeSettings& settings);

  RaftNode& raft() override { return node_->raft(); }
  Node& node() { return *node_; }
  void BeforeKill() override { node_->FallSilent(); }
  void AfterTask(std::string_view lane) override;

 private:
  NodeMember(const Machine& machine, LevelChecks* levels, std::unique_ptr<Node> node)
      : machine_(machine), levels_(*levels), node_(std::move(node)) {}

  const Machine& machine_;
  LevelChecks& levels_;
  std::unique_ptr<Node> node_;
  uint64_t dispatched_ = 0;  // tasks of its dispatch lane
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_NODE_MEMBER_H_
