// The library's RaftNode, in this program: a seat at the abstract log. Linked before the library's
// own, which is not taken in as long as every method that lib/scheduler calls is here. The log is
// found through RaftParts::log_store, which is otherwise of no use here.
#include <utility>

#include "explore/abstract_log.h"
#include "explore/finding.h"
#include "explore/log_port.h"
#include "scheduled/raft_node.h"

namespace scheduled {

struct RaftNode::Impl {
  explicit Impl(explore::AbstractLog* abstract) : log(*abstract) {}
  ~Impl() { log.Leave(&seat); }

  explore::AbstractLog& log;
  explore::AbstractLog::Seat seat;
};

RaftNode::RaftNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RaftNode::~RaftNode() = default;

absl::StatusOr<std::unique_ptr<RaftNode>> RaftNode::OpenWith(RaftOptions, RaftParts parts) {
  auto* port = static_cast<explore::LogPort*>(parts.log_store);
  auto impl = std::make_unique<Impl>(port->log);
  impl->seat.node = port->node;
  absl::Status told = parts.on_cluster_id(std::string(16, 'c'));
  if (!told.ok()) return told;
  impl->seat.parts = std::move(parts);
  impl->log.Join(&impl->seat);
  return std::unique_ptr<RaftNode>(new RaftNode(std::move(impl)));
}

void RaftNode::Propose(std::string command, Completion<absl::StatusOr<Applied>> done,
                       ProposeOptions how) {
  if (how.term != Term() && how.term != impl_->seat.believes) {
    impl_->seat.parts.completions->Post([done = std::move(done)]() mutable {
      std::move(done)(absl::UnavailableError("another term"));
    });
    return;
  }
  impl_->log.Propose(&impl_->seat, std::move(command), std::move(done));
}

// Nothing that is explored reads by it, or hands over by itself: clocks agree.
void RaftNode::Barrier(Completion<absl::Status> done) {
  std::move(done)(absl::UnavailableError("not explored"));
}
void RaftNode::Transfer(std::optional<NodeId>, Completion<absl::Status> done) {
  std::move(done)(absl::FailedPreconditionError("not explored"));
}
ClusterStatus RaftNode::status() const { return {}; }
void RaftNode::Fail(const absl::Status& why) { throw explore::Finding{why.ToString()}; }

bool RaftNode::HasLease() const { return impl_->log.HasLease(&impl_->seat); }
bool RaftNode::HasLease(Term term) const { return HasLease() && term == impl_->seat.believes; }

void RaftNode::OnRoleChange(std::function<void(const RoleChange&)> observer) {
  impl_->seat.on_role = std::move(observer);
}

void RaftNode::OnApplicationFrame(std::function<void(const NodeId&, std::string)> handler) {
  impl_->seat.on_frame = std::move(handler);
}

void RaftNode::SendApplicationFrame(const NodeId& to, std::string frame) {
  const int other = to == explore::AbstractLog::Name(0) ? 0 : 1;
  impl_->log.on_send(impl_->seat.node, other, std::move(frame));
}

}  // namespace scheduled
