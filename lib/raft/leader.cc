// A leader's work: sections 5.3 and 5.4 of the Raft paper. Appends leave before its own write is
// durable (dissertation, 10.2.1); its own copy counts once it is. Entries of earlier terms are
// committed by one of its own behind them, never by counting.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/core.h"

namespace scheduled::raft {

Progress* Core::FindPeer(const NodeId& id) {
  const auto peer = std::lower_bound(peers_.begin(), peers_.end(), id,
                                     [](const Progress& a, const NodeId& b) { return a.id() < b; });
  return peer != peers_.end() && peer->id() == id ? &*peer : nullptr;
}
const Progress* Core::FindPeer(const NodeId& id) const {
  return const_cast<Core*>(this)->FindPeer(id);
}

// One progress for each member of the newest configuration but itself. What a member acknowledged
// on a disk that it has lost since counts no more.
void Core::SyncPeers() {
  std::vector<Progress> peers;
  for (const NodeId& id : membership_.current().Ids()) {
    if (id == options_.self) continue;
    const DiskId disk = membership_.current().Find(id)->disk;
    Progress* known = FindPeer(id);
    const bool is_same =
        known != nullptr &&
        (known->disk() == disk || (known->disk().value == 0 && known->said_disk == disk));
    if (is_same) {
      peers.push_back(std::move(*known));
      peers.back().Pin(disk);
    } else {
      peers.emplace_back(id, disk, log_.last().Next(), now_);
    }
  }
  peers_ = std::move(peers);
  if (peers_.empty()) {
    heartbeat_due_ = MonoTime::Infinite();
  } else if (heartbeat_due_ == MonoTime::Infinite()) {
    heartbeat_due_ = now_;
  }
}

LogPosition Core::AppendOwn(EntryKind kind, SharedBuffer bytes) {
  SCHEDULED_ASSERT(role_ == Role::kLeader, "only a leader adds to the log");
  const LogPosition at{log_.last().Next(), hard_state_.term};
  AppendToLog(Entry{at.term, at.index, kind, std::move(bytes)});
  return at;
}

// Truncation settles nothing: what this node gave up another may still hold, and commit. A proposal
// ends when its index is committed, while the log still says with which entry.
void Core::NoteProposal(ProposalId id, LogPosition at) {
  own_proposals_.push_back(OwnProposal{id, at});
  for (size_t i = own_proposals_.size() - 1; i > 0; --i) {
    if (own_proposals_[i - 1].at.index <= at.index) break;
    std::swap(own_proposals_[i - 1], own_proposals_[i]);
  }
}

void Core::MaybeCommit() {
  const LogIndex own = IsPlanted(Bug::kCountsOwnUndurable) ? log_.last() : writes_.durable();
  const int64_t reached =
      Reached(static_cast<int64_t>(own.value), /*none=*/0,
              [](const Progress& peer) { return static_cast<int64_t>(peer.match().value); });
  const LogIndex index(static_cast<uint64_t>(reached));
  if (index <= commit_) return;
  SCHEDULED_ASSERT(index <= log_.last(), "nothing is committed that is not in the log");
  const bool own_term = log_.TermAt(index) == hard_state_.term;
  if (!own_term && !IsPlanted(Bug::kCommitsOldTermsByCounting)) return;
  CommitThrough(index);
}

void Core::CommitThrough(LogIndex index) {
  SCHEDULED_ASSERT(index > commit_ && index <= log_.last(), "commit grows, within the log");
  commit_ = index;
  while (!own_proposals_.empty() && own_proposals_.front().at.index <= commit_) {
    const OwnProposal& proposal = own_proposals_.front();
    if (!log_.Contains(proposal.at) && !IsPlanted(Bug::kSuccessAfterStepDown)) {
      Probe("raft.proposal-superseded");
      effects_.proposals_failed.push_back(
          ProposalFailed{proposal.id, ProposalFailure::kSuperseded});
    }
    own_proposals_.pop_front();
  }
}

void Core::Replicate() {
  for (Progress& peer : peers_) {
    while (!peer.IsPaused(options_.max_inflight_messages, options_.max_inflight_bytes)) {
      if (peer.state() == PeerState::kReplicate && peer.next() > log_.last()) {
        // All is sent; the commit index alone may be news. While something is under way its answer
        // will bring us here again.
        if (peer.inflight_messages() == 0 && peer.told_commit < commit_) {
          SendAppend(peer, {}, /*quiet=*/true);
        }
        break;
      }
      if (!SendNext(peer)) break;
    }
  }
}

// Sends what follows, or asks for it. False if nothing can be sent now.
bool Core::SendNext(Progress& peer) {
  if (peer.next() < log_.first()) {
    if (now_ >= peer.last_active + options_.election_max) return false;  // to nobody that is dead
    Probe("raft.needs-snapshot");
    peer.BecomeSnapshot();
    effects_.send_snapshots.push_back(SendSnapshot{peer.id(), log_.base().index});
    return false;
  }
  if (peer.next() < log_.tail_first() && peer.next() <= log_.last()) {
    if (peer.fetch != 0) return false;
    peer.fetch = ++last_fetch_;
    effects_.fetches.push_back(FetchEntries{peer.fetch, peer.id(), peer.next(),
                                            log_.tail_first().Prev(), options_.max_append_bytes});
    return false;
  }
  std::vector<Entry> entries = TakeBuffer();
  log_.Copy(peer.next(), log_.last(), options_.max_append_bytes, options_.max_append_entries,
            &entries);
  SendAppend(peer, std::move(entries), /*quiet=*/false);
  return true;
}

void Core::SendAppend(Progress& peer, std::vector<Entry> entries, bool quiet) {
  const LogIndex previous = peer.next().Prev();
  const LogIndex through(previous.value + entries.size());
  size_t bytes = 0;
  for (const Entry& entry : entries) bytes += EntryWeight(entry);
  SCHEDULED_ASSERT(entries.empty() || entries.front().index == peer.next(),
                   "an append begins where the follower's log ends");
  peer.told_commit = std::max(peer.told_commit, std::min(commit_, through));
  if (!quiet) peer.Sent(now_, through, bytes);
  SendTo(peer.id(), AppendRequest{LogPosition{previous, *log_.TermAt(previous)}, commit_, quiet,
                                  std::move(entries)});
}

void Core::On(EntriesRead event) {
  const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const Progress& each) {
    return event.fetch != 0 && each.fetch == event.fetch;
  });
  if (peer == peers_.end()) return;  // of an earlier term, or it is probed again since
  peer->fetch = 0;
  if (!event.found) {
    // Cut in the meantime; the core hears of the cut as well, and will see that a snapshot is due.
    SCHEDULED_ASSERT(event.entries.empty(), "what is not found has no entries");
    return;
  }
  SCHEDULED_ASSERT(!event.entries.empty(), "what is found has entries");
  if (event.entries.front().index != peer->next() || peer->next() < log_.first()) return;
  if (peer->IsPaused(options_.max_inflight_messages, options_.max_inflight_bytes)) return;
  SendAppend(*peer, std::move(event.entries), /*quiet=*/false);
}

