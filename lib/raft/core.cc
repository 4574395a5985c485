// Events in, effects out: the frame around the parts of the protocol. What a role is and how it is
// left stands here; elections are in election.cc, a follower's work in follower.cc, a leader's in
// leader.cc, reads.cc, transfer.cc and members.cc, snapshots in snapshot.cc.
//
//   role          event                                      becomes
//   follower      election deadline                          pre-candidate (sole voter: candidate)
//                 TimeoutNow from its leader                 candidate
//   pre-candidate a quorum would vote for it                 candidate, in the next term
//   candidate     a quorum voted for it, its own vote and
//                 log durable                                leader
//   both          deadline, refusal and a short wait         pre-candidate
//   any           larger term, or (not leader) a leader of
//                 the same term                              follower
//   leader        no quorum heard for an election timeout,
//                 or TimeoutNow sent and nobody took over    follower
#include "raft/core.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"

namespace scheduled::raft {

Core::Core(Options options, Recovered recovered, MonoTime now)
    : options_(std::move(options)),
      random_(options_.seed),
      started_(now),
      now_(now),
      hard_state_(std::move(recovered.hard_state)),
      log_(recovered.base, recovered.last, std::move(recovered.terms)),
      writes_(log_.last()),
      membership_(std::move(recovered.configurations), recovered.applied.index),
      commit_(recovered.applied.index),
      apply_through_(commit_),
      applied_(commit_),
      round_sent_(kRememberedRounds) {
  SCHEDULED_ASSERT(options_.Validate().ok(), "options are validated before a core is made");
  SCHEDULED_ASSERT(log_.Contains(recovered.applied), "what is applied is in the log, or its base");
  SCHEDULED_ASSERT(hard_state_.term >= log_.last_position().term, "the term covers the log");
  SCHEDULED_ASSERT(membership_.current_index() <= log_.last(), "configurations are in the log");
  // An answer to what was asked before a restart must not pass for one to a later read.
  read_batch_ = ReadBatch(random_.Next() >> 3);
  reported_.role = role_;
  reported_.term = hard_state_.term;
  configuration_changed_ = true;
  if (membership_.current().IsSoleVoter(options_.self)) {
    election_deadline_ = now_;
  } else if (membership_.VoterSince(options_.self, commit_) != nullptr) {
    ArmElection(options_.election_min, options_.election_max);
  }
}

void Core::Step(MonoTime now, Event event) {
  now_ = std::max(now_, now);
  std::visit([this](auto& each) { On(std::move(each)); }, event);
}

Effects& Core::Drain() {
  RecycleDrained();
  if (role_ == Role::kLeader) {
    AdvanceMembers();
    AdvanceTransfer();
    ServeReads();
    Replicate();
  } else {
    ForwardReads();
  }
  FlushPersist();
  FlushApply();
  FlushRole();
  effects_.lease_until = LeaseUntil();
  effects_.next_deadline = NextDeadline();
  std::swap(effects_, drained_);
  effects_.Clear();
  return drained_;
}

void Core::FlushPersist() {
  const std::optional<Writes::Next> next = writes_.Take(now_, log_.last());
  if (!next) return;
  Persist& persist = effects_.persist.emplace();
  persist.io_seq = next->io_seq;
  const bool late = IsPlanted(Bug::kTermWrittenLater) && next->from <= log_.last();
  if (next->hard_state && !late) persist.hard_state = hard_state_;
  persist.truncate_from = next->truncate_from;
  SCHEDULED_ASSERT(next->from >= log_.tail_first(), "what is not written yet is in memory");
  if (next->from > log_.last()) return;
  persist.entries = TakeBuffer();
  log_.Copy(next->from, log_.last(), SIZE_MAX, SIZE_MAX, &persist.entries);
}

std::vector<Entry> Core::TakeBuffer() {
  if (spare_.empty()) return {};
  std::vector<Entry> buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

void Core::Recycle(std::vector<Entry>&& buffer) {
  if (buffer.capacity() == 0 || buffer.capacity() > kSpareEntries) return;
  if (spare_.size() == kSpareBuffers) return;
  buffer.clear();
  spare_.push_back(std::move(buffer));
}

// What the host has not moved out of the last effects.
void Core::RecycleDrained() {
  if (drained_.persist) Recycle(std::move(drained_.persist->entries));
  for (Send& send : drained_.sends) {
    if (auto* append = std::get_if<AppendRequest>(&send.message.body)) {
      Recycle(std::move(append->entries));
    }
  }
}

void Core::FlushApply() {
  const bool undurable = IsPlanted(Bug::kAppliesUndurable);
  const LogIndex through = undurable ? commit_ : std::min(commit_, writes_.durable());
  if (through <= apply_through_) return;
  effects_.apply = ApplyRange{apply_through_.Next(), through};
  apply_through_ = through;
}

void Core::FlushRole() {
  RoleChanged now{role_, hard_state_.term, leader_,
                  role_ == Role::kLeader ? term_start_ : LogIndex()};
  if (now != reported_) {
    reported_ = now;
    effects_.role_changes.push_back(std::move(now));
  }
  if (configuration_changed_) effects_.configuration = membership_.current();
  configuration_changed_ = false;
}

void Core::SendTo(const NodeId& to, MessageBody body, IoSeq after_io) {
  effects_.sends.push_back(Send{after_io, Message{options_.group, options_.self, to, options_.disk,
                                                  hard_state_.term, std::move(body)}});
}

bool Core::IsFromLostDisk(const Message& message) const {
  if (IsPlanted(Bug::kLostDiskBelieved)) return false;
  const Member* member = membership_.current().Find(message.from);
  return member != nullptr && member->disk.value != 0 && message.from_disk.value != 0 &&
         member->disk != message.from_disk;
}

// What a message claims or promises on behalf of a member's disk.
bool Core::IsPromise(const MessageBody& body) {
  return std::holds_alternative<VoteReply>(body) || std::holds_alternative<AppendReply>(body) ||
         std::holds_alternative<HeartbeatReply>(body) ||
         std::holds_alternative<SnapshotReply>(body);
}

// What only the leader of a term sends.
bool Core::IsFromLeader(const MessageBody& body) {
  return std::holds_alternative<AppendRequest>(body) || std::holds_alternative<Heartbeat>(body) ||
         std::holds_alternative<TimeoutNow>(body) || std::holds_alternative<SnapshotRequest>(body);
}

void Core::On(Message message) {
  if (message.group != options_.group || message.to != options_.self ||
      message.from == options_.self) {
    ++dropped_foreign_;
    return;
  }
  if (!IsWellFormed(message)) {
    ++dropped_malformed_;
    return;
  }
  if (IsPromise(message.body) && IsFromLostDisk(message)) {
    Probe("raft.promise-of-a-lost-disk");
    ++dropped_foreign_;
    return;
  }
  if (auto* request = std::get_if<VoteRequest>(&message.body)) {
    On(message, *request);  // with a rule of its own about terms
    return;
  }
  if (message.term > hard_state_.term) {
    BecomeFollower(message.term, IsFromLeader(message.body) ? message.from : NodeId());
  }
  if (message.term < hard_state_.term) {
    AnswerPastTerm(message);
    return;
  }
  if (role_ == Role::kLeader && IsPromise(message.body)) NoteDisk(message);
  std::visit([&](auto& body) { On(message, body); }, message.body);
}

// A member whose disk is not written down yet may lose it and come back with another: whatever it
// took on the first one is gone, and it begins anew.
void Core::NoteDisk(const Message& message) {
  Progress* peer = FindPeer(message.from);
  if (peer == nullptr || peer->disk().value != 0 || message.from_disk.value == 0) return;
  if (peer->said_disk.value != 0 && peer->said_disk != message.from_disk) {
    Probe("raft.disk-lost-before-it-counted");
    *peer = Progress(message.from, DiskId(), log_.last().Next(), now_);
  }
  peer->said_disk = message.from_disk;
}

// Silence would leave a deposed leader in the belief that it leads, and a node whose term ran ahead
// without a leader for ever.
void Core::AnswerPastTerm(const Message& message) {
  if (IsPlanted(Bug::kIgnoresPastTerms)) return;
  if (IsFromLeader(message.body) && !std::holds_alternative<TimeoutNow>(message.body)) {
    SendTo(message.from, HeartbeatReply{Round(), commit_});
  } else if (auto* read = std::get_if<ReadRequest>(&message.body)) {
    SendTo(message.from, ReadReply{read->batch, false, LogIndex()});
  } else if (auto* vote = std::get_if<VoteReply>(&message.body)) {
    On(message, *vote);  // a refusal may come from a smaller term
  }
}

void Core::On(Propose event) {
  for (Proposal& proposal : event.batch) {
    if (const auto failure = CannotPropose(proposal.bytes.size())) {
      effects_.proposals_failed.push_back(ProposalFailed{proposal.id, *failure});
      continue;
    }
    const LogPosition at = AppendOwn(EntryKind::kCommand, std::move(proposal.bytes));
    NoteProposal(proposal.id, at);
    effects_.proposed.push_back(Proposed{proposal.id, at});
  }
}

std::optional<ProposalFailure> Core::CannotPropose(size_t bytes) const {
  if (role_ != Role::kLeader) return ProposalFailure::kNotLeader;
  if (transfer_ && transfer_->closing) return ProposalFailure::kTransferring;
  if (bytes > options_.max_entry_bytes) return ProposalFailure::kTooLarge;
  if (log_.WeightAfter(applied_) + bytes + kEntryOverheadBytes > options_.max_unapplied_bytes) {
    Probe("raft.overloaded");
    return ProposalFailure::kOverloaded;
  }
  return std::nullopt;
}

void Core::On(PersistDone event) {
  if (!writes_.Done(event.io_seq)) return;
  if (own_vote_io_ != IoSeq() && own_vote_io_ <= event.io_seq) {
    own_vote_io_ = IoSeq();
    RecordVote(options_.self, Vote::kGranted);
    DecideElection();
  }
  if (role_ == Role::kLeader) MaybeCommit();
  TrimTail();
}

void Core::On(ApplyDone event) {
  SCHEDULED_ASSERT(event.index <= apply_through_, "no more is applied than was handed out");
  applied_ = std::max(applied_, event.index);
  TrimTail();
}

void Core::On(LogCut event) {
  if (event.through <= log_.base().index) return;
  SCHEDULED_ASSERT(event.through <= applied_, "only what is applied is cut from the log");
  log_.CutThrough(event.through);
  membership_.CutThrough(event.through);
}

void Core::TrimTail() { log_.Trim(std::min(applied_, writes_.durable()), options_.tail_bytes); }

void Core::On(Deadline) {
  if (role_ == Role::kLeader) {
    OnLeaderDeadline();
    return;
  }
  OnReadDeadline();
  if (now_ < election_deadline_) return;
  if (IsPromotable()) {
    if (membership_.current().IsSoleVoter(options_.self)) {
      BecomeCandidate(false);
    } else {
      BecomePreCandidate();
    }
    return;
  }
  // It cannot lead, but it notices that nobody else seems to.
  if (leader_ != NodeId()) BecomeFollower(hard_state_.term, NodeId());
  if (membership_.VoterSince(options_.self, commit_) != nullptr) {
    ArmElection(options_.election_min, options_.election_max);
  } else {
    election_deadline_ = MonoTime::Infinite();
  }
}

MonoTime Core::NextDeadline() const {
  if (role_ != Role::kLeader) return std::min(election_deadline_, read_batch_due_);
  MonoTime next = heartbeat_due_;
  if (transfer_) next = std::min(next, transfer_->deadline);
  // Once the disk counts as stalled, each heartbeat looks for somebody to hand over to.
  if (const auto since = writes_.OldestSince(); since && !peers_.empty() && !transfer_) {
    const MonoTime stalled = *since + options_.election_max;
    if (stalled > now_) next = std::min(next, stalled);
  }
  return next;
}

void Core::ArmElection(absl::Duration low, absl::Duration high) {
  election_deadline_ = now_ + random_.Between(low, high);
}

bool Core::IsPromotable() const {
  const Member* self = membership_.VoterSince(options_.self, commit_);
  if (self == nullptr || installing_) return false;
  if (options_.disk.value != 0 && self->disk != options_.disk) {
    // Of a disk that is not written down, its own vote would count no more than any other.
    Probe(self->disk.value == 0 ? "raft.own-disk-is-unknown" : "raft.own-disk-was-lost");
    return false;
  }
  return !IsDiskStalled();
}

bool Core::IsDiskStalled() const {
  const auto since = writes_.OldestSince();
  return since && *since + options_.election_max <= now_;
}

void Core::BecomeFollower(Term term, NodeId leader) {
  SCHEDULED_ASSERT(term >= hard_state_.term, "terms never go back");
  if (term > hard_state_.term || leader != leader_) FailReads(ReadFailure::kLeaderChanged);
  if (term > hard_state_.term) {
    hard_state_ = HardState{term, NodeId()};
    writes_.HardStateChanged();
  }
  if (role_ == Role::kLeader) {
    if (transfer_) EndTransfer(TransferOutcome::kDone);
    peers_.clear();
    heartbeat_due_ = MonoTime::Infinite();
    ArmElection(options_.election_min, options_.election_max);
  }
  role_ = Role::kFollower;
  leader_ = std::move(leader);
  votes_.clear();
  own_vote_io_ = IoSeq();
}

void Core::BecomePreCandidate() {
  SCHEDULED_ASSERT(role_ != Role::kLeader, "a leader does not campaign");
  BecomeFollower(hard_state_.term, NodeId());
  role_ = Role::kPreCandidate;
  ArmElection(options_.election_min, options_.election_max);
  RecordVote(options_.self, Vote::kGranted);
  AskForVotes(/*pre=*/true, /*transfer=*/false);
  DecideElection();
}

void Core::BecomeCandidate(bool transfer) {
  SCHEDULED_ASSERT(role_ != Role::kLeader, "a leader does not campaign");
  BecomeFollower(hard_state_.term.Next(), NodeId());
  role_ = Role::kCandidate;
  hard_state_.vote = options_.self;
  writes_.HardStateChanged();
  own_vote_io_ = writes_.HardStateSeq();
  ArmElection(options_.election_min, options_.election_max);
  AskForVotes(/*pre=*/false, transfer);
}

void Core::BecomeLeader() {
  SCHEDULED_ASSERT(role_ == Role::kCandidate, "only a candidate is elected");
  SCHEDULED_ASSERT(hard_state_.vote == options_.self, "a leader has its own vote");
  role_ = Role::kLeader;
  leader_ = options_.self;
  votes_.clear();
  election_deadline_ = MonoTime::Infinite();
  lease_given_up_ = false;
  peers_.clear();
  SyncPeers();
  term_start_ = AppendOwn(EntryKind::kNoop, SharedBuffer()).index;
  BeginRound();
}

void Core::CopyEntries(LogIndex from, LogIndex to, size_t max_bytes,
                       std::vector<Entry>* out) const {
  log_.Copy(from, to, max_bytes, SIZE_MAX, out);
}

Status Core::status() const {
  Status status;
  status.role = role_;
  status.term = hard_state_.term;
  status.leader = leader_;
  status.vote = hard_state_.vote;
  status.commit = commit_;
  status.applied = applied_;
  status.last = log_.last();
  status.durable = writes_.durable();
  status.first = log_.first();
  status.tail_first = log_.tail_first();
  status.term_start = role_ == Role::kLeader ? term_start_ : LogIndex();
  status.lease_until = LeaseUntil();
  status.transferring = transfer_.has_value();
  status.unapplied_bytes = log_.WeightAfter(applied_);
  status.pending_reads = leader_reads_.size() + forwarded_reads_.size();
  status.configuration = membership_.current();
  status.configuration_index = membership_.current_index();
  for (const Progress& peer : peers_) {
    status.peers.push_back(PeerStatus{peer.id(), peer.state(), peer.match(), peer.next(),
                                      peer.inflight_messages(), peer.inflight_bytes(),
                                      peer.last_active});
  }
  status.dropped_malformed = dropped_malformed_;
  status.dropped_foreign = dropped_foreign_;
  return status;
}

}  // namespace scheduled::raft
