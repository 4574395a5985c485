// What a leader knows of one follower, and how much may be under way to it. Owned by Core, one for
// each member but itself, from the start of a term to its end.
//
//   state      what may be trusted          leaves it when                     to
//   kProbe     match; next is a guess       an append is taken                 kReplicate
//              (one append under way)       the entries at next were cut       kSnapshot
//   kReplicate next - 1 is sent in order,   an append is refused               kProbe
//              at most a window unanswered  the entries at next were cut       kSnapshot
//   kSnapshot  match; nothing is sent       the transfer ends, or an append    kProbe
//                                           behind the log's start is taken
#ifndef SCHEDULED_LIB_RAFT_PROGRESS_H_
#define SCHEDULED_LIB_RAFT_PROGRESS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "raft/messages.h"
#include "raft/ring.h"

namespace scheduled::raft {

enum class PeerState : uint8_t { kProbe = 1, kReplicate = 2, kSnapshot = 3 };

class Progress {
 public:
  Progress(NodeId id, DiskId disk, LogIndex next, MonoTime now)
      : id_(std::move(id)), disk_(disk), next_(next), last_active(now) {}

  const NodeId& id() const { return id_; }
  // The one that match is on, as the configuration has it: another disk of this node begins anew.
  DiskId disk() const { return disk_; }
  // It is written down now, and is the one that it has spoken from.
  void Pin(DiskId disk) { disk_ = disk; }
  // What it says counts. Nobody would notice that a disk was lost which is not written down. As
  // long as it has said nothing, this says nothing of it.
  bool Counts() const { return disk_.value != 0 || said_disk.value == 0; }
  PeerState state() const { return state_; }
  LogIndex match() const { return match_; }
  LogIndex next() const { return next_; }
  size_t inflight_messages() const { return inflight_.size(); }
  size_t inflight_bytes() const { return inflight_bytes_; }

  // It answered anything in this term.
  void Answered(MonoTime now) {
    last_active = now;
    has_answered = true;
  }
  // Nothing more may be sent before an answer has come.
  bool IsPaused(size_t max_messages, size_t max_bytes) const;
  // Entries through `last`, of `bytes`, have been sent; with none, last is next - 1.
  void Sent(MonoTime now, LogIndex last, size_t bytes);
  // An append was taken, or found durable, through `index`. False if that is nothing new.
  bool Taken(MonoTime now, LogIndex index);
  // An append after `previous` was refused; `next_guess` is where the logs may part. False if the
  // answer is stale.
  bool Refused(LogIndex previous, LogIndex next_guess);
  // It answered a heartbeat, so it lives: an append that has had no answer for `patience` was lost.
  // A lost probe may be sent again then. True if a window seems to have been lost: a check (an
  // empty append behind the last one sent) will tell.
  bool AnsweredHeartbeat(MonoTime now, absl::Duration patience);

  void BecomeProbe();
  void BecomeSnapshot();
  // From kSnapshot, once the transfer has ended: with `installed` through `index`.
  void SnapshotEnded(LogIndex index, bool installed);

  void CheckInvariants(LogIndex last) const;

 private:
  friend struct Fingerprint;  // tests/explore

  void BecomeReplicate();
  void ClearInflight();

  struct Inflight {
    LogIndex last;
    size_t bytes = 0;
  };

  NodeId id_;
  DiskId disk_;
  PeerState state_ = PeerState::kProbe;
  LogIndex match_;           // only grows: durable there, and equal to ours
  LogIndex next_;            // > match
  bool probe_sent_ = false;  // kProbe
  Ring<Inflight> inflight_;  // kReplicate; ascending
  size_t inflight_bytes_ = 0;
  MonoTime stirred_{INT64_MIN};  // when something was sent or taken that an answer is due to

 public:
  // The core's notes on this follower; none of the above rests on them.
  MonoTime last_active;               // when it last answered, or was taken up, in this term
  bool has_answered = false;          // anything in this term, and from said_disk
  DiskId said_disk;                   // the one that it last spoke from
  Round acked_round;                  // newest round of heartbeats that it answered
  MonoTime acked_sent_at{INT64_MIN};  // when that round was sent
  LogIndex told_commit;               // the newest commit index on its way to it
  uint64_t fetch = 0;                 // a read of older entries for it is under way; 0: none
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_PROGRESS_H_
