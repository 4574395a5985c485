// The one way into `slots`. Whatever sends a run there (a create, a next occurrence, a retry, a
// claim that is put back, a session that closed, a resume, a replace) passes this function, so that
// what is cancelled or replaced is dropped and what is paused is held, wherever the run came from.
#ifndef SCHEDULED_LIB_JOBS_ENTER_SLOTS_H_
#define SCHEDULED_LIB_JOBS_ENTER_SLOTS_H_

#include <string_view>

#include "jobs/apply_context.h"
#include "proto/rows.pb.h"

namespace scheduled::jobs {

enum class Entered {
  kSlots,    // it stands in `slots` now
  kHeld,     // it stands in its schedule, until the job is resumed
  kDropped,  // it stands nowhere: the caller ends it
};

// `run` is one of `schedule.runs`, stands nowhere, and may be changed here; the caller writes the
// schedule row. `run.ready_us` says when it may start.
Entered EnterSlots(ApplyContext& ctx, std::string_view job_id, const pb::ScheduleRow& schedule,
                   pb::LiveRun* run);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_ENTER_SLOTS_H_
