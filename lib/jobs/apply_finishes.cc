// Finishes: outcomes of deliveries. A run ends, or waits for its retry. Put back: claims that were
// never started wait again.
//
// Keys written by the finish of a run: 4 (inflight, schedules, runs, done).
#include <algorithm>
#include <string>

#include "base/assert.h"
#include "jobs/apply.h"
#include "jobs/enter_slots.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

bool IsOutcome(int status) {
  return status == static_cast<int>(JobStatus::kCompleted) ||
         status == static_cast<int>(JobStatus::kFailed) ||
         status == static_cast<int>(JobStatus::kTimeout) ||
         status == static_cast<int>(JobStatus::kCancelled);
}

bool IsValidFinish(const pb::FinishItem& item) {
  return IsKeyName(item.job_id()) && IsOutcome(item.status()) && item.retry_us() >= 0 &&
         (item.retry_us() == 0 || item.status() != static_cast<int>(JobStatus::kCompleted));
}

// The record as it is kept: what the node told, within bounds, and what Apply knows better.
pb::RunRow* MakeRecord(pb::FinishItem* item, const pb::InflightRow& flight) {
  pb::RunRow* record = item->mutable_record();
  record->set_due_us(flight.due_us());
  record->set_node_id(flight.node_id());
  record->set_status(item->status());
  if (record->start_us() == 0) {
    record->set_start_us(std::max(flight.claimed_us(), flight.ready_us()));
  }
  record->set_done_status(0);
  record->set_done_us(0);
  const auto cut = [](std::string* text, size_t max) {
    if (text->size() > max) text->resize(max);
  };
  cut(record->mutable_error_type(), kMaxErrorTypeBytes);
  cut(record->mutable_error_message(), kMaxMessageBytes);
  cut(record->mutable_response(), kMaxResponseBytes);
  return record;
}

void DropFinish(ApplyContext& ctx) {
  Probe("jobs: a finish is dropped");
  ctx.counters().set_dropped_finishes(ctx.counters().dropped_finishes() + 1);
}

// The run waits for its next attempt. True if it does, false if it was dropped on the way.
bool Retry(ApplyContext& ctx, JobEdit& job, int index, const pb::FinishItem& item,
           const JobEdit::Ending& ending, const pb::RunRow& record) {
  pb::LiveRun* run = job.Change().mutable_runs(index);
  const int64_t ready_before = run->ready_us();
  run->set_ready_us(item.retry_us());
  if (EnterSlots(ctx, job.id(), job.schedule(), run) == Entered::kDropped) {
    run->set_ready_us(ready_before);
    return false;
  }
  ctx.PutDelivery({.job_id = std::string(job.id()),
                   .run = run->run(),
                   .attempt = ending.attempt,
                   .delivery = ending.delivery},
                  record);
  if (!item.uncounted()) run->set_attempts(run->attempts() + 1);
  return true;
}

void Finish(ApplyContext& ctx, pb::FinishItem* item, pb::FinishAnswer* answer) {
  const pb::InflightRow* flight = ctx.ReadInflight(item->job_id(), item->run());
  if (flight == nullptr || flight->token() != item->token()) return DropFinish(ctx);
  pb::ScheduleRow* schedule = ctx.ReadSchedule(item->job_id());
  std::optional<JobEdit> job;
  int index = -1;
  if (schedule != nullptr) {
    job.emplace(ctx, item->job_id(), schedule, KnownPlace{.run = item->run(), .in_flight = true});
    index = job->Find(item->run());
  }
  ctx.LeaveInflight(item->job_id(), item->run(), *flight);
  if (index < 0) return DropFinish(ctx);  // the job was deleted meanwhile

  pb::RunRow* record = MakeRecord(item, *flight);
  const pb::LiveRun& run = schedule->runs(index);
  const JobEdit::Ending ending{.status = static_cast<JobStatus>(item->status()),
                               .attempt = static_cast<uint32_t>(flight->attempt()),
                               .delivery = static_cast<uint32_t>(run.deliveries()) + 1};
  job->NoteAttempt(run, record->start_us(), flight->attempt() - (item->uncounted() ? 1 : 0));
  ctx.counters().set_last_executed_us(std::max(ctx.counters().last_executed_us(), ctx.stamp().us));
  record->set_missed(run.missed());
  const uint64_t number = item->run();
  answer->set_outcome(pb::FinishAnswer::APPLIED);
  if (item->retry_us() > 0 && Retry(ctx, *job, index, *item, ending, *record)) {
    answer->set_status(
        static_cast<int>(schedule->runs(index).held() ? JobStatus::kPaused : JobStatus::kPending));
  } else {
    job->EndRun(index, ending, record);
    answer->set_status(item->status());
  }
  job->Save(KnownPlace{.run = number, .in_flight = false});
}

void PutBack(ApplyContext& ctx, const pb::RunRef& ref, pb::FinishAnswer* answer) {
  const pb::InflightRow* flight = ctx.ReadInflight(ref.job_id(), ref.run());
  if (flight == nullptr || flight->token() != ref.token()) return;  // STALE
  ctx.LeaveInflight(ref.job_id(), ref.run(), *flight);
  pb::ScheduleRow* schedule = ctx.ReadSchedule(ref.job_id());
  if (schedule == nullptr) return;
  JobEdit job(ctx, ref.job_id(), schedule, KnownPlace{.run = ref.run(), .in_flight = true});
  const int index = job.Find(ref.run());
  if (index < 0) return;
  answer->set_outcome(pb::FinishAnswer::APPLIED);
  const bool replaced = schedule->runs(index).replaced();
  JobStatus status = replaced ? JobStatus::kSkipped : JobStatus::kCancelled;
  switch (job.EnterOrEnd(index)) {
    case Entered::kSlots:
      status = JobStatus::kPending;
      break;
    case Entered::kHeld:
      status = JobStatus::kPaused;
      break;
    case Entered::kDropped:
      break;
  }
  answer->set_status(static_cast<int>(status));
  job.Save(KnownPlace{.run = ref.run(), .in_flight = false});
}

}  // namespace

void ApplyFinishes(ApplyContext& ctx, pb::Finishes* finishes, pb::Answer* answer) {
  if (finishes->items_size() > kMaxItems ||
      !std::all_of(finishes->items().begin(), finishes->items().end(), IsValidFinish)) {
    return RefuseInvalid(answer, "the finishes are malformed");
  }
  for (pb::FinishItem& item : *finishes->mutable_items()) {
    Finish(ctx, &item, answer->add_finishes());
  }
}

void ApplyPutBack(ApplyContext& ctx, const pb::PutBack& put_back, pb::Answer* answer) {
  if (!CheckWithdrawn(put_back.runs(), answer)) return;
  for (const pb::RunRef& ref : put_back.runs()) PutBack(ctx, ref, answer->add_finishes());
}

}  // namespace scheduled::jobs
