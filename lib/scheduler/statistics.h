// Counters since the start of the process, gathered on the dispatch lane and read from any thread.
#ifndef SCHEDULED_LIB_SCHEDULER_STATISTICS_H_
#define SCHEDULED_LIB_SCHEDULER_STATISTICS_H_

#include <mutex>

#include "scheduled/job.h"
#include "scheduled/scheduler.h"

namespace scheduled {

// Thread-safe.
class RunStatistics {
 public:
  RunStatistics();

  void Created(uint64_t jobs);
  void Deleted();
  void Skipped();
  void Redelivered();
  void Elected();
  // An attempt that ended on this node.
  void Executed(JobStatus status, absl::Time at);
  // A run was handed to its executor `late` after it became ready.
  void Started(absl::Duration late);

  Statistics Read() const;

 private:
  mutable std::mutex mutex_;
  Statistics values_;  // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_STATISTICS_H_
