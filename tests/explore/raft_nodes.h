// All different states that a node was ever seen in, each once, and what each event makes of them.
// A core is a pure function of its inputs, so a step that was taken once need not be taken again
// when the same node with the same event is part of another state of the group: the real code runs
// once for each different (node, event).
//
// That rests on the fingerprint: two nodes that look alike must act alike. CheckTwin tries it: of
// the nodes that were reached a second time by another way, a share is driven beside the first.
#ifndef SCHEDULED_TESTS_EXPLORE_RAFT_NODES_H_
#define SCHEDULED_TESTS_EXPLORE_RAFT_NODES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "explore/raft_node.h"

namespace scheduled::explore {

using NodeStateId = uint32_t;

class Nodes {
 public:
  // One twin in `twin_share` is checked; 0: none.
  Nodes(Messages* messages, uint32_t twin_share) : messages_(*messages), twin_share_(twin_share) {}

  NodeStateId Add(Replica node);
  const Replica& at(NodeStateId id) const { return nodes_[id]->node; }
  const NodeSummary& summary(NodeStateId id) const { return nodes_[id]->summary; }

  struct Outcome {
    NodeStateId node = 0;
    std::vector<MessageId> sent;
  };
  // Throws a Finding, and remembers nothing, if the step shows one.
  const Outcome& Take(NodeStateId id, NodeEvent event);

  size_t size() const { return nodes_.size(); }
  size_t steps() const { return outcomes_.size(); }
  uint64_t twins_checked() const { return twins_checked_; }

 private:
  struct Known {
    Replica node;
    NodeSummary summary;
  };
  void CheckTwin(const Replica& known, const Replica& twin);
  void CheckAlike(const Replica& known, const Replica& twin, NodeEvent event);

  Messages& messages_;
  const uint32_t twin_share_;
  std::vector<std::unique_ptr<Known>> nodes_;
  absl::flat_hash_map<std::string, NodeStateId> ids_;
  absl::flat_hash_map<uint64_t, uint32_t> steps_;  // (node, event) -> outcomes_
  std::vector<std::unique_ptr<Outcome>> outcomes_;
  uint64_t twins_seen_ = 0;
  uint64_t twins_checked_ = 0;
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_RAFT_NODES_H_
