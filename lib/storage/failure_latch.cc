// See failure_latch.h.
#include "storage/failure_latch.h"

#include "base/assert.h"

namespace scheduled {

absl::Status FailureLatch::status() const {
  if (!failed_.load(std::memory_order_acquire)) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  return failure_;
}

absl::Status FailureLatch::Fail(absl::Status failure) {
  SCHEDULED_ASSERT(!failure.ok(), "a failure is an error");
  std::lock_guard lock(mutex_);
  if (failure_.ok()) {
    failure_ = std::move(failure);
    failed_.store(true, std::memory_order_release);
    Probe("storage.failed");
  }
  return failure_;
}

}  // namespace scheduled
