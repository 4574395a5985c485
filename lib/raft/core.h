// The Raft state machine of one replica of one group: a pure function of its inputs. It owns no
// thread, clock, random device, file, lock or logger, never blocks and never throws. Its host steps
// it with events and does what the effects say; both on one lane (raft), or in a test by hand.
//
//   core.Step(now, event);                        any number of times
//   Effects& effects = core.Drain();              what is to be done; valid until the next call
//
// `now` must not fall. Where a message waits for a write, the effect says so (Send::after_io).
#ifndef SCHEDULED_LIB_RAFT_CORE_H_
#define SCHEDULED_LIB_RAFT_CORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "raft/effects.h"
#include "raft/event.h"
#include "raft/log.h"
#include "raft/membership.h"
#include "raft/options.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/reads.h"
#include "raft/ring.h"
#include "raft/writes.h"

namespace scheduled::raft {

// What a replica finds on its disk when it starts.
struct Recovered {
  HardState hard_state;
  LogPosition base;  // the position before the first entry in the log; {0, 0} for a whole log
  LogIndex last;     // of the log; base.index if it is empty
  std::vector<TermRun> terms;  // of the entries after base, ascending in both
  // At least the newest configuration at or before `applied` (of a snapshot, or index 0 for one
  // that the cluster was founded with; none if the node belonged to no group then), and every one
  // that the log has after it. Ascending.
  std::vector<ConfigurationAt> configurations;
  // What the state machine has applied, and how far it is committed therefore. In the log, or its
  // base: where an installed snapshot is ahead of the log, the host first resets the log to it.
  LogPosition applied;
};

struct PeerStatus {
  NodeId id;
  PeerState state = PeerState::kProbe;
  LogIndex match;
  LogIndex next;
  size_t inflight_messages = 0;
  size_t inflight_bytes = 0;
  MonoTime last_active;
};

struct Status {
  Role role = Role::kFollower;
  Term term;
  NodeId leader;  // empty: not known
  NodeId vote;
  LogIndex commit;
  LogIndex applied;
  LogIndex last;
  LogIndex durable;
  LogIndex first;       // of the log
  LogIndex tail_first;  // of what is in memory; last + 1 if nothing is
  LogIndex term_start;  // leader: its no-op
  MonoTime lease_until;
  bool transferring = false;
  size_t unapplied_bytes = 0;
  size_t pending_reads = 0;
  Configuration configuration;
  LogIndex configuration_index;
  std::vector<PeerStatus> peers;   // leader only
  uint64_t dropped_malformed = 0;  // input from peers that no correct peer sends
  uint64_t dropped_foreign = 0;    // for another group or node, or from a disk that lost its place
};

class Core {
 public:
  // Preconditions: `options` is valid; `recovered` is consistent (asserted).
  Core(Options options, Recovered recovered, MonoTime now);

  void Step(MonoTime now, Event event);
  // What is to be done because of the steps since the last call.
  Effects& Drain();

  Status status() const;
  Role role() const { return role_; }
  Term term() const { return hard_state_.term; }
  const NodeId& leader() const { return leader_; }
  LogIndex commit() const { return commit_; }
  LogIndex applied() const { return applied_; }
  // Of entries that are in memory because they are committed and not applied yet.
  size_t bytes_to_apply() const { return log_.WeightAfter(applied_) - log_.WeightAfter(commit_); }
  LogIndex last() const { return log_.last(); }
  LogIndex durable() const { return writes_.durable(); }
  // The newest in the log, committed or not.
  const Configuration& configuration() const { return membership_.current(); }
  LogIndex configuration_index() const { return membership_.current_index(); }

  // Until when no other node can have become leader: the leader's lease, 250 ms from the send time
  // of the newest round of heartbeats that a quorum has answered. For ever where this node is the
  // only voter. In the past (the smallest instant) if this node does not lead, has not committed in
  // its term, has sent TimeoutNow, or is leaving the group.
  MonoTime LeaseUntil() const;
  bool LeaseValid(MonoTime now) const { return now < LeaseUntil(); }

  // Appends copies of the entries from `from` through `to` that are still in memory to `out`, at
  // most about `max_bytes`, but never none if `from` is in memory. Otherwise none: the host reads
  // the log.
  void CopyEntries(LogIndex from, LogIndex to, size_t max_bytes, std::vector<Entry>* out) const;
  // Of the log's start and all behind it.
  std::optional<Term> TermAt(LogIndex index) const { return log_.TermAt(index); }

