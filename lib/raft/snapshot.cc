// Snapshots, as far as the core has a say: when a peer needs one, whether one that has arrived is
// still of use, and what the log is after it. Pieces, files and the switch are the host's.
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/core.h"

namespace scheduled::raft {

SnapshotMeta Core::DescribeSnapshot(LogIndex index) const {
  SCHEDULED_ASSERT(index <= apply_through_, "a snapshot holds what is applied");
  const std::optional<Term> term = log_.TermAt(index);
  SCHEDULED_ASSERT(term.has_value(), "a snapshot is taken of what is not cut");
  const ConfigurationAt& at = IsPlanted(Bug::kSnapshotOfNewestMembers)
                                  ? membership_.history().back()
                                  : membership_.At(index);
  return SnapshotMeta{LogPosition{index, *term}, at.configuration, at.index};
}

void Core::On(const Message& message, const SnapshotRequest&) { AcceptLeader(message); }

void Core::On(const Message& message, const SnapshotReply& reply) {
  Progress* peer = role_ == Role::kLeader ? FindPeer(message.from) : nullptr;
  if (peer == nullptr) return;
  if (reply.index > log_.last()) {
    ++dropped_malformed_;
    return;
  }
  peer->Answered(now_);
  effects_.snapshot_answers.push_back(SnapshotAnswered{message.from, reply});
}

void Core::On(SnapshotSent event) {
  SCHEDULED_ASSERT(role_ != Role::kLeader || event.index <= log_.last(),
                   "a snapshot of this leader is of its own log");
  Progress* peer = role_ == Role::kLeader ? FindPeer(event.peer) : nullptr;
  if (peer != nullptr) peer->SnapshotEnded(event.index, event.installed);
}

void Core::On(SnapshotReceived event) {
  // A transfer of an earlier term has no standing any more; a later leader sends its own.
  const bool past = event.term != hard_state_.term && !IsPlanted(Bug::kTakesOldSnapshot);
  if (past || role_ != Role::kFollower || installing_) return;
  if (!leader_.empty() && leader_ != event.from) return;
  if (!IsWellFormed(event.meta, event.term)) {
    ++dropped_malformed_;
    return;
  }
  if (event.meta.at.index <= commit_ || log_.Contains(event.meta.at)) {
    // It has all of it, and perhaps acknowledged entries behind it, which an install would drop.
    // What a snapshot holds is committed.
    Probe("raft.snapshot-not-needed");
    if (event.meta.at.index > commit_) CommitThrough(event.meta.at.index);
    SendTo(event.from, AppendReply{true, commit_, LogIndex(), LogPosition()},
           writes_.SeqFor(commit_));
    return;
  }
  installing_ = event.meta;
  effects_.install = InstallSnapshot{event.from, event.transfer, std::move(event.meta)};
}

void Core::On(SnapshotRefused) {
  SCHEDULED_ASSERT(installing_.has_value(), "what was refused was to be installed");
  Probe("raft.snapshot-refused");
  installing_.reset();
}

void Core::On(SnapshotInstalled event) {
  SCHEDULED_ASSERT(installing_ == event.meta, "what was asked for has been installed");
  SCHEDULED_ASSERT(event.meta.at.index > commit_, "a snapshot never goes behind commit");
  SCHEDULED_ASSERT(event.meta.at.term <= hard_state_.term, "a snapshot is of the past");
  installing_.reset();
  const LogIndex index = event.meta.at.index;
  while (!own_proposals_.empty() && own_proposals_.front().at.index <= index) {
    effects_.proposals_failed.push_back(
        ProposalFailed{own_proposals_.front().id, ProposalFailure::kUnknown});
    own_proposals_.pop_front();
  }
  log_.ResetTo(event.meta.at);
  writes_.Reset(index);
  membership_.ResetTo(
      ConfigurationAt{event.meta.configuration_index, std::move(event.meta.configuration)});
  configuration_changed_ = true;
  commit_ = index;
  apply_through_ = index;
  applied_ = index;
  // The timer may have run out while this node was no voter; the snapshot may have made it one.
  if (election_deadline_ == MonoTime::Infinite()) {
    ArmElection(options_.election_min, options_.election_max);
  }
  if (leader_.empty()) return;
  SendTo(leader_, AppendReply{true, index, LogIndex(), LogPosition()}, writes_.HardStateSeq());
}

}  // namespace scheduled::raft
