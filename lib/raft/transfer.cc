// Handing leadership over: section 3.10 of the dissertation, and what a lease makes of it.
//
//   catching up   proposals are taken until the target has what the log held when it began, and
//                 its disk is written down: before, it would not campaign
//   closing       proposals are refused until the target has all: a round trip or two
//   sent          TimeoutNow is out. It may come late, and the votes that it leads to pass
//                 stickiness: lease, and all that rests on it, is given up for the rest of the
//                 term. If nobody takes over, this node steps down and campaigns anew.
//
// A transfer that does not get as far as "sent" within an election timeout is dropped.
#include <algorithm>

#include "base/assert.h"
#include "raft/core.h"

namespace scheduled::raft {

void Core::On(TransferTo event) {
  const NodeId target = event.target.empty() ? MostCaughtUpVoter() : event.target;
  const Progress* peer = FindPeer(target);
  const bool possible = role_ == Role::kLeader && !transfer_ && target != options_.self &&
                        peer != nullptr && peer->Counts() && membership_.current().IsVoter(target);
  if (!possible) {
    effects_.transfers_ended.push_back(TransferEnded{event.id, TransferOutcome::kRefused});
    return;
  }
  BeginTransfer(event.id, target);
}

void Core::BeginTransfer(TransferId id, const NodeId& target) {
  transfer_ = Transfer{id, target, log_.last(), false, false, now_ + options_.election_max};
}

// Of the voters that answer; empty if there is none. One that has not in this term may be dead, or
// come from a disk that is not written down, and could not campaign.
NodeId Core::MostCaughtUpVoter() const {
  const Progress* best = nullptr;
  for (const Progress& peer : peers_) {
    if (!membership_.current().IsVoter(peer.id())) continue;
    if (!peer.has_answered || !peer.Counts()) continue;
    if (peer.last_active + options_.election_min <= now_) continue;
    if (best == nullptr || peer.match() > best->match()) best = &peer;
  }
  return best == nullptr ? NodeId() : best->id();
}

void Core::AdvanceTransfer() {
  if (!transfer_ || transfer_->sent) return;
  const Progress* target = FindPeer(transfer_->target);
  if (target == nullptr) {
    EndTransfer(TransferOutcome::kTimedOut);  // removed in the meantime
    return;
  }
  if (!target->Counts()) return;  // its disk is heard of only now, and is written down first
  if (target->match() >= transfer_->catch_up_to) transfer_->closing = true;
  if (!transfer_->closing || target->match() != log_.last()) return;
  transfer_->sent = true;
  transfer_->deadline = now_ + options_.election_max;
  lease_given_up_ = true;
  SendTo(transfer_->target, TimeoutNow{});
}

void Core::OnTransferDeadline() {
  if (!transfer_) return;
  if (now_ < transfer_->deadline) {
    // With each heartbeat once more, for the case that it was lost.
    if (transfer_->sent && now_ >= heartbeat_due_) SendTo(transfer_->target, TimeoutNow{});
    return;
  }
  if (!transfer_->sent && !IsDiskStalled()) {
    EndTransfer(TransferOutcome::kTimedOut);
    return;
  }
  Probe("raft.transfer-abandoned");
  BecomeFollower(hard_state_.term, NodeId());
  election_deadline_ = now_;
}

void Core::EndTransfer(TransferOutcome outcome) {
  if (transfer_->id != TransferId()) {
    effects_.transfers_ended.push_back(TransferEnded{transfer_->id, outcome});
  }
  transfer_.reset();
}

// Heartbeats go on while the disk hangs, so nobody else would ever take over.
void Core::HandOverIfDiskStalled() {
  if (transfer_ || !IsDiskStalled()) return;
  const NodeId target = MostCaughtUpVoter();
  if (target.empty()) return;
  Probe("raft.disk-stalled");
  BeginTransfer(TransferId(), target);
}

}  // namespace scheduled::raft
