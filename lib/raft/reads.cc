// Linearizable reads: sections 6.4 and 6.4.1 of the dissertation. A leader that has committed in
// its term answers with its commit index: at once under its lease, otherwise when a quorum has
// answered a round of heartbeats that began after the read came. Reads that come meanwhile share
// the next round. A follower asks its leader for all reads of a batch at once.
#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/core.h"

namespace scheduled::raft {

void Core::On(ReadBarrier event) {
  if (leader_reads_.size() + forwarded_reads_.size() >= options_.max_pending_reads) {
    effects_.reads_failed.push_back(ReadFailed{event.id, ReadFailure::kOverloaded});
  } else if (role_ == Role::kLeader) {
    leader_reads_.push_back(LeaderRead{event.id, NodeId(), ReadBatch(), LogIndex(), Round()});
  } else if (leader_.empty()) {
    effects_.reads_failed.push_back(ReadFailed{event.id, ReadFailure::kNoLeader});
  } else {
    forwarded_reads_.push_back(ForwardedRead{event.id, ReadBatch(), now_ + options_.election_max});
  }
}

void Core::On(const Message& message, const ReadRequest& request) {
  if (role_ != Role::kLeader || leader_reads_.size() >= options_.max_pending_reads) {
    SendTo(message.from, ReadReply{request.batch, false, LogIndex()});
    return;
  }
  leader_reads_.push_back(LeaderRead{ReadId(), message.from, request.batch, LogIndex(), Round()});
}

void Core::Answer(const LeaderRead& read, LogIndex index) {
  SCHEDULED_ASSERT(index >= term_start_ || IsPlanted(Bug::kReadsBeforeFirstCommit),
                   "no read before the first commit of the term");
  if (read.follower.empty()) {
    effects_.reads_ready.push_back(ReadReady{read.id, index});
  } else {
    SendTo(read.follower, ReadReply{read.batch, true, index});
  }
}

void Core::ServeReads() {
  // Before its own term's first commit a leader does not know what its predecessors committed.
  const bool early = commit_ < term_start_ && !IsPlanted(Bug::kReadsBeforeFirstCommit);
  if (leader_reads_.empty() || early) return;
  const bool leased = LeaseValid(now_) || IsPlanted(Bug::kReadsWithoutQuorum);
  const Round acked = AckedRound();
  while (!leader_reads_.empty()) {
    const LeaderRead& read = leader_reads_.front();
    if (!leased && (read.round == Round() || read.round > acked)) break;
    Answer(read, leased ? commit_ : read.index);
    leader_reads_.pop_front();
  }
  if (leader_reads_.empty() || leader_reads_.back().round != Round()) return;
  // One round at a time: what has come since the last one began waits until it is answered.
  if (acked >= round_ || leader_reads_.front().round == Round()) BeginRound();
}

// The newest round of heartbeats that a quorum has answered.
Round Core::AckedRound() const {
  const int64_t acked =
      Reached(static_cast<int64_t>(round_.value), /*none=*/0,
              [](const Progress& peer) { return static_cast<int64_t>(peer.acked_round.value); });
  return Round(static_cast<uint64_t>(acked));
}

// A round has begun: it proves leadership for every read that came before it.
void Core::AssignRound() {
  if (commit_ < term_start_ && !IsPlanted(Bug::kReadsBeforeFirstCommit)) return;
  for (size_t i = leader_reads_.size(); i-- > 0 && leader_reads_[i].round == Round();) {
    leader_reads_[i].round = round_;
    leader_reads_[i].index = commit_;
  }
}

void Core::ForwardReads() {
  if (forwarded_reads_.empty()) {
    read_batch_due_ = MonoTime::Infinite();
    return;
  }
  if (read_batch_due_ != MonoTime::Infinite()) return;  // a batch is under way
  SCHEDULED_ASSERT(!leader_.empty(), "reads wait only where a leader is known");
  read_batch_ = read_batch_.Next();
  for (size_t i = forwarded_reads_.size(); i-- > 0 && forwarded_reads_[i].batch == ReadBatch();) {
    forwarded_reads_[i].batch = read_batch_;
  }
  read_batch_due_ = now_ + options_.heartbeat;
  SendTo(leader_, ReadRequest{read_batch_});
}

void Core::On(const Message& message, const ReadReply& reply) {
  if (role_ == Role::kLeader || message.from != leader_) return;
  if (reply.batch > read_batch_) return;  // asked for before this node restarted
  if (!reply.ok) {
    FailReads(ReadFailure::kLeaderChanged);
    return;
  }
  while (!forwarded_reads_.empty()) {
    const ForwardedRead& read = forwarded_reads_.front();
    if (read.batch == ReadBatch() || read.batch > reply.batch) break;
    effects_.reads_ready.push_back(ReadReady{read.id, reply.index});
    forwarded_reads_.pop_front();
  }
  if (reply.batch == read_batch_) read_batch_due_ = MonoTime::Infinite();
}

void Core::FailReads(ReadFailure failure) {
  for (; !leader_reads_.empty(); leader_reads_.pop_front()) {
    const LeaderRead& read = leader_reads_.front();
    if (read.follower.empty()) {
      effects_.reads_failed.push_back(ReadFailed{read.id, failure});
    } else {
      SendTo(read.follower, ReadReply{read.batch, false, LogIndex()});
    }
  }
  for (; !forwarded_reads_.empty(); forwarded_reads_.pop_front()) {
    effects_.reads_failed.push_back(ReadFailed{forwarded_reads_.front().id, failure});
  }
  read_batch_due_ = MonoTime::Infinite();
}

// A batch has had no answer for a heartbeat: it is asked again, with what has come since.
void Core::OnReadDeadline() {
  if (now_ < read_batch_due_) return;
  while (!forwarded_reads_.empty() && forwarded_reads_.front().deadline <= now_) {
    effects_.reads_failed.push_back(ReadFailed{forwarded_reads_.front().id, ReadFailure::kTimeout});
    forwarded_reads_.pop_front();
  }
  read_batch_due_ = MonoTime::Infinite();  // the next drain asks
}

}  // namespace scheduled::raft
