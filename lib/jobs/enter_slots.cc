// See enter_slots.h.
#include "jobs/enter_slots.h"

#include "base/assert.h"
#include "base/planted.h"

namespace scheduled::jobs {

Entered EnterSlots(ApplyContext& ctx, std::string_view job_id, const pb::ScheduleRow& schedule,
                   pb::LiveRun* run) {
  SCHEDULED_ASSERT(!run->held(), "a run that enters stands nowhere");
  if (schedule.cancelled() || run->cancelled() || run->replaced()) {
    Probe("jobs: a run is dropped on its way back");
    return Entered::kDropped;
  }
  if (schedule.paused() && !IsPlanted(Bug::kPausedRunEnters)) {
    run->set_held(true);
    ctx.CountHeld(schedule.queue());
    return Entered::kHeld;
  }
  pb::SlotRow* row = ctx.New<pb::SlotRow>();
  row->set_due_us(run->due_us());
  row->set_revision(schedule.revision());
  ctx.EnterSlot({.queue = schedule.queue(),
                 .ready_us = run->ready_us(),
                 .priority = schedule.priority(),
                 .job_id = std::string(job_id),
                 .run = run->run()},
                *row);
  return Entered::kSlots;
}

}  // namespace scheduled::jobs
