// See statistics.h.
#include "scheduler/statistics.h"

#include <algorithm>
#include <iterator>

namespace scheduled {

RunStatistics::RunStatistics() {
  values_.lateness_buckets.resize(std::size(Statistics::kLatenessBounds) + 1);
}

void RunStatistics::Created(uint64_t jobs) {
  std::lock_guard lock(mutex_);
  values_.created += jobs;
}

void RunStatistics::Deleted() {
  std::lock_guard lock(mutex_);
  ++values_.deleted;
}

void RunStatistics::Skipped() {
  std::lock_guard lock(mutex_);
  ++values_.skipped;
}

void RunStatistics::Redelivered() {
  std::lock_guard lock(mutex_);
  ++values_.redelivered;
}

void RunStatistics::Elected() {
  std::lock_guard lock(mutex_);
  ++values_.elections;
}

void RunStatistics::Executed(JobStatus status, absl::Time at) {
  std::lock_guard lock(mutex_);
  switch (status) {
    case JobStatus::kCompleted:
      ++values_.executed_completed;
      break;
    case JobStatus::kTimeout:
      ++values_.executed_timeout;
      break;
    case JobStatus::kCancelled:
      ++values_.executed_cancelled;
      break;
    default:
      ++values_.executed_failed;
  }
  values_.last_executed_at = at;
}

void RunStatistics::Started(absl::Duration late) {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(late));
  const auto bound = std::lower_bound(std::begin(Statistics::kLatenessBounds),
                                      std::end(Statistics::kLatenessBounds), seconds);
  std::lock_guard lock(mutex_);
  ++values_.lateness_buckets[bound - std::begin(Statistics::kLatenessBounds)];
  values_.lateness_sum += seconds;
}

Statistics RunStatistics::Read() const {
  std::lock_guard lock(mutex_);
  return values_;
}

}  // namespace scheduled
