// About how many bytes the log has, in all and up to an index: enough to decide when to cut it and
// when to refuse more. Exact for entries that this process wrote as long as they are not truncated;
// for older ones an estimate from a sample. Raft lane.
#ifndef SCHEDULED_LIB_CONSENSUS_LOG_SIZES_H_
#define SCHEDULED_LIB_CONSENSUS_LOG_SIZES_H_

#include <cstdint>
#include <deque>

#include "scheduled/types.h"

namespace scheduled {

class LogSizes {
 public:
  // A range of entries that follow what is there, and their size together.
  struct Range {
    LogIndex first;
    LogIndex last;
    uint64_t bytes = 0;
  };
  void Append(const Range& range);
  void TruncateFrom(LogIndex index);
  void CutThrough(LogIndex index);
  void Clear();

  uint64_t total() const { return total_; }
  uint64_t BytesThrough(LogIndex index) const;
  uint64_t entries() const;
  // The largest index with at least so much behind it; 0 if the log has less.
  LogIndex LastWithBytesBehind(uint64_t bytes) const;
  LogIndex LastWithEntriesBehind(uint64_t entries) const;

 private:
  std::deque<Range> ranges_;  // ascending, without gaps
  uint64_t total_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_LOG_SIZES_H_
