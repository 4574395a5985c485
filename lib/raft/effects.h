// Everything that a core wants done: what its host takes from Core::Drain. Plain data in buffers
// that are used again; the host may move out of them.
#ifndef SCHEDULED_LIB_RAFT_EFFECTS_H_
#define SCHEDULED_LIB_RAFT_EFFECTS_H_

#include <optional>
#include <vector>

#include "raft/messages.h"

namespace scheduled::raft {

enum class Role : uint8_t {
  kFollower = 1,
  kPreCandidate = 2,
  kCandidate = 3,
  kLeader = 4,
};

struct RoleChanged {
  Role role = Role::kFollower;
  Term term;
  NodeId leader;        // empty: not known
  LogIndex term_start;  // leader: its no-op; it has caught up with the past once this is applied

  friend bool operator==(const RoleChanged&, const RoleChanged&) = default;
};

// One write, all or nothing, in the order of the fields. Writes are made durable in the order of
// their numbers; then the host steps PersistDone. `entries` follow each other, and follow what is
// left of the log; `truncate_from` is set where something was there before.
struct Persist {
  IoSeq io_seq;
  std::optional<HardState> hard_state;
  std::optional<LogIndex> truncate_from;
  std::vector<Entry> entries;
};

// Leaves once the write `after_io` is durable; 0: at once. What waits is released in order.
struct Send {
  IoSeq after_io;
  Message message;
};

// The proposal is the entry at this position. It has happened once the host applies an entry of
// this index and term; another term at this index means that it did not, and never will.
struct Proposed {
  ProposalId id;
  LogPosition at;
};

enum class ProposalFailure : uint8_t {
  // Definitely not applied:
  kNotLeader = 1,
  kTransferring = 2,      // leadership is about to move
  kOverloaded = 3,        // too much is not applied yet
  kTooLarge = 4,          // larger than an entry may be
  kInvalid = 5,           // a change of members that makes no sense
  kChangeInProgress = 6,  // another change of members is under way
  kSuperseded = 7,        // another entry was committed in its place
  // May have been applied:
  kUnknown = 8,  // a snapshot jumped over its index
};
inline bool IsDefinitelyNotApplied(ProposalFailure failure) {
  return failure != ProposalFailure::kUnknown;
}
struct ProposalFailed {
  ProposalId id;
  ProposalFailure failure = ProposalFailure::kNotLeader;
};

struct ReadReady {
  ReadId id;
  LogIndex index;
};
enum class ReadFailure : uint8_t {
  kNoLeader = 1,       // none is known
  kLeaderChanged = 2,  // while the read waited
  kTimeout = 3,        // no answer within an election timeout
  kOverloaded = 4,
};
struct ReadFailed {
  ReadId id;
  ReadFailure failure = ReadFailure::kNoLeader;
};

// Entries that are committed and durable here: [from, to]. Ranges follow each other without gaps.
// Core::CopyEntries has what is in memory; the rest is read from the log.
struct ApplyRange {
  LogIndex from;
  LogIndex to;
};

// Read entries from `from` on, up to `to` (inclusive) or `max_bytes`, for a follower; step
// EntriesRead with the same number.
struct FetchEntries {
  uint64_t fetch = 0;
  NodeId peer;
  LogIndex from;
  LogIndex to;
  size_t max_bytes = 0;
};

// The peer needs entries that were cut. At most one for a peer until SnapshotSent.
struct SendSnapshot {
  NodeId peer;
  LogIndex at_least;  // where the log begins: an older snapshot is of no use
};

// Replace state machine and log by this snapshot, in one atomic switch; then step
// SnapshotInstalled, or SnapshotRefused if the snapshot turns out to be of no use.
struct InstallSnapshot {
  NodeId from;
  TransferId transfer;
  SnapshotMeta meta;
};

// A peer's word on the end of a transfer, checked as far as the core can. Whether it is about one
// that the host has under way is for the host to say, with SnapshotSent.
struct SnapshotAnswered {
  NodeId peer;
  SnapshotReply reply;
};

enum class TransferOutcome : uint8_t {
  kDone = 1,      // another leads, or at least this node does not any more
  kRefused = 2,   // not leader, no such voter, or another transfer is under way
  kTimedOut = 3,  // the target did not catch up within an election timeout; this node still leads
};
struct TransferEnded {
  TransferId id;
  TransferOutcome outcome = TransferOutcome::kDone;
};

// The host goes through it in the order of the fields. `lease_until` is published before anything
// is sent.
struct Effects {
  MonoTime lease_until{INT64_MIN};  // see Core::LeaseUntil
  std::vector<RoleChanged> role_changes;
  std::optional<Configuration> configuration;  // the newest, if it has changed
  std::optional<Persist> persist;
  std::vector<Send> sends;
  std::vector<Proposed> proposed;
  std::vector<ProposalFailed> proposals_failed;
  std::optional<ApplyRange> apply;
  std::vector<ReadReady> reads_ready;
  std::vector<ReadFailed> reads_failed;
  std::vector<FetchEntries> fetches;
  std::vector<SnapshotAnswered> snapshot_answers;
  std::vector<SendSnapshot> send_snapshots;
  std::optional<InstallSnapshot> install;
  std::vector<TransferEnded> transfers_ended;
  // It often moves to a later time; the host may let an earlier timer fire first, at no harm.
  MonoTime next_deadline = MonoTime::Infinite();

  // Nothing but the two instants.
  bool empty() const;
  void Clear();
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_EFFECTS_H_
