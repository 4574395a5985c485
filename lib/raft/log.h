// What a replica knows of its log without reading storage: the newest entries (the tail), and at
// which index each term begins, for the whole log. That answers every question about terms; older
// entries are the store's. What of it is durable is kept in writes.h. Owned by Core.
#ifndef SCHEDULED_LIB_RAFT_LOG_H_
#define SCHEDULED_LIB_RAFT_LOG_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/messages.h"
#include "raft/ring.h"

namespace scheduled::raft {

// The entries from `first` up to the next run are of `term`.
struct TermRun {
  Term term;
  LogIndex first;

  friend bool operator==(const TermRun&, const TermRun&) = default;
};

// base.index < ... < tail_first <= ... <= last
//      cut    on disk only       in memory
class Log {
 public:
  // `runs` cover (base, last], ascending in both fields; the tail begins empty.
  Log(LogPosition base, LogIndex last, std::vector<TermRun> runs);

  LogPosition base() const { return base_; }
  LogIndex first() const { return base_.index.Next(); }
  LogIndex last() const { return last_; }
  LogPosition last_position() const;
  LogIndex tail_first() const { return LogIndex(last_.value - tail_.size() + 1); }
  const std::vector<TermRun>& runs() const { return runs_; }

  // Of `base` and of every entry behind it; nothing for any other index.
  std::optional<Term> TermAt(LogIndex index) const;
  bool Contains(LogPosition position) const { return TermAt(position.index) == position.term; }
  // The last position at or before `index` (and the log's end) whose term is not larger than
  // `term`; `base` if there is none.
  LogPosition LastAtOrBefore(LogIndex index, Term term) const;

  // Appends copies of the entries from `from` through `to` that are in the tail, until the next
  // would pass a limit; but never none, if `from` is in the tail.
  void Copy(LogIndex from, LogIndex to, size_t max_bytes, size_t max_entries,
            std::vector<Entry>* out) const;
  // The weight of the tail's entries behind `index`.
  uint64_t WeightAfter(LogIndex index) const;
  uint64_t TailWeight() const { return WeightAfter(tail_first().Prev()); }

  // The entry is the one behind last(), its term no smaller than the last one's.
  void Append(Entry entry);
  // Drops the entry at `index` and all behind it. Precondition: base < index.
  void TruncateFrom(LogIndex index);
  // Drops entries of the tail from its front, none behind `through`, until it weighs `keep` or
  // less.
  void Trim(LogIndex through, uint64_t keep);
  // The store has dropped everything through `index`. Precondition: base <= index <= last.
  void CutThrough(LogIndex index);
  // Begins anew after a snapshot: an empty log behind `position`.
  void ResetTo(LogPosition position);

  // Everything that can be recounted, of the tail its `newest` entries. For tests.
  void CheckInvariants(uint64_t newest = UINT64_MAX) const;

 private:
  struct Slot {
    Entry entry;
    uint64_t weight_through = 0;  // of all entries ever appended, this one included
  };

  const Slot& SlotAt(LogIndex index) const { return tail_[index.value - tail_first().value]; }
  LogIndex LastOfRun(std::vector<TermRun>::const_iterator run) const;
  void PopFront();

  LogPosition base_;
  LogIndex last_;
  std::vector<TermRun> runs_;  // of (base, last]
  Ring<Slot> tail_;
  uint64_t weight_before_ = 0;  // weight_through of what came before the tail
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_LOG_H_
