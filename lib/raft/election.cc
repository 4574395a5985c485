// Elections: section 5.2 of the Raft paper, with pre-vote (dissertation, 9.6) and stickiness (6.2).
// A vote is given once in a term, and is durable before it is spoken of: the reply, and a
// candidate's own vote, wait for the write. So does a candidate's request, since it speaks of the
// candidate's log: a stale grant must not meet a log that a crash has made shorter.
#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/core.h"

namespace scheduled::raft {

void Core::AskForVotes(bool pre, bool transfer) {
  const IoSeq after_io = pre ? IoSeq() : writes_.SeqFor(log_.last());
  const Term term = pre ? hard_state_.term.Next() : hard_state_.term;
  const Configuration& configuration = membership_.current();
  for (const NodeId& id : configuration.Ids()) {
    if (id == options_.self || !configuration.IsVoter(id)) continue;
    SendTo(id, VoteRequest{pre, transfer, term, log_.last_position()}, after_io);
  }
}

// A leader heard from within the minimum election timeout has been promised not to be deposed: its
// lease rests on that.
bool Core::HearsLeader() const {
  if (IsPlanted(Bug::kVotesWhileLeaderAlive)) return false;
  return role_ == Role::kLeader || now_ < leader_heard_ + options_.election_min;
}

// Before it stopped, it may have made that promise and forgotten it.
bool Core::IsFreshlyStarted() const {
  if (IsPlanted(Bug::kRestartForgetsLease)) return false;
  return now_ < started_ + options_.election_min &&
         !membership_.current().IsSoleVoter(options_.self);
}

VoteRefusal Core::RefusalOf(const Message& message, const VoteRequest& request) const {
  if (request.campaign_term < hard_state_.term) return VoteRefusal::kTermPast;
  if (request.pre && request.campaign_term == hard_state_.term) return VoteRefusal::kTermPast;
  // The leader that asked for this election has given its lease up.
  if (!request.transfer) {
    if (HearsLeader()) return VoteRefusal::kLeaderAlive;
    if (IsFreshlyStarted()) return VoteRefusal::kRestarted;
  }
  if (!request.pre && request.campaign_term == hard_state_.term) {
    if (!hard_state_.vote.empty() && hard_state_.vote != message.from) return VoteRefusal::kVoted;
    if (!leader_.empty() && leader_ != message.from) return VoteRefusal::kLeaderAlive;
  }
  if (!IsAtLeastAsUpToDate(request.last, log_.last_position()) &&
      !IsPlanted(Bug::kVotesForShorterLog)) {
    return VoteRefusal::kLogBehind;
  }
  return VoteRefusal::kNone;
}

void Core::On(const Message& message, const VoteRequest& request) {
  VoteRefusal refusal = RefusalOf(message, request);
  if (request.pre) {
    SendTo(message.from,
           VoteReply{true, refusal == VoteRefusal::kNone, refusal, request.campaign_term});
    return;
  }
  // A promise to a living leader, or one that may be forgotten, outweighs the larger term.
  const bool ignored = refusal == VoteRefusal::kLeaderAlive || refusal == VoteRefusal::kRestarted;
  if (request.campaign_term > hard_state_.term && !ignored) {
    BecomeFollower(request.campaign_term, NodeId());
  }
  if (refusal != VoteRefusal::kNone) {
    SendTo(message.from, VoteReply{false, false, refusal, request.campaign_term});
    return;
  }
  SCHEDULED_ASSERT(hard_state_.term == request.campaign_term, "a vote is given in its term");
  // It was only asking whether it should stand itself.
  if (role_ == Role::kPreCandidate) BecomeFollower(hard_state_.term, NodeId());
  SCHEDULED_ASSERT(role_ == Role::kFollower, "whoever stands for itself has no vote left");
  if (hard_state_.vote != message.from) {
    SCHEDULED_ASSERT(hard_state_.vote.empty(), "a vote is given once in a term");
    hard_state_.vote = message.from;
    if (!IsPlanted(Bug::kVoteForgotten)) writes_.HardStateChanged();
  }
  ArmElection(options_.election_min, options_.election_max);
  SendTo(message.from, VoteReply{false, true, VoteRefusal::kNone, request.campaign_term},
         IsPlanted(Bug::kVoteSentUnsynced) ? IoSeq() : writes_.HardStateSeq());
}

// Of a member whose disk is not written down: nobody would know its promise for a broken one.
bool Core::IsFromUnknownDisk(const Message& message) const {
  return message.from_disk.value != 0 && membership_.current().Find(message.from)->disk.value == 0;
}

void Core::On(const Message& message, const VoteReply& reply) {
  const Role asked = reply.pre ? Role::kPreCandidate : Role::kCandidate;
  const Term term = reply.pre ? hard_state_.term.Next() : hard_state_.term;
  if (role_ != asked || reply.campaign_term != term) return;
  if (!membership_.current().IsVoter(message.from)) return;  // nobody asked it
  if (IsFromUnknownDisk(message)) {
    Probe("raft.vote-of-an-unknown-disk");
    return;
  }
  RecordVote(message.from, reply.granted ? Vote::kGranted : Vote::kRefused);
  if (!reply.granted) {
    // Nobody is heard that leads: what stood in the way will soon be gone, a rival or the last
    // moments of a promise. The randomness keeps rivals apart.
    const MonoTime again = now_ + random_.Between(options_.retry_min, options_.retry_max);
    election_deadline_ = std::min(election_deadline_, again);
  }
  DecideElection();
}

void Core::RecordVote(const NodeId& voter, Vote vote) {
  for (VoteOf& each : votes_) {
    if (each.voter == voter && !IsPlanted(Bug::kVotesCountedTwice)) {
      // A duplicate; or one that was given after all, to a request that came twice.
      if (vote == Vote::kGranted) each.vote = vote;
      return;
    }
  }
  votes_.push_back(VoteOf{voter, vote});
}

void Core::DecideElection() {
  const Tally tally = QuorumVotes(membership_.current(), [this](const NodeId& id) {
    const auto vote = std::find_if(votes_.begin(), votes_.end(),
                                   [&](const VoteOf& each) { return each.voter == id; });
    return vote == votes_.end() ? Vote::kMissing : vote->vote;
  });
  const bool enough =
      IsPlanted(Bug::kVotesCountedTwice) &&
      std::count_if(votes_.begin(), votes_.end(), [](const VoteOf& each) {
        return each.vote == Vote::kGranted;
      }) >= static_cast<std::ptrdiff_t>(MajorityOf(membership_.current().voters.size()));
  if (tally != Tally::kWon && !enough) return;
  if (role_ == Role::kPreCandidate) {
    BecomeCandidate(/*transfer=*/false);
  } else if (role_ == Role::kCandidate) {
    BecomeLeader();
  }
}

}  // namespace scheduled::raft
