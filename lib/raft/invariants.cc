// The naive recount of what a core keeps as running figures, in the order of its members. Tests and
// the simulator call it after every event; production never does.
#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/core.h"

namespace scheduled::raft {

void Core::CheckInvariants(uint64_t newest) const {
  SCHEDULED_ASSERT(hard_state_.term >= log_.last_position().term, "the term covers the log");
  log_.CheckInvariants(newest);
  writes_.CheckInvariants(log_.last());
  SCHEDULED_ASSERT(membership_.current_index() <= log_.last(), "configurations are in the log");
  SCHEDULED_ASSERT(membership_.history().front().index <= commit_,
                   "the configuration at the commit index is known");
  SCHEDULED_ASSERT(commit_ >= log_.base().index && commit_ <= log_.last(),
                   "commit is within the log");
  SCHEDULED_ASSERT(apply_through_ <= commit_, "only what is committed is applied");
  SCHEDULED_ASSERT(apply_through_ <= writes_.durable(), "only what is durable here is applied");
  SCHEDULED_ASSERT(applied_ <= apply_through_, "only what was handed out is applied");
  SCHEDULED_ASSERT(applied_ >= log_.base().index, "only what is applied is cut");
  SCHEDULED_ASSERT(log_.tail_first() <= writes_.durable().Next(),
                   "what is not durable stays in memory");

  const bool campaigning = role_ == Role::kPreCandidate || role_ == Role::kCandidate;
  SCHEDULED_ASSERT(campaigning || votes_.empty(), "votes belong to a campaign");
  SCHEDULED_ASSERT(role_ == Role::kCandidate || own_vote_io_ == IoSeq(),
                   "only a candidate waits for its own vote");
  SCHEDULED_ASSERT(!campaigning || leader_.empty(), "who campaigns knows of no leader");
  SCHEDULED_ASSERT((role_ == Role::kLeader) == (leader_ == options_.self),
                   "who leads knows it, and only who leads is its own leader");
  SCHEDULED_ASSERT(role_ == Role::kLeader || (peers_.empty() && !transfer_),
                   "progress and transfer belong to a leader");
  if (role_ == Role::kLeader) CheckLeader();
  CheckProposals();
  CheckReads();
}

Recovered Core::ToRecover() const {
  Recovered recovered;
  recovered.hard_state = hard_state_;
  recovered.base = log_.base();
  recovered.last = log_.last();
  recovered.terms = log_.runs();
  recovered.configurations = membership_.history();
  recovered.applied = {applied_, *log_.TermAt(applied_)};
  return recovered;
}

void Core::CheckLeader() const {
  SCHEDULED_ASSERT(hard_state_.vote == options_.self, "a leader has its own vote");
  SCHEDULED_ASSERT(term_start_ < log_.base().index || log_.TermAt(term_start_) == hard_state_.term,
                   "its no-op opens its term");
  SCHEDULED_ASSERT(log_.TermAt(term_start_.Prev()) != hard_state_.term,
                   "nothing of the term stands before its no-op");
  std::vector<NodeId> ids = membership_.current().Ids();
  std::erase(ids, options_.self);
  SCHEDULED_ASSERT(ids.size() == peers_.size(), "one progress for each member but itself");
  for (size_t i = 0; i < ids.size(); ++i) {
    SCHEDULED_ASSERT(peers_[i].id() == ids[i], "progress is in the order of the members");
    peers_[i].CheckInvariants(log_.last());
    SCHEDULED_ASSERT(peers_[i].acked_round <= round_, "no round is answered before it begins");
    SCHEDULED_ASSERT(peers_[i].told_commit <= commit_,
                     "no follower is told more than is committed");
  }
  CheckCommit();
  const auto uncommitted =
      std::count_if(membership_.history().begin(), membership_.history().end(),
                    [this](const ConfigurationAt& each) { return each.index > commit_; });
  SCHEDULED_ASSERT(commit_ < term_start_ || uncommitted <= 1,
                   "at most one configuration is not committed");
  SCHEDULED_ASSERT(!transfer_ || !transfer_->sent || lease_given_up_,
                   "TimeoutNow gives the lease up");
}

// What this leader committed in its own term is durable at a majority, counted one by one.
void Core::CheckCommit() const {
  if (commit_ < term_start_) return;
  const Configuration& configuration = membership_.current();
  if (membership_.current_index() > commit_) return;  // counted with the one before
  for (const auto* voters : {&configuration.voters, &configuration.old_voters}) {
    size_t have = 0;
    for (const Member& voter : *voters) {
      if (voter.id == options_.self) {
        have += writes_.durable() >= commit_;
      } else {
        const Progress& peer = *FindPeer(voter.id);
        have += peer.Counts() && peer.match() >= commit_;
      }
    }
    SCHEDULED_ASSERT(2 * have > voters->size() || voters->empty(),
                     "what is committed is durable at a majority");
  }
}

void Core::CheckProposals() const {
  LogPosition before{commit_, Term(UINT64_MAX)};
  for (size_t i = 0; i < own_proposals_.size(); ++i) {
    const LogPosition at = own_proposals_[i].at;
    SCHEDULED_ASSERT(at.index > commit_, "a proposal ends when its index is committed");
    SCHEDULED_ASSERT(at.index > before.index || (at.index == before.index && at.term > before.term),
                     "proposals are in the order of their positions");
    before = at;
  }
}

void Core::CheckReads() const {
  SCHEDULED_ASSERT(role_ == Role::kLeader || leader_reads_.empty(), "only a leader proves reads");
  SCHEDULED_ASSERT(role_ != Role::kLeader || forwarded_reads_.empty(), "a leader asks nobody");
  SCHEDULED_ASSERT(forwarded_reads_.empty() || !leader_.empty(),
                   "reads wait only where a leader is known");
  Round round;
  bool open = false;
  for (size_t i = 0; i < leader_reads_.size(); ++i) {
    const LeaderRead& read = leader_reads_[i];
    SCHEDULED_ASSERT(!open || read.round == Round(), "reads without a round stand behind");
    open = read.round == Round();
    SCHEDULED_ASSERT(open || (read.round >= round && read.round <= round_), "rounds are in order");
    SCHEDULED_ASSERT(open || read.index >= term_start_ || IsPlanted(Bug::kReadsBeforeFirstCommit),
                     "no read before the term's first commit");
    if (!open) round = read.round;
  }
}

}  // namespace scheduled::raft
