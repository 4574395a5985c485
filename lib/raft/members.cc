// Changes of members, as a leader carries them out: chapter 4 of the dissertation, with joint
// consensus (section 6 of the Raft paper) wherever other nodes are to vote.
//
//   asked for      what changes the voters begins a joint phase; a new voter begins as a learner
//   caught up      a learner that is to be promoted begins a joint phase
//   joint          committed by both majorities, it is left by an entry of the leader's own
//   disk heard of  a voter whose disk was not known is written down with it, and counts from then
//   on left           a leader that is no voter any more hands over, once that is committed
//
// Each step waits until the one before is committed, and the first until the leader has committed
// in its own term: otherwise two leaders could change members from one start, without a common
// voter.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/codec.h"
#include "raft/core.h"

namespace scheduled::raft {
namespace {

// Those who count could elect a leader by themselves. Otherwise nobody would ever be elected who
// could write the other disks down.
bool HasKnownMajority(const Configuration& configuration) {
  const auto known = std::count_if(configuration.voters.begin(), configuration.voters.end(),
                                   [](const Member& voter) { return voter.disk.value != 0; });
  return 2 * static_cast<size_t>(known) > configuration.voters.size();
}

}  // namespace

// A change is under way as long as the newest configuration is not committed, or is joint.
bool Core::IsChangingMembers() const {
  return membership_.current_index() > commit_ || membership_.current().IsJoint();
}

void Core::On(ChangeMembers event) {
  const auto refuse = [&](ProposalFailure failure) {
    effects_.proposals_failed.push_back(ProposalFailed{event.id, failure});
  };
  if (role_ != Role::kLeader) return refuse(ProposalFailure::kNotLeader);
  if (transfer_ && transfer_->closing) return refuse(ProposalFailure::kTransferring);
  if (commit_ < term_start_ || IsChangingMembers()) {
    return refuse(ProposalFailure::kChangeInProgress);
  }
  std::optional<Configuration> target = Changed(membership_.current(), event.changes);
  if (!target) return refuse(ProposalFailure::kInvalid);
  if (options_.disk.value != 0 && !HasKnownMajority(*target)) {
    Probe("raft.change-waits-for-a-disk");
    return refuse(ProposalFailure::kChangeInProgress);
  }
  const LogPosition at = AppendConfiguration(StepTo(membership_.current(), *std::move(target)));
  NoteProposal(event.id, at);
  effects_.proposed.push_back(Proposed{event.id, at});
}

LogPosition Core::AppendConfiguration(const Configuration& configuration) {
  SCHEDULED_ASSERT(commit_ >= term_start_, "no change of members before the term's first commit");
  SCHEDULED_ASSERT(membership_.current_index() <= commit_ || IsPlanted(Bug::kJointLeftUncommitted),
                   "at most one configuration is not committed");
  return AppendOwn(EntryKind::kConfiguration, SharedBuffer(EncodeConfiguration(configuration)));
}

// Takes the next step of a change, if it is due. A new leader goes on where the old one stopped.
void Core::AdvanceMembers() {
  if (commit_ < term_start_) return;
  const bool joint = membership_.current().IsJoint();
  const bool early = joint && IsPlanted(Bug::kJointLeftUncommitted);
  if (membership_.current_index() > commit_ && !early) return;
  if (joint) {
    AppendConfiguration(WithoutOldVoters(membership_.current()));
    return;
  }
  if (!membership_.current().IsVoter(options_.self)) {
    if (transfer_) return;
    const NodeId target = MostCaughtUpVoter();
    if (!target.empty()) BeginTransfer(TransferId(), target);
    return;
  }
  if (transfer_ && transfer_->closing) return;
  if (const std::vector<Member> spoken = SpokenDisks(); !spoken.empty()) {
    const Configuration known = WithDisks(membership_.current(), spoken);
    if (known != membership_.current()) {
      Probe("raft.disk-written-down");
      AppendConfiguration(known);
      return;
    }
  }
  std::vector<Member> ready;
  for (const Learner& learner : membership_.current().learners) {
    const Progress& peer = *FindPeer(learner.member.id);
    if (learner.promote && HasCaughtUp(peer)) ready.push_back({peer.id(), "", peer.said_disk});
  }
  if (ready.empty()) return;
  const Configuration target = Promoted(membership_.current(), ready);
  if (!target.IsWellFormed()) return;  // more voters than there may be: they stay learners
  AppendConfiguration(StepTo(membership_.current(), target));
}

// The disks of those who have spoken from one that is not written down.
std::vector<Member> Core::SpokenDisks() const {
  std::vector<Member> spoken;
  for (const Progress& peer : peers_) {
    if (!peer.Counts()) spoken.push_back({peer.id(), "", peer.said_disk});
  }
  return spoken;
}

// It answers, and has everything that was committed a heartbeat ago: as a voter it will not hold
// the others up.
bool Core::HasCaughtUp(const Progress& peer) const {
  return peer.state() == PeerState::kReplicate && peer.match() >= commit_before_round_ &&
         peer.match() >= term_start_ && now_ < peer.last_active + options_.election_min;
}

}  // namespace scheduled::raft
