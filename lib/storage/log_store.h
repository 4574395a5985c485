// The port to durable Raft logs: what a node has promised (its hard state) and what it has logged
// (its entries), for each group that the process carries. It knows nothing of Raft's rules: terms
// and indexes are numbers that it keeps in order. Owned by the host of a process; one writer, the
// log lane. Implementations: RocksLogStore on disk, MemoryLogStore for tests and ManualClock hosts.
#ifndef SCHEDULED_LIB_STORAGE_LOG_STORE_H_
#define SCHEDULED_LIB_STORAGE_LOG_STORE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/shared_buffer.h"
#include "scheduled/types.h"

namespace scheduled {

// A place in a log: an entry's index and the term it was written in. {0, 0} is before every entry.
struct LogPosition {
  LogIndex index;
  Term term;
  auto operator<=>(const LogPosition&) const = default;
};

// What a voter must never forget.
struct HardState {
  Term term;                   // only grows
  std::optional<NodeId> vote;  // whom it voted for in `term`; none if it has not
  bool operator==(const HardState&) const = default;
};

// One entry as the store sees it: `kind` and `bytes` belong to the caller.
struct LogRecord {
  Term term;
  LogIndex index;
  uint8_t kind = 0;
  SharedBuffer bytes;  // at most kMaxLogRecordBytes
  bool operator==(const LogRecord&) const = default;
};

// An entry of 4 MiB, with room for what the layers above put around it.
inline constexpr size_t kMaxLogRecordBytes = size_t{8} << 20;

// One step of one group, all or nothing. Its parts take effect in the order of the fields, each one
// only if it is set.
struct LogWrite {
  GroupId group;
  std::optional<HardState> hard_state;
  // A snapshot up to this position is about to replace the tables. Kept until `reset_to` is
  // written; while it stands, tables that are ahead of the log are no sign of a lost tail.
  std::optional<LogPosition> installing;
  // Drops every entry, and begins anew behind this position: the next entry is reset_to.index + 1.
  std::optional<LogPosition> reset_to;
  // Drops this entry and all behind it. Within [first, last + 1].
  std::optional<LogIndex> truncate_from;
  // Consecutive; the first is the one behind the last entry that is left. Terms do not fall.
  std::vector<LogRecord> entries;
};

// The entries from `first` up to the next run are of `term`.
struct TermRun {
  LogIndex first;
  Term term;
  bool operator==(const TermRun&) const = default;
};

// Everything about one group's log but the bytes of its entries.
struct LogState {
  HardState hard_state;
  std::optional<LogPosition> installing;  // see LogWrite
  LogPosition before_first;               // the position just before `first`
  LogIndex first{1};                      // before_first.index + 1
  LogIndex last{0};                       // first - 1 when the log is empty
  std::vector<TermRun> term_runs;  // ascending in both; begins at `first`; empty with the log
  bool empty() const { return last < first; }
  bool operator==(const LogState&) const = default;
};

// Errors. DATA_LOSS: what is on disk is damaged, or less than what was promised;
// RESOURCE_EXHAUSTED: the disk is full; UNAVAILABLE: another I/O error, a failed sync among them.
// After any of these from any method the node must stop: the store answers every later call, of any
// method, with the first such error, since what the disk holds is no longer known. Arguments that
// break a precondition are a defect of the caller and are asserted, not answered.
class LogStore {
 public:
  virtual ~LogStore() = default;

  // What the log of `group` holds; an empty log for a group that was never written. Before the
  // first Write of the group, on the log lane or before the lanes run. Checks what can be checked
  // without reading every entry: that bounds, terms and both ends agree, and that the tail is not
  // below the one that a clean stop recorded.
  virtual absl::StatusOr<LogState> Load(GroupId group) = 0;

  // Applies the writes in order, as one batch with one sync; they may be of several groups, or
  // several of one. On return all of it is durable, or the error is final. After a crash in the
  // middle all of the call is there or nothing. Log lane only.
  virtual absl::Status Write(std::span<const LogWrite> writes) = 0;

  // The entries [from, to), cut short before the one that would pass `max_bytes`, but never empty:
  // one entry is returned whatever its size. Precondition: first <= from < to <= last + 1 at some
  // instant of the call, by what the caller knows. Any thread, also during Write: an answer is
  // from before it or after it. OUT_OF_RANGE, which stops nobody, if the entries were cut or
  // truncated away meanwhile. Every entry's checksum is verified.
  virtual absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                                      size_t max_bytes) = 0;

  // Drops the entries before `first_kept`, which is within [first, last + 1]; what is before
  // `first` already is a no-op. Durable on return. Log lane only.
  virtual absl::Status CutBefore(GroupId group, LogIndex first_kept) = 0;

  // Records that the store is whole as it stands, so that the next Load notices anything that gets
  // lost meanwhile. The last call before destruction; log lane, or after the lanes have stopped.
  virtual absl::Status MarkCleanStop() = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_LOG_STORE_H_
