// One page of a list of jobs, read by the index that its status has. See Queries::List, which is
// what others call.
#ifndef SCHEDULED_LIB_JOBS_LIST_QUERY_H_
#define SCHEDULED_LIB_JOBS_LIST_QUERY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "scheduled/job.h"
#include "scheduled/scheduler.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

// `max_rows`: how many rows of the index are looked at before the page ends, full or not.
absl::StatusOr<JobPage> ListJobs(const TableStore& store, const JobFilter& filter,
                                 const PageToken& page, size_t max_rows);

uint64_t CountOf(const Counts& counts, JobStatus status);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_LIST_QUERY_H_
