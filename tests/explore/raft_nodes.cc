// See raft_nodes.h.
#include "explore/raft_nodes.h"

#include <algorithm>
#include <utility>

#include "explore/finding.h"

namespace scheduled::explore {

NodeStateId Nodes::Add(Replica node) {
  const auto [it, fresh] =
      ids_.try_emplace(node.Fingerprint(), static_cast<NodeStateId>(nodes_.size()));
  if (fresh) {
    auto known = std::make_unique<Known>(Known{std::move(node), {}});
    known->summary = known->node.Summary();
    nodes_.push_back(std::move(known));
  } else if (twin_share_ > 0 && ++twins_seen_ % twin_share_ == 0) {
    CheckTwin(at(it->second), node);
  }
  return it->second;
}

const Nodes::Outcome& Nodes::Take(NodeStateId id, NodeEvent event) {
  Require(event.argument < 1u << 28, "an argument fits its key");
  const uint64_t key =
      uint64_t{id} << 32 | static_cast<uint64_t>(event.kind) << 28 | uint64_t{event.argument};
  if (const auto known = steps_.find(key); known != steps_.end()) return *outcomes_[known->second];
  auto outcome = std::make_unique<Outcome>();
  Replica next = at(id);
  next.Take(event, &messages_, &outcome->sent);
  outcome->node = Add(std::move(next));
  steps_.emplace(key, static_cast<uint32_t>(outcomes_.size()));
  outcomes_.push_back(std::move(outcome));
  return *outcomes_.back();
}

// What a twin is given may be what this node could never get, so a step may fail; then both do.
void Nodes::CheckAlike(const Replica& known, const Replica& twin, NodeEvent event) {
  const auto act = [&](Replica node) {
    std::pair<std::string, std::vector<MessageId>> seen;
    try {
      node.Take(event, &messages_, &seen.second);
      seen.first = node.Fingerprint();
    } catch (const Finding& finding) {
      seen.first = finding.what;
      seen.second.clear();
    }
    return seen;
  };
  Require(act(known) == act(twin),
          "two nodes with one fingerprint act differently: the fingerprint lacks something");
}

void Nodes::CheckTwin(const Replica& known, const Replica& twin) {
  ++twins_checked_;
  const NodeSummary summary = known.Summary();
  CheckAlike(known, twin, {NodeEventKind::kTick});
  if (!summary.up) return CheckAlike(known, twin, {NodeEventKind::kRestart});
  CheckAlike(known, twin, {NodeEventKind::kCrash, summary.writes | kKeepsTables});
  CheckAlike(known, twin, {NodeEventKind::kDeadline});
  CheckAlike(known, twin, {NodeEventKind::kPropose, 5});
  if (summary.busy) CheckAlike(known, twin, {NodeEventKind::kPersist});
  if (summary.behind) CheckAlike(known, twin, {NodeEventKind::kApply});
  // Some of the messages that were ever sent to it, others each time.
  const int self = known.self();
  for (size_t i = 0; i < std::min<size_t>(messages_.size(), 40); ++i) {
    const auto id = static_cast<MessageId>((twins_checked_ * 37 + i * 101) % messages_.size());
    if (messages_.To(id) == self) CheckAlike(known, twin, {NodeEventKind::kDeliver, id});
  }
}

}  // namespace scheduled::explore
