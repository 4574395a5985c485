// The stream of writes of one replica: which numbers they have, what each of them makes durable,
// and which write a message must wait for. Term, vote, truncations and entries go through it in one
// order, and none overtakes another. It holds no entries. Owned by Core.
//
// A write that was handed out and then overwritten in memory, before it was done, no longer counts
// for what was overwritten: its late completion cannot make a newer suffix look durable.
#ifndef SCHEDULED_LIB_RAFT_WRITES_H_
#define SCHEDULED_LIB_RAFT_WRITES_H_

#include <optional>
#include <vector>

#include "raft/messages.h"

namespace scheduled::raft {

class Writes {
 public:
  explicit Writes(LogIndex durable) : durable_(durable), handed_out_(durable) {}

  // Through here the log in memory equals the one on disk. Falls only by truncation.
  LogIndex durable() const { return durable_; }
  IoSeq done() const { return done_; }

  // Something to be written has changed. Entries are noticed by the log's own end.
  void HardStateChanged() { hard_state_dirty_ = true; }
  void Truncated(LogIndex from);
  // A snapshot was installed, durably: the log begins anew behind `index`.
  void Reset(LogIndex index);

  // What must be durable before the current hard state, or it and every entry through `index`, may
  // be spoken of. 0: it is already.
  IoSeq HardStateSeq() const;
  IoSeq SeqFor(LogIndex index) const;

  struct Next {
    IoSeq io_seq;
    bool hard_state = false;
    std::optional<LogIndex> truncate_from;
    LogIndex from;  // entries [from, last]; none if from > last
  };
  // The next write, if there is anything to write up to the log's end `last`.
  std::optional<Next> Take(MonoTime now, LogIndex last);
  // All writes through `seq` are done. True if anything became durable by it.
  bool Done(IoSeq seq);

  // When the oldest write that is not done was handed out.
  std::optional<MonoTime> OldestSince() const;

  void CheckInvariants(LogIndex last) const;

 private:
  friend struct Fingerprint;  // tests/explore

  struct Write {
    IoSeq seq;
    LogIndex last;  // what of it still counts: the log through here is durable once it is done
    MonoTime since;
  };

  LogIndex durable_;
  LogIndex handed_out_;
  IoSeq next_{1};
  IoSeq done_;
  IoSeq hard_state_seq_;  // the newest write that has the hard state
  bool hard_state_dirty_ = false;
  std::optional<LogIndex> truncate_from_;  // not handed out yet
  std::vector<Write> pending_;             // few; ascending in seq, not descending in last
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_WRITES_H_
