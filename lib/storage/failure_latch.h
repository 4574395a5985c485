// Remembers the first failure of a store for ever. A disk that has failed once says nothing
// reliable about what it holds, so that nothing is retried and nothing is answered after it.
// Thread-safe; owned by its store, and told by the database's own background threads too.
#ifndef SCHEDULED_LIB_STORAGE_FAILURE_LATCH_H_
#define SCHEDULED_LIB_STORAGE_FAILURE_LATCH_H_

#include <atomic>
#include <mutex>

#include "absl/status/status.h"

namespace scheduled {

class FailureLatch {
 public:
  // OK, or the first failure. Costs one load while there is none.
  absl::Status status() const;
  // Takes a failure, unless there was one before it; returns the one that counts.
  absl::Status Fail(absl::Status failure);

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> failed_ = false;  // only from false to true, after failure_ is set
  absl::Status failure_;              // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_FAILURE_LATCH_H_