  // What a snapshot of the state after the entry at `index` stands for. Precondition: `index` was
  // handed out to be applied and is not cut.
  SnapshotMeta DescribeSnapshot(LogIndex index) const;

  // What a restart is to find once all of it is durable: what the core was built from, as it stands
  // now. For tests and simulation.
  Recovered ToRecover() const;

  // Recounts what is kept as a running figure, of the entries in memory the `newest` only. For
  // tests and simulation; the checks are in the order of the members.
  void CheckInvariants(uint64_t newest = UINT64_MAX) const;

 private:
  friend struct Fingerprint;  // tests/explore compares states by it

  // What a leader that hands over is doing. `sent`: TimeoutNow is out, this term is given up.
  struct Transfer {
    TransferId id;
    NodeId target;
    LogIndex catch_up_to;  // once the target is there, proposals are refused until it has all
    bool closing = false;  // refused now
    bool sent = false;
    MonoTime deadline;
  };
  struct OwnProposal {
    ProposalId id;
    LogPosition at;
  };
  struct VoteOf {
    NodeId voter;
    Vote vote = Vote::kMissing;
  };
  static constexpr size_t kSpareBuffers = 32;
  static constexpr size_t kSpareEntries = 1024;  // a larger buffer is freed
  // Send times are remembered for this many rounds; an answer to an older one renews no lease.
  static constexpr size_t kRememberedRounds = 512;

  // core.cc: the frame.
  void On(Message message);
  void On(Propose event);
  void On(PersistDone event);
  void On(ApplyDone event);
  void On(LogCut event);
  void On(Deadline event);
  static bool IsPromise(const MessageBody& body);
  static bool IsFromLeader(const MessageBody& body);
  bool IsFromLostDisk(const Message& message) const;
  void NoteDisk(const Message& message);
  void AnswerPastTerm(const Message& message);
  std::optional<ProposalFailure> CannotPropose(size_t bytes) const;
  void TrimTail();
  std::vector<Entry> TakeBuffer();
  void Recycle(std::vector<Entry>&& buffer);
  void RecycleDrained();
  void FlushPersist();
  void FlushApply();
  void FlushRole();
  void SendTo(const NodeId& to, MessageBody body, IoSeq after_io = IoSeq());
  void BecomeFollower(Term term, NodeId leader);
  void BecomePreCandidate();
  void BecomeCandidate(bool transfer);
  void BecomeLeader();
  bool IsPromotable() const;
  bool IsDiskStalled() const;
  void ArmElection(absl::Duration low, absl::Duration high);
  MonoTime NextDeadline() const;

  // election.cc
  void AskForVotes(bool pre, bool transfer);
  void On(const Message& message, const VoteRequest& request);
  void On(const Message& message, const VoteReply& reply);
  VoteRefusal RefusalOf(const Message& message, const VoteRequest& request) const;
  bool HearsLeader() const;
  bool IsFreshlyStarted() const;
  bool IsFromUnknownDisk(const Message& message) const;
  void RecordVote(const NodeId& voter, Vote vote);
  void DecideElection();

  // follower.cc
  bool AcceptLeader(const Message& message);
  void On(const Message& message, AppendRequest& request);
  void On(const Message& message, const Heartbeat& heartbeat);
  void On(const Message& message, const TimeoutNow&);
  bool SkipCommitted(AppendRequest& request);
  bool TakeEntries(std::vector<Entry>& entries);
  void TruncateFrom(LogIndex index);
  void AppendToLog(Entry entry);

