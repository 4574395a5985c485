// A job's record as its reader sees it. Pure.
#ifndef SCHEDULED_LIB_JOBS_JOB_INFO_H_
#define SCHEDULED_LIB_JOBS_JOB_INFO_H_

#include <cstdint>

#include "jobs/dispatch_view.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

JobStatus StatusOf(const JobRecord& record);
JobInfo MakeJobInfo(const JobRecord& record);

// The run by which a pending job is listed: of those that wait, the one that is ready first. Null
// if none waits.
const pb::LiveRun* FirstWaiting(const JobRecord& record);
// The run by which a job in progress is listed: the oldest in flight. Null if none is.
const InflightRun* FirstInFlight(const JobRecord& record);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_JOB_INFO_H_
