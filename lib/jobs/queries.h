// Reads for clients, straight from the tables, on the caller's own thread. Thread-safe; holds no
// state but the store.
//
// One answer may read several rows while commands are applied in between, so that it can mix two
// instants of one job: a run counted as in flight that has just ended, a next run that has just
// begun. Each row is whole, and a job that vanishes between two reads is left out. To be
// linearizable a caller first waits for a barrier (RaftNode::Barrier).
#ifndef SCHEDULED_LIB_JOBS_QUERIES_H_
#define SCHEDULED_LIB_JOBS_QUERIES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/dispatch_view.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"
#include "scheduled/scheduler.h"
#include "slots/slot_ranges.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

class Queries {
 public:
  // Rows that one page of List looks at, at most.
  static constexpr size_t kMaxRowsLookedAt = 1000;
  // Deliveries that Attempts returns, at most: the newest.
  static constexpr size_t kMaxAttempts = 1000;

  // `store` outlives this. `cluster_id` (16 bytes) makes run ids.
  Queries(const TableStore& store, std::string cluster_id)
      : store_(store), cluster_id_(std::move(cluster_id)) {}

  // kNotFound.
  absl::StatusOr<JobInfo> Get(std::string_view job_id) const;
  // Newest last; kNotFound.
  absl::StatusOr<std::vector<Attempt>> Attempts(std::string_view job_id) const;

  // A page by index: pending jobs over `slots`, by ready time within each queue; in_progress over
  // `inflight`; completed, failed, timeout and cancelled over `done`, oldest end first; without a
  // status in the order of ids. Paused jobs have no index: they are looked for among all, so that a
  // page may be empty and yet have a next one. The other filters leave rows out. A page ends early
  // once it has looked at kMaxRowsLookedAt rows or holds 8 MiB of payloads. kInvalidArgument: the
  // cursor is not one of this list's, the limit is out of bounds, or the status is `skipped`.
  absl::StatusOr<JobPage> List(const JobFilter& filter, const PageToken& page) const;

  absl::StatusOr<scheduled::Counts> Counts() const;
  // All counters; zero before the first command.
  absl::StatusOr<pb::CountersRow> Counters() const;
  // A page of slots over all queues, as SlotQueue::Slots has them for one; the width is the
  // caller's, and the same for all pages.
  absl::StatusOr<SlotPage> Slots(const SlotRange& range) const;

 private:
  const TableStore& store_;
  const std::string cluster_id_;
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_QUERIES_H_
