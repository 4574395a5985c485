// A job's status is not stored: it is read off where its runs stand. This is the one place that
// says how. Pure.
//
//   first of these that holds                               status
//   the job was cancelled                                   cancelled
//   no live run is left but runs of an older schedule       how the last run ended
//   it is paused                                            paused, even while a run goes on
//   a live run is in flight                                 in_progress
//   otherwise                                               pending
#ifndef SCHEDULED_LIB_JOBS_STATUS_VIEW_H_
#define SCHEDULED_LIB_JOBS_STATUS_VIEW_H_

#include "proto/rows.pb.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

// No run of the present schedule is left. (A recurring job always has its next occurrence among its
// runs, so that nothing to come shows as no run.)
bool IsEnded(const pb::ScheduleRow& schedule);

// `in_flight`: a live run that is not of an older schedule stands in `inflight`.
JobStatus StatusOf(const pb::ScheduleRow& schedule, bool in_flight);

// The same where whether anything is in flight is costly to know: true if it decides.
bool DependsOnInflight(const pb::ScheduleRow& schedule);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_STATUS_VIEW_H_
