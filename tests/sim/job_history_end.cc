// What must hold of a job once everything has come to its end. See job_history.h.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/finding.h"
#include "sim/job_history.h"

namespace scheduled::sim {
namespace {

// How long after its nominal time a run of a calm simulation may start.
constexpr absl::Duration kCalmLateness = absl::Milliseconds(500);

MonoTime TrueTimeOf(World& world, absl::Time wall) {
  return MonoTime{absl::ToInt64Nanoseconds(
      wall - (world.loop().WallNow() - absl::Nanoseconds(world.now().nanos)))};
}

}  // namespace

bool HasEnded(JobStatus status) {
  return status == JobStatus::kCompleted || status == JobStatus::kFailed ||
         status == JobStatus::kTimeout || status == JobStatus::kCancelled;
}

void JobHistory::CheckEnd(const JobRecord& job, std::optional<JobStatus> status,
                          bool died_with_its_node) {
  const std::string& id = job.job.id.value;
  if (job.known == Known::kRefused) {
    Require(!status, [&] { return fmt::format("job {} was refused and exists", id); });
    return;
  }
  if (job.known == Known::kDeleted) {
    Require(!status, [&] { return fmt::format("job {} was deleted and exists", id); });
    return;
  }
  if (!status) {
    Require(!job.acknowledged || job.delete_asked,
            [&] { return fmt::format("job {} is lost", id); });
    return;
  }
  Require(HasEnded(*status), [&] {
    return fmt::format("job {} has not ended: it is {}", id, JobStatusName(*status));
  });
  if (job.known == Known::kCancelled) {
    // What had started before its cancel was recorded ends as it ended.
    Require(*status == JobStatus::kCancelled || !job.deliveries.empty(), [&] {
      return fmt::format("job {} was cancelled and is {}", id, JobStatusName(*status));
    });
    return;
  }
  if (job.known != Known::kPending) return;
  // A claim whose node died may have been started, for all that the next leader knows, and counts
  // as a delivery: a run can use all of them up so.
  Require(!job.deliveries.empty() || died_with_its_node,
          [&] { return fmt::format("job {} never ran and is {}", id, JobStatusName(*status)); });
  if (job.job.type == JobType::kOnce && !died_with_its_node) CheckOnceEnd(job, *status);
  if (job.job.type == JobType::kRecurring && !job.disturbed) CheckOccurrences(job);
}

void JobHistory::CheckOnceEnd(const JobRecord& job, JobStatus status) const {
  const std::string& id = job.job.id.value;
  // A replace may have come between two attempts, and what runs then is neither's plan.
  if (job.disturbed) return;
  int attempts = 0;
  bool completed = false;
  for (const Delivery& each : job.deliveries) {
    attempts = std::max(attempts, each.attempt);
    completed |= each.end < MonoTime::Infinite() && each.result.ok();
  }
  if (status == JobStatus::kCompleted) {
    Require(completed,
            [&] { return fmt::format("job {} is completed, and no attempt completed it", id); });
  } else {
    const bool refused = job.plan.end == JobEnd::kRefuse;
    Require(refused || attempts == job.job.retry.max_attempts, [&] {
      return fmt::format("job {} is {} after {} of {} attempts", id, JobStatusName(status),
                         attempts, job.job.retry.max_attempts);
    });
  }
  if (!calm_ || !job.job.timestamp || job.created >= TrueTimeOf(world_, *job.job.timestamp)) return;
  const MonoTime due = TrueTimeOf(world_, *job.job.timestamp);
  Require(job.deliveries.front().start < due + kCalmLateness, [&] {
    return fmt::format("job {} was {:.3f} s late in a calm world", id,
                       absl::ToDoubleSeconds(job.deliveries.front().start - due));
  });
}

// Of a recurring job with an interval, from its timestamp to its last date.
void JobHistory::CheckOccurrences(const JobRecord& job) const {
  if (!job.job.interval || !job.job.timestamp || !job.job.last_date) return;
  std::set<absl::Time> covered;
  for (const Delivery& each : job.deliveries) {
    for (int i = 0; i <= each.missed; ++i) covered.insert(each.due - i * *job.job.interval);
  }
  for (absl::Time nominal = *job.job.timestamp; nominal <= *job.job.last_date;
       nominal += *job.job.interval) {
    if (covered.contains(nominal)) continue;
    // Then it was skipped, while another of the job's runs was going on: from shortly before it was
    // due to when the next one was claimed.
    const auto next = covered.upper_bound(nominal);
    const MonoTime from = TrueTimeOf(world_, nominal) - absl::Milliseconds(500);
    const MonoTime to = next == covered.end() ? MonoTime::Infinite() : TrueTimeOf(world_, *next);
    bool overlapped = false;
    for (const Delivery& each : job.deliveries) {
      // Its end is known to the leader only later, where something stood in the way.
      const bool retried = !each.result.ok() || each.end == MonoTime::Infinite();
      const MonoTime end =
          each.end == MonoTime::Infinite() || retried || (!calm_ && world_.MayHaveLost(each.start))
              ? MonoTime::Infinite()
              : each.end + absl::Milliseconds(500);
      // It goes on from its claim, however late it starts.
      const MonoTime claimed = std::min(each.start, TrueTimeOf(world_, each.due));
      overlapped |= claimed <= to && end >= from;
    }
    Require(overlapped || world_.clocks_were_moved(), [&] {
      return fmt::format(
          "job {}: its occurrence {:.3f} s after the first never ran, and nothing "
          "overlapped it",
          job.job.id.value, absl::ToDoubleSeconds(nominal - *job.job.timestamp));
    });
  }
}

}  // namespace scheduled::sim
