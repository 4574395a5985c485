// One job while a command changes it: its schedule row, the places of its live runs, and its status
// before and after, for the counters. Every handler of a command on an existing job works through
// this. Lives within one command; apply lane.
#ifndef SCHEDULED_LIB_JOBS_JOB_EDIT_H_
#define SCHEDULED_LIB_JOBS_JOB_EDIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jobs/apply_context.h"
#include "jobs/enter_slots.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

// What a caller knows already, so that it need not be read again.
struct KnownPlace {
  uint64_t run = 0;
  bool in_flight = false;
};

// Where a live run stands: exactly one of these.
enum class Place { kSlots, kHeld, kInflight };

class JobEdit {
 public:
  // Preconditions: `schedule` is the job's row, and lives in ctx's arena; `job_id` outlives this.
  JobEdit(ApplyContext& ctx, std::string_view job_id, pb::ScheduleRow* schedule,
          std::optional<KnownPlace> known = std::nullopt);
  JobEdit(const JobEdit&) = delete;
  JobEdit& operator=(const JobEdit&) = delete;

  std::string_view id() const { return job_id_; }
  const pb::ScheduleRow& schedule() const { return *schedule_; }
  // The row, to be changed: it is written by Save.
  pb::ScheduleRow& Change() {
    changed_ = true;
    return *schedule_;
  }
  JobStatus before() const { return before_; }
  // The status as things stand now.
  JobStatus Now(std::optional<KnownPlace> known = std::nullopt) const;

  // The index of a live run in schedule().runs(); -1 if it is none.
  int Find(uint64_t run) const;
  // `row`, if not null, gets the row of a run in flight.
  Place PlaceOf(const pb::LiveRun& run, pb::InflightRow** row = nullptr) const;
  SlotKey SlotOf(const pb::LiveRun& run) const;

  // Takes a run out of where it stands; it stands nowhere then, until it is entered or ended.
  void LeaveSlot(const pb::LiveRun& run);
  void Unhold(int index);
  // Enters a run that stands nowhere; one that is dropped on the way is ended, as cancelled or as
  // of an older schedule, and is gone from runs() on return.
  Entered EnterOrEnd(int index);

  // Notes in the schedule when an attempt began, and how many there were with it.
  void NoteAttempt(const pb::LiveRun& run, int64_t start_us, int attempts);

  // How a run ended. `attempt` and `delivery` name its last record.
  struct Ending {
    JobStatus status = JobStatus::kCompleted;
    uint32_t attempt = 1;
    uint32_t delivery = 1;
  };
  // Ends a live run that stands nowhere any more: records it in `runs` and `done`, counts it, and
  // takes it out of the schedule; with the last one the job ends. `record` has what the node told.
  void EndRun(int index, const Ending& ending, pb::RunRow* record);
  // The same for a run that is not delivered: skipped or cancelled, and why.
  void EndUndelivered(int index, JobStatus status, std::string_view error_type,
                      std::string_view message = {});
  // The row in `done` that makes a cancelled job found by its status while its runs still end.
  void MarkCancelled(uint64_t run);

  // Writes the schedule if it was changed, and counts the job where it stands now.
  void Save(std::optional<KnownPlace> known = std::nullopt);

 private:
  JobStatus DoneStatus(const pb::LiveRun& run, JobStatus status) const;

  ApplyContext& ctx_;
  const std::string_view job_id_;
  pb::ScheduleRow* const schedule_;
  const JobStatus before_;
  bool changed_ = false;
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_JOB_EDIT_H_