  // leader.cc
  void On(EntriesRead event);
  void On(const Message& message, const AppendReply& reply);
  void On(const Message& message, const HeartbeatReply& reply);
  Progress* FindPeer(const NodeId& id);
  const Progress* FindPeer(const NodeId& id) const;
  void SyncPeers();
  LogPosition AppendOwn(EntryKind kind, SharedBuffer bytes);
  void NoteProposal(ProposalId id, LogPosition at);
  void MaybeCommit();
  void CommitThrough(LogIndex index);
  void Replicate();
  bool SendNext(Progress& peer);
  void SendAppend(Progress& peer, std::vector<Entry> entries, bool quiet);
  void BeginRound();
  void OnLeaderDeadline();
  bool HearsQuorum() const;
  // The largest value that a quorum has reached: `own` is this leader's, `value_of(Progress)` the
  // others', and `none` that of those who do not count.
  template <typename ValueOf>
  int64_t Reached(int64_t own, int64_t none, ValueOf&& value_of) const {
    return QuorumReached(membership_.current(), [&](const NodeId& id) -> int64_t {
      if (id == options_.self) return own;
      const Progress& peer = *FindPeer(id);
      return peer.Counts() ? value_of(peer) : none;
    });
  }

  // reads.cc
  void On(ReadBarrier event);
  void On(const Message& message, const ReadRequest& request);
  void On(const Message& message, const ReadReply& reply);
  void Answer(const LeaderRead& read, LogIndex index);
  void ServeReads();
  Round AckedRound() const;
  void AssignRound();
  void ForwardReads();
  void FailReads(ReadFailure failure);
  void OnReadDeadline();

  // transfer.cc
  void On(TransferTo event);
  void BeginTransfer(TransferId id, const NodeId& target);
  void AdvanceTransfer();
  void OnTransferDeadline();
  void EndTransfer(TransferOutcome outcome);
  NodeId MostCaughtUpVoter() const;
  void HandOverIfDiskStalled();

  // members.cc
  void On(ChangeMembers event);
  bool IsChangingMembers() const;
  LogPosition AppendConfiguration(const Configuration& configuration);
  void AdvanceMembers();
  std::vector<Member> SpokenDisks() const;
  bool HasCaughtUp(const Progress& peer) const;

  // snapshot.cc
  void On(SnapshotSent event);
  void On(SnapshotReceived event);
  void On(SnapshotInstalled event);
  void On(SnapshotRefused event);
  void On(const Message& message, const SnapshotRequest& request);
  void On(const Message& message, const SnapshotReply& reply);

  // invariants.cc
  void CheckLeader() const;
  void CheckCommit() const;
  void CheckProposals() const;
  void CheckReads() const;

  Options options_;
  Random random_;
  MonoTime started_;
  MonoTime now_;

  HardState hard_state_;
  Log log_;
  Writes writes_;
  Membership membership_;
  LogIndex commit_;         // only grows
  LogIndex apply_through_;  // handed out; <= commit, <= durable; only grows
  LogIndex applied_;        // <= apply_through; only grows

  // A snapshot that the host was asked to install; appends are ignored meanwhile.
  std::optional<SnapshotMeta> installing_;

  Role role_ = Role::kFollower;
  NodeId leader_;  // of the current term; empty: not known
  MonoTime leader_heard_{INT64_MIN};
  MonoTime election_deadline_ = MonoTime::Infinite();

  std::vector<VoteOf> votes_;  // candidate and pre-candidate
  IoSeq own_vote_io_;          // candidate: its vote for itself counts once this is done; then 0

  // Leader.
  std::vector<Progress> peers_;  // sorted by id; all members but itself
  LogIndex term_start_;
  Round round_;  // the newest; only grows
  std::vector<MonoTime> round_sent_;
  LogIndex commit_before_round_;  // as it was when the round began
  MonoTime heartbeat_due_ = MonoTime::Infinite();
  bool lease_given_up_ = false;  // TimeoutNow was sent in this term
  std::optional<Transfer> transfer_;
  uint64_t last_fetch_ = 0;

  // Of any term that this node led, at indices that are not committed here. Ascending in index, and
  // at one index in term: those of a lost term may lie beyond what was proposed since.
  Ring<OwnProposal> own_proposals_;
  Ring<LeaderRead> leader_reads_;
  Ring<ForwardedRead> forwarded_reads_;
  ReadBatch read_batch_;  // the newest that was forwarded
  MonoTime read_batch_due_ = MonoTime::Infinite();

  RoleChanged reported_;
  bool configuration_changed_ = false;
  uint64_t dropped_malformed_ = 0;
  uint64_t dropped_foreign_ = 0;
  Effects effects_;  // gathered by steps
  Effects drained_;  // handed out by the last Drain
  // Emptied buffers of entries, to be filled again: replicating allocates nothing.
  std::vector<std::vector<Entry>> spare_;
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_CORE_H_
