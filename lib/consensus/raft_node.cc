// RaftNode: the public face of a Host.
#include "scheduled/raft_node.h"

#include <utility>

#include "consensus/host.h"
#include "consensus/inspect.h"
#include "consensus/owned_parts.h"

namespace scheduled {

struct RaftNode::Impl {
  std::unique_ptr<OwnedParts> owned;  // null where the caller owns them; outlives the host
  std::unique_ptr<Host> host;
};

RaftNode::RaftNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RaftNode::~RaftNode() = default;

absl::StatusOr<std::unique_ptr<RaftNode>> RaftNode::Open(
    RaftOptions options, std::unique_ptr<StateMachine> state_machine,
    std::unique_ptr<Transport> transport) {
  if (absl::Status valid = options.Validate(); !valid.ok()) return valid;
  absl::StatusOr<std::unique_ptr<OwnedParts>> owned =
      OwnedParts::Open(options.data_dir, std::move(state_machine), std::move(transport));
  if (!owned.ok()) return owned.status();
  absl::StatusOr<std::unique_ptr<RaftNode>> node = OpenWith(std::move(options), (*owned)->parts());
  if (node.ok()) (*node)->impl_->owned = *std::move(owned);
  return node;
}

absl::StatusOr<std::unique_ptr<RaftNode>> RaftNode::OpenWith(RaftOptions options, RaftParts parts) {
  absl::StatusOr<std::unique_ptr<Host>> host = Host::Open(std::move(options), std::move(parts));
  if (!host.ok()) return host.status();
  if (absl::Status started = (*host)->Start(); !started.ok()) return started;
  auto impl = std::make_unique<Impl>();
  impl->host = *std::move(host);
  return std::unique_ptr<RaftNode>(new RaftNode(std::move(impl)));
}

void RaftNode::Propose(std::string command, Completion<absl::StatusOr<Applied>> done,
                       ProposeOptions options) {
  impl_->host->Propose(std::move(command), std::move(done), options);
}
void RaftNode::Barrier(Completion<absl::Status> done) { impl_->host->Barrier(std::move(done)); }
void RaftNode::Transfer(std::optional<NodeId> to, Completion<absl::Status> done) {
  impl_->host->Transfer(std::move(to), std::move(done));
}
void RaftNode::ChangeMembers(std::vector<MemberChange> changes, Completion<absl::Status> done) {
  impl_->host->ChangeMembers(std::move(changes), std::move(done));
}
void RaftNode::Fail(const absl::Status& why) { impl_->host->Fail(why); }
ClusterStatus RaftNode::status() const { return impl_->host->status(); }
bool RaftNode::HasLease() const { return impl_->host->HasLease(); }
bool RaftNode::HasLease(Term term) const { return impl_->host->HasLease(term); }
void RaftNode::OnRoleChange(std::function<void(const RoleChange&)> observer) {
  impl_->host->OnRoleChange(std::move(observer));
}
void RaftNode::OnApplicationFrame(std::function<void(const NodeId&, std::string)> handler) {
  impl_->host->OnApplicationFrame(std::move(handler));
}
void RaftNode::SendApplicationFrame(const NodeId& to, std::string frame) {
  impl_->host->SendApplicationFrame(to, std::move(frame));
}

const raft::Core& RaftInspection::CoreOf(const RaftNode& node) { return node.impl_->host->core(); }
bool RaftInspection::IsWritten(const RaftNode& node) { return node.impl_->host->is_written(); }
InHand RaftInspection::InHandOf(const RaftNode& node) { return node.impl_->host->in_hand(); }

}  // namespace scheduled
