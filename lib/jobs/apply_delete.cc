// Delete: the job, its waiting runs and its history. What is in flight stays in `inflight`, without
// a job: the dispatcher tells it to stop, and its finish, or its session's close, removes the row.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/codec.h"
#include "jobs/apply.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kRecordsPerDelete = 256;

// Removes the records under a prefix, and the rows in `done` that they tell of; no more than
// `budget` of them, from which it takes what it removed.
void DeleteRecords(ApplyContext& ctx, const std::string& prefix, size_t* budget) {
  std::string from = prefix;
  while (*budget > 0) {
    const size_t wanted = std::min(kRecordsPerDelete, *budget);
    const std::vector<TableRow> rows = ctx.Scan(from, PrefixEnd(prefix), wanted);
    for (const TableRow& row : rows) {
      DeliveryKey key;
      pb::RunRow record;
      if (!DecodeDeliveryKey(row.key, &key) || !record.ParseFromString(row.value)) {
        return ctx.Corrupt("a stored row does not parse", row.key);
      }
      ctx.Delete(row.key);
      if (record.done_status() == 0) continue;
      ctx.Delete(EncodeDoneKey({.status = static_cast<JobStatus>(record.done_status()),
                                .end_us = record.done_us(),
                                .job_id = key.job_id,
                                .run = key.run}));
    }
    *budget -= rows.size();
    if (rows.size() < wanted) return;
    from = KeyAfter(rows.back().key);
  }
}

void RemoveHistory(ApplyContext& ctx, const JobEdit& job) {
  size_t budget = kMaxDeletedHistory;
  // Live runs first: what is left of one that has ended goes with its row in `done`, and they have
  // none.
  for (const pb::LiveRun& run : job.schedule().runs()) {
    DeleteRecords(ctx, RunsFrom(job.id(), run.run()), &budget);
  }
  DeleteRecords(ctx, RunsPrefix(job.id()), &budget);
}

void RemoveRuns(ApplyContext& ctx, JobEdit& job, const RunRefs& withdrawn) {
  for (int i = 0; i < job.schedule().runs_size(); ++i) {
    TakeBack(ctx, job, i, withdrawn);
    const pb::LiveRun& run = job.schedule().runs(i);
    if (!run.cancelled()) continue;
    ctx.Delete(EncodeDoneKey({.status = JobStatus::kCancelled,
                              .end_us = job.schedule().cancelled_us(),
                              .job_id = std::string(job.id()),
                              .run = run.run()}));
  }
}

void RememberCreate(ApplyContext& ctx, const pb::Delete& remove, const pb::JobRow& job,
                    uint64_t revision) {
  if (job.request_id().empty() || remove.dedup_expires_us() == 0) return;
  pb::DedupRow* row = ctx.New<pb::DedupRow>();
  row->set_expires_us(remove.dedup_expires_us());
  row->set_job_id(remove.job_id());
  row->set_revision(revision);
  row->set_created_us(job.created_us());
  ctx.PutDedup(
      {.kind = DedupKind::kUndoneCreate, .key = absl::StrCat(job.request_id(), remove.job_id())},
      *row);
}

}  // namespace

void ApplyDelete(ApplyContext& ctx, const pb::Delete& remove, pb::Answer* answer) {
  if (!IsKeyName(remove.job_id())) return RefuseInvalid(answer, "the delete names no job");
  if (!CheckWithdrawn(remove.withdrawn(), answer)) return;
  const pb::JobRow* row = ctx.ReadJob(remove.job_id());
  pb::ScheduleRow* schedule = ctx.ReadSchedule(remove.job_id());
  if (row == nullptr || schedule == nullptr) {
    RefuseNotFound(answer, remove.job_id());
    return AnswerInflight(ctx, remove.job_id(), nullptr, &remove.withdrawn(), answer);
  }
  JobEdit job(ctx, remove.job_id(), schedule);
  RemoveRuns(ctx, job, remove.withdrawn());
  RemoveHistory(ctx, job);
  RememberCreate(ctx, remove, *row, schedule->birth());
  ctx.Delete(EncodeJobKey(remove.job_id()));
  ctx.Delete(EncodeScheduleKey(remove.job_id()));
  ctx.MoveJob(job.before(), std::nullopt);
  ctx.counters().set_total_deleted(ctx.counters().total_deleted() + 1);
  pb::JobAnswer* gone = answer->add_jobs();
  gone->set_job_id(remove.job_id());
  gone->set_revision(row->revision());
  gone->set_created_us(row->created_us());
  gone->set_stamp_us(ctx.stamp().us);
  AnswerInflight(ctx, remove.job_id(), schedule, &remove.withdrawn(), answer);
}

}  // namespace scheduled::jobs
