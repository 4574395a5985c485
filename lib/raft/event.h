// Everything that can happen to a core: what its host passes to Core::Step. Plain data.
#ifndef SCHEDULED_LIB_RAFT_EVENT_H_
#define SCHEDULED_LIB_RAFT_EVENT_H_

#include <optional>
#include <variant>
#include <vector>

#include "base/shared_buffer.h"
#include "raft/messages.h"

namespace scheduled::raft {

// Each proposal becomes one entry, or fails at once: Effects::proposed or proposals_failed.
struct Proposal {
  ProposalId id;
  SharedBuffer bytes;
};
struct Propose {
  std::vector<Proposal> batch;
};

// Ends in Effects::reads_ready with an index that is at least that of every entry whose proposal
// was acknowledged anywhere before; the read may be served once that index is applied here. Or in
// reads_failed. A follower asks the leader.
struct ReadBarrier {
  ReadId id;
};

enum class MemberChangeKind : uint8_t {
  kAddVoter,    // as a learner first, promoted by itself once it has caught up
  kAddLearner,  // stays one
  kRemove,
  kReplace,  // kAddVoter, and `replaces` leaves in the step of the promotion
};
struct MemberChange {
  MemberChangeKind kind = MemberChangeKind::kAddVoter;
  Member member;    // kRemove: the id alone
  NodeId replaces;  // kReplace
};
// Ends like a proposal: `proposed` names the entry that began the change.
struct ChangeMembers {
  ProposalId id;
  // Begun together, in one step. What leaves leaves by it; what is to vote does so once it has
  // caught up. To have both at once, replace.
  std::vector<MemberChange> changes;
};

// Hands leadership to `target`, or if empty to the most caught-up voter. Ends in
// Effects::transfers_ended.
struct TransferTo {
  TransferId id;
  NodeId target;
};

// Everything up to `io_seq` is durable. Writes complete in order; an older completion is harmless.
struct PersistDone {
  IoSeq io_seq;
};

// The state machine has applied everything up to `index`.
struct ApplyDone {
  LogIndex index;
};

// Answers Effects::fetches. `found` false: they were cut from the log, a snapshot is needed. Fewer
// entries than asked for are fine, none is not.
struct EntriesRead {
  uint64_t fetch = 0;
  bool found = false;
  std::vector<Entry> entries;
};

// The host has cut the log: nothing at or before `through` can be read any more.
struct LogCut {
  LogIndex through;
};

// A transfer that Effects::send_snapshots asked for has ended.
struct SnapshotSent {
  NodeId peer;
  LogIndex index;
  bool installed = false;
};

// A peer's snapshot has arrived whole and verified. The core answers with Effects::install, or not
// at all if it is of no use any more.
struct SnapshotReceived {
  NodeId from;
  Term term;  // of the sender, when it announced the transfer
  TransferId transfer;
  SnapshotMeta meta;
};

// Effects::install has been done: state machine and log stand at `meta.at`, durably.
struct SnapshotInstalled {
  SnapshotMeta meta;
};

// Effects::install could not be done: the snapshot is damaged, and everything is as it was.
struct SnapshotRefused {};

// The time has come that Effects::next_deadline named. Harmless at any other time.
struct Deadline {};

using Event = std::variant<Message, Propose, ReadBarrier, ChangeMembers, TransferTo, PersistDone,
                           ApplyDone, EntriesRead, LogCut, SnapshotSent, SnapshotReceived,
                           SnapshotInstalled, SnapshotRefused, Deadline>;

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_EVENT_H_
