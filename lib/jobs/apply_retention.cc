// House-keeping that the leader proposes, in bounded steps: history that is too old, remembered
// requests that have expired, and what the group as a whole has agreed on.
#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/codec.h"
#include "jobs/apply.h"
#include "jobs/limits.h"
#include "jobs/status_view.h"

namespace scheduled::jobs {
namespace {

constexpr std::array kEndedStatuses = {JobStatus::kCompleted, JobStatus::kFailed,
                                       JobStatus::kTimeout, JobStatus::kCancelled,
                                       JobStatus::kSkipped};

bool IsValidLimit(int limit) { return limit >= 1 && limit <= kMaxHousekeepingRows; }

// The records of one run; their number.
int RemoveRecords(ApplyContext& ctx, const DoneKey& key, int limit) {
  const std::string prefix = RunsFrom(key.job_id, key.run);
  const std::vector<TableRow> rows = ctx.Scan(prefix, PrefixEnd(prefix), limit);
  for (const TableRow& row : rows) ctx.Delete(row.key);
  return static_cast<int>(rows.size());
}

// Removes one run that ended too long ago: its records, and with its last run the job itself. Its
// row in `done` goes last: if there are more records than fit, it stays, and the next command goes
// on.
int Remove(ApplyContext& ctx, const DoneKey& key, int64_t before_us, int limit) {
  const int removed = RemoveRecords(ctx, key, limit);
  if (removed == limit) return removed;
  pb::ScheduleRow* schedule = ctx.ReadSchedule(key.job_id);
  const bool is_own = schedule != nullptr && key.run >= schedule->birth();
  if (is_own && IsEnded(*schedule) && schedule->ended_us() < before_us) {
    ctx.Delete(EncodeJobKey(key.job_id));
    ctx.Delete(EncodeScheduleKey(key.job_id));
    ctx.MoveJob(StatusOf(*schedule, /*in_flight=*/false), std::nullopt);
  }
  ctx.Delete(EncodeDoneKey(key));
  return removed + 1;
}

// A cancelled job's mark stands for a run that has not ended: it stays while the run lives.
bool IsMark(ApplyContext& ctx, const DoneKey& key) {
  if (key.status != JobStatus::kCancelled) return false;
  const pb::ScheduleRow* schedule = ctx.ReadSchedule(key.job_id);
  if (schedule == nullptr) return false;
  return std::any_of(schedule->runs().begin(), schedule->runs().end(),
                     [&](const pb::LiveRun& run) { return run.run() == key.run; });
}

}  // namespace

void ApplyRetain(ApplyContext& ctx, const pb::Retain& retain, pb::Answer* answer) {
  if (!IsValidLimit(retain.limit())) return RefuseInvalid(answer, "the limit is out of bounds");
  int removed = 0;
  for (const JobStatus status : kEndedStatuses) {
    if (removed >= retain.limit()) break;
    const std::vector<TableRow> rows = ctx.Scan(
        DonePrefix(status), DoneFrom(status, retain.before_us()), retain.limit() - removed);
    for (const TableRow& row : rows) {
      if (removed >= retain.limit()) break;
      DoneKey key;
      if (!DecodeDoneKey(row.key, &key)) return ctx.Corrupt("a stored key does not parse", row.key);
      if (IsMark(ctx, key)) continue;
      removed += Remove(ctx, key, retain.before_us(), retain.limit());
    }
  }
  answer->set_removed(std::min(removed, retain.limit()));
}

void ApplySweepDedup(ApplyContext& ctx, const pb::SweepDedup& sweep, pb::Answer* answer) {
  if (!IsValidLimit(sweep.limit())) return RefuseInvalid(answer, "the limit is out of bounds");
  const std::vector<TableRow> rows =
      ctx.Scan(TablePrefix(kDedupExpiryTag), DedupExpiryFrom(sweep.before_us()), sweep.limit());
  for (const TableRow& row : rows) {
    DedupExpiryKey key;
    if (!DecodeDedupExpiryKey(row.key, &key)) {
      return ctx.Corrupt("a stored key does not parse", row.key);
    }
    ctx.ExpireDedup(key);
  }
  answer->set_removed(static_cast<int>(rows.size()));
}

void ApplySetGroup(ApplyContext& ctx, const pb::SetGroup& set, pb::Answer* answer) {
  const pb::GroupRow& group = ctx.group();
  if (set.epoch() > kMaxEpoch) {
    return RefuseInvalid(answer, absl::StrCat("the epoch is ", set.epoch(), "; it has 16 bits"));
  }
  // Neither ever falls: a token would, or a command of a newer level would meet an older one.
  ctx.SetGroup(std::max(group.level(), set.level()), std::max(group.epoch(), set.epoch()));
}

}  // namespace scheduled::jobs
