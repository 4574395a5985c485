// What replicas of one group say to each other, and the values it is made of. Plain data: the wire
// form is in codec.h, the meaning in core.h. `term` is always the sender's own current term; a
// request for votes names the term it asks for apart, so that asking never looks like holding.
#ifndef SCHEDULED_LIB_RAFT_MESSAGES_H_
#define SCHEDULED_LIB_RAFT_MESSAGES_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/shared_buffer.h"
#include "raft/configuration.h"
#include "scheduled/types.h"

namespace scheduled::raft {

// Numbers the writes of one replica: a total order. 0 stands for "nothing to wait for".
using IoSeq = StrongInt<struct IoSeqTag>;
// Chosen by the host, unique within one process; the core only hands them back.
using ProposalId = StrongInt<struct ProposalIdTag>;
using ReadId = StrongInt<struct ReadIdTag>;
using TransferId = StrongInt<struct TransferIdTag>;
// Numbers the heartbeat rounds of a leader.
using Round = StrongInt<struct RoundTag>;
// Numbers the batches of reads that a follower forwards.
using ReadBatch = StrongInt<struct ReadBatchTag>;

// A place in a log. By log matching, equal positions of two logs mean equal prefixes.
struct LogPosition {
  LogIndex index;
  Term term;

  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

// Section 5.4.1 of the Raft paper: the later term wins, then the longer log.
inline bool IsAtLeastAsUpToDate(const LogPosition& candidate, const LogPosition& own) {
  if (candidate.term != own.term) return candidate.term > own.term;
  return candidate.index >= own.index;
}

enum class EntryKind : uint8_t {
  kCommand = 1,        // the host's bytes
  kNoop = 2,           // opens a leader's term; no bytes
  kConfiguration = 3,  // an encoded Configuration
};

struct Entry {
  Term term;
  LogIndex index;
  EntryKind kind = EntryKind::kCommand;
  SharedBuffer bytes;

  LogPosition position() const { return LogPosition{index, term}; }
  friend bool operator==(const Entry&, const Entry&) = default;
};

// What one entry is taken to weigh in every limit and window: its bytes and what stands around it.
inline constexpr size_t kEntryOverheadBytes = 32;
inline size_t EntryWeight(const Entry& entry) { return entry.bytes.size() + kEntryOverheadBytes; }

// What must survive a crash beside the log. One vote in each term, for ever.
struct HardState {
  Term term;
  NodeId vote;  // empty: none given in this term

  friend bool operator==(const HardState&, const HardState&) = default;
};

// What a snapshot stands for: the state after the entry at `at`, and the configuration there.
struct SnapshotMeta {
  LogPosition at;
  Configuration configuration;
  LogIndex configuration_index;

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

// Asks for a vote, or with `pre` whether a vote would be given (dissertation, section 9.6). A
// pre-vote changes nothing at the voter.
struct VoteRequest {
  bool pre = false;
  bool transfer = false;  // the leader itself asked for this election: stickiness does not apply
  Term campaign_term;     // the sender's term; with `pre` the one after
  LogPosition last;
};

enum class VoteRefusal : uint8_t {
  kNone = 0,         // granted
  kLeaderAlive = 1,  // a leader was heard from within the minimum election timeout
  kRestarted = 2,    // started too recently to know what it promised
  kLogBehind = 3,    // the candidate's log misses something
  kVoted = 4,        // the vote of that term is given to another
  kTermPast = 5,     // the voter's term is larger already
};

struct VoteReply {
  bool pre = false;
  bool granted = false;
  VoteRefusal refusal = VoteRefusal::kNone;
  Term campaign_term;  // as asked
};

// Entries that follow `previous`. `commit` is the leader's; the receiver believes it only as far as
// this message has matched its log.
struct AppendRequest {
  LogPosition previous;
  LogIndex commit;
  bool quiet = false;  // tells the commit index alone: answered only if refused
  std::vector<Entry> entries;
};

// Taken: the sender's log equals the leader's up to `match`, durably.
// Refused: `previous` of the request is not in the log; `hint` is the last position there that
// could be common: at or before the refused index, and of a term that is not larger.
struct AppendReply {
  bool taken = false;
  LogIndex match;     // taken
  LogIndex previous;  // refused: the request's
  LogPosition hint;   // refused
};

// One round of the leader's proof that it still leads. Carries no commit index.
struct Heartbeat {
  Round round;
};

// `commit` is the follower's own, so that a lost append that told it is noticed.
struct HeartbeatReply {
  Round round;
  LogIndex commit;
};

// A follower asks for a read index on behalf of all reads of a batch.
struct ReadRequest {
  ReadBatch batch;
};

// Not `ok`: the receiver does not lead. Batches up to `batch` are answered.
struct ReadReply {
  ReadBatch batch;
  bool ok = false;
  LogIndex index;
};

// The leader's last word of its term: campaign at once.
struct TimeoutNow {};

// Announces a transfer on the bulk stream; the pieces themselves are the host's.
struct SnapshotRequest {
  TransferId transfer;
  SnapshotMeta meta;
};

// The end of a transfer at the receiver, whatever its outcome.
struct SnapshotReply {
  TransferId transfer;
  LogIndex index;
  bool installed = false;
};

using MessageBody =
    std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, Heartbeat, HeartbeatReply,
                 ReadRequest, ReadReply, TimeoutNow, SnapshotRequest, SnapshotReply>;

struct Message {
  GroupId group;
  NodeId from;
  NodeId to;
  DiskId from_disk;
  Term term;  // the sender's current term
  MessageBody body;
};

// False for what no correct peer sends, whatever its state; such a message is dropped and counted.
bool IsWellFormed(const Message& message);
// The same for a snapshot that a leader of `term` sends.
bool IsWellFormed(const SnapshotMeta& meta, Term term);

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_MESSAGES_H_