void Core::On(const Message& message, const AppendReply& reply) {
  Progress* peer = role_ == Role::kLeader ? FindPeer(message.from) : nullptr;
  if (peer == nullptr) return;
  if (reply.match > log_.last() || reply.previous > log_.last()) {
    ++dropped_malformed_;  // it speaks of entries that were never sent
    return;
  }
  peer->Answered(now_);
  if (!reply.taken) {
    const LogPosition common = log_.LastAtOrBefore(reply.hint.index, reply.hint.term);
    peer->Refused(reply.previous, common.index.Next());
    return;
  }
  const bool fresh = peer->Taken(now_, reply.match);
  if (peer->state() == PeerState::kSnapshot && peer->match() >= log_.base().index) {
    peer->SnapshotEnded(peer->match(), true);
  }
  if (fresh) MaybeCommit();
}

void Core::On(const Message& message, const HeartbeatReply& reply) {
  Progress* peer = role_ == Role::kLeader ? FindPeer(message.from) : nullptr;
  if (peer == nullptr) return;
  if (reply.round > round_) {
    ++dropped_malformed_;
    return;
  }
  peer->Answered(now_);
  if (reply.round > peer->acked_round) {
    peer->acked_round = reply.round;
    if (reply.round.value + kRememberedRounds > round_.value) {
      peer->acked_sent_at = round_sent_[reply.round.value % kRememberedRounds];
    }
  }
  if (peer->inflight_messages() == 0 && reply.commit < std::min(commit_, peer->match())) {
    peer->told_commit = std::min(peer->told_commit, reply.commit);  // the word of it was lost
  }
  if (peer->AnsweredHeartbeat(now_, options_.heartbeat)) {
    Probe("raft.window-checked");
    if (peer->next() < log_.first()) {
      peer->BecomeProbe();  // what is under way was cut here since
    } else {
      SendAppend(*peer, {}, /*quiet=*/false);
    }
  }
}

void Core::BeginRound() {
  round_ = round_.Next();
  round_sent_[round_.value % kRememberedRounds] = now_;
  for (const Progress& peer : peers_) SendTo(peer.id(), Heartbeat{round_});
  AssignRound();
  commit_before_round_ = commit_;
  heartbeat_due_ = peers_.empty() ? MonoTime::Infinite() : now_ + options_.heartbeat;
}

void Core::OnLeaderDeadline() {
  OnTransferDeadline();
  if (role_ != Role::kLeader) return;
  HandOverIfDiskStalled();
  if (now_ < heartbeat_due_) return;
  if (!HearsQuorum()) {
    Probe("raft.lost-quorum");
    BecomeFollower(hard_state_.term, NodeId());
    return;
  }
  BeginRound();
}

bool Core::HearsQuorum() const {
  const int64_t heard =
      Reached(INT64_MAX, INT64_MIN, [](const Progress& peer) { return peer.last_active.nanos; });
  return now_ < MonoTime{heard} + options_.election_max;
}

MonoTime Core::LeaseUntil() const {
  const bool given_up = lease_given_up_ && !IsPlanted(Bug::kLeaseAfterTimeoutNow);
  if (role_ != Role::kLeader || given_up || commit_ < term_start_) {
    return MonoTime{INT64_MIN};
  }
  // The last voter of a group that this node is leaving takes itself for the only one: it does not
  // wait after a restart, and remembers no promise.
  if (!membership_.IsVoterThroughout(options_.self, commit_)) return MonoTime{INT64_MIN};
  const int64_t sent =
      Reached(INT64_MAX, INT64_MIN, [](const Progress& peer) { return peer.acked_sent_at.nanos; });
  if (sent == INT64_MIN) return MonoTime{INT64_MIN};
  return MonoTime{sent} + options_.lease;
}

}  // namespace scheduled::raft
