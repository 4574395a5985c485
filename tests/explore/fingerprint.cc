// See fingerprint.h. The order is that of Core's members.
#include "explore/fingerprint.h"

#include <algorithm>
#include <vector>

#include "base/assert.h"

namespace scheduled::raft {
namespace {

// The longest span, in ticks, that each kind of instant is compared with. Options are
// heartbeat 1, lease 2, election_min 2, election_max 3.
constexpr uint64_t kElectionMin = 2;
constexpr uint64_t kElectionMax = 3;
constexpr uint64_t kLease = 2;
constexpr uint64_t kHeartbeat = 1;

class Writer {
 public:
  Writer(MonoTime now, absl::Duration tick, std::string* out) : now_(now), tick_(tick), out_(out) {}

  void Number(uint64_t value) { Fingerprint::AppendNumber(value, out_); }
  void Name(const NodeId& id) {
    Number(id.value.size());
    *out_ += id.value;
  }
  void Age(MonoTime past, uint64_t longest) {
    Number(Fingerprint::Age(past, now_, tick_, longest));
  }
  void Left(MonoTime due) { Number(Fingerprint::Left(due, now_, tick_, kElectionMax)); }

 private:
  MonoTime now_;
  absl::Duration tick_;
  std::string* out_;
};

}  // namespace

void Fingerprint::AppendNumber(uint64_t value, std::string* out) {
  SCHEDULED_ASSERT(value < 0xff00, "the explorer's numbers are small");
  if (value >= 0xff) {
    out->push_back(static_cast<char>(0xff));
    out->push_back(static_cast<char>(value >> 8));
  }
  out->push_back(static_cast<char>(value & 0xff));
}

uint64_t Fingerprint::Age(MonoTime past, MonoTime now, absl::Duration tick, uint64_t longest) {
  if (past == MonoTime{INT64_MIN}) return longest;
  SCHEDULED_ASSERT(past <= now, "what has happened is not in the future");
  const auto ticks =
      static_cast<uint64_t>((now.nanos - past.nanos) / absl::ToInt64Nanoseconds(tick));
  return std::min(ticks, longest);
}

uint64_t Fingerprint::Left(MonoTime due, MonoTime now, absl::Duration tick, uint64_t longest) {
  if (due == MonoTime::Infinite()) return longest + 1;
  if (due <= now) return 0;
  const int64_t nanos = absl::ToInt64Nanoseconds(tick);
  return std::min(static_cast<uint64_t>((due.nanos - now.nanos + nanos - 1) / nanos), longest);
}

void Fingerprint::Append(const Core& core, MonoTime now, absl::Duration tick, std::string* out) {
  Writer w(now, tick, out);
  SCHEDULED_ASSERT(!core.installing_, "no snapshots are explored");
  SCHEDULED_ASSERT(core.leader_reads_.empty() && core.forwarded_reads_.empty(),
                   "no reads are explored");
  SCHEDULED_ASSERT(core.effects_.empty(), "a core is compared after it was drained");
  w.Age(core.started_, kElectionMin);
  w.Number(core.hard_state_.term.value);
  w.Name(core.hard_state_.vote);
  w.Number(core.log_.base().index.value);
  w.Number(core.log_.last().value);
  w.Number(core.log_.tail_first().value);

  const Writes& writes = core.writes_;
  const auto since_done = [&](IoSeq seq) {
    return seq > writes.done_ ? seq.value - writes.done_.value : 0;
  };
  w.Number(writes.durable_.value);
  w.Number(writes.handed_out_.value);
  w.Number(since_done(writes.next_));
  w.Number(since_done(writes.hard_state_seq_));
  w.Number(writes.hard_state_dirty_);
  w.Number(writes.truncate_from_ ? writes.truncate_from_->value + 1 : 0);
  w.Number(writes.pending_.size());
  for (const auto& write : writes.pending_) {
    w.Number(since_done(write.seq));
    w.Number(write.last.value);
    w.Age(write.since, kElectionMax);
  }

  // The configuration never changes here.
  w.Number(core.membership_.history().size());
  w.Number(core.membership_.current_index().value);
  w.Number(core.commit_.value);
  w.Number(core.apply_through_.value);
  w.Number(core.applied_.value);
  w.Number(static_cast<uint64_t>(core.role_));
  w.Name(core.leader_);
  w.Age(core.leader_heard_, kElectionMin);
  w.Left(core.election_deadline_);

  std::vector<std::pair<NodeId, Vote>> votes;  // counted, so their order means nothing
  for (const auto& vote : core.votes_) votes.emplace_back(vote.voter, vote.vote);
  std::sort(votes.begin(), votes.end());
  w.Number(votes.size());
  for (const auto& [voter, vote] : votes) {
    w.Name(voter);
    w.Number(static_cast<uint64_t>(vote));
  }
  w.Number(since_done(core.own_vote_io_));

  w.Number(core.own_proposals_.size());
  for (size_t i = 0; i < core.own_proposals_.size(); ++i) {
    w.Number(core.own_proposals_[i].id.value);
    w.Number(core.own_proposals_[i].at.index.value);
    w.Number(core.own_proposals_[i].at.term.value);
  }
  if (core.role_ != Role::kLeader) return;

  for (const Progress& peer : core.peers_) {
    w.Name(peer.id_);
    w.Number(static_cast<uint64_t>(peer.state_));
    w.Number(peer.match_.value);
    w.Number(peer.next_.value);
    w.Number(peer.probe_sent_);
    w.Number(peer.inflight_.size());
    for (size_t i = 0; i < peer.inflight_.size(); ++i) {
      w.Number(peer.inflight_[i].last.value);
      w.Number(peer.inflight_[i].bytes);
    }
    w.Age(peer.stirred_, kHeartbeat);
    w.Age(peer.last_active, kElectionMax);
    w.Number(peer.has_answered);
    w.Age(peer.acked_sent_at, kLease);
    w.Number(peer.told_commit.value);
    w.Number(peer.fetch != 0);
  }
  w.Number(core.term_start_.value);
  w.Number(core.commit_before_round_.value);
  w.Left(core.heartbeat_due_);
  w.Number(core.lease_given_up_);
  w.Number(core.transfer_.has_value());
  if (core.transfer_) {
    w.Name(core.transfer_->target);
    w.Number(core.transfer_->catch_up_to.value);
    w.Number(core.transfer_->closing);
    w.Number(core.transfer_->sent);
    w.Left(core.transfer_->deadline);
  }
}

}  // namespace scheduled::raft
