// See queries.h. Lists are in list_query.cc.
#include "jobs/queries.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/codec.h"
#include "base/uuid.h"
#include "cron/quoted.h"
#include "jobs/job_info.h"
#include "jobs/list_query.h"
#include "jobs/stored_row.h"
#include "slots/slot_ranges.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kRecordsPerScan = 256;

absl::Status NoSuchJob(std::string_view job_id) {
  return absl::NotFoundError(absl::StrCat("there is no job ", cron::Quoted(job_id)));
}

// The run number from which on a job has its newest `wanted` records, or somewhat more: where one
// run has many. Found by bisection, since rows are read forward only.
absl::StatusOr<uint64_t> FirstOfNewest(const TableStore& store, std::string_view job_id,
                                       uint64_t birth, uint64_t youngest, size_t wanted) {
  const std::string end = PrefixEnd(RunsPrefix(job_id));
  uint64_t enough = birth, too_few = youngest + 1;
  while (too_few - enough > 1) {
    const uint64_t middle = enough + (too_few - enough) / 2;
    const absl::StatusOr<std::vector<TableRow>> rows =
        store.Scan(RunsFrom(job_id, middle), end, wanted);
    if (!rows.ok()) return rows.status();
    (rows->size() >= wanted ? enough : too_few) = middle;
  }
  return enough;
}

Attempt MakeAttempt(std::string_view cluster_id, const DeliveryKey& key, const pb::RunRow& row) {
  Attempt attempt;
  attempt.run_id = RunUuid(cluster_id, RunNumber(key.run)).ToString();
  attempt.attempt = static_cast<int>(key.attempt);
  attempt.delivery = static_cast<int>(key.delivery);
  attempt.due = absl::FromUnixMicros(row.due_us());
  if (row.start_us() != 0) attempt.start = absl::FromUnixMicros(row.start_us());
  if (row.end_us() != 0) attempt.end = absl::FromUnixMicros(row.end_us());
  attempt.node = NodeId(row.node_id());
  attempt.status = static_cast<JobStatus>(row.status());
  attempt.http_status = row.http_status();
  attempt.error_type = row.error_type();
  attempt.error_message = row.error_message();
  attempt.response = row.response();
  return attempt;
}

}  // namespace

absl::StatusOr<JobInfo> Queries::Get(std::string_view job_id) const {
  const absl::StatusOr<std::optional<JobRecord>> record = ReadJob(store_, job_id);
  if (!record.ok()) return record.status();
  if (!record->has_value()) return NoSuchJob(job_id);
  return MakeJobInfo(**record);
}

absl::StatusOr<std::vector<Attempt>> Queries::Attempts(std::string_view job_id) const {
  if (!IsKeyName(job_id)) return NoSuchJob(job_id);
  pb::ScheduleRow schedule;
  const absl::StatusOr<bool> found = ReadRow(store_, EncodeScheduleKey(job_id), &schedule);
  if (!found.ok()) return found.status();
  if (!*found) return NoSuchJob(job_id);
  const std::string end = PrefixEnd(RunsPrefix(job_id));
  std::string from = RunsFrom(job_id, schedule.birth());
  absl::StatusOr<std::vector<TableRow>> rows = store_.Scan(from, end, kMaxAttempts + 1);
  if (!rows.ok()) return rows.status();
  if (rows->size() > kMaxAttempts) {
    const absl::StatusOr<pb::CountersRow> counters = Counters();
    if (!counters.ok()) return counters.status();
    const absl::StatusOr<uint64_t> first =
        FirstOfNewest(store_, job_id, schedule.birth(), counters->next_number(), kMaxAttempts);
    if (!first.ok()) return first.status();
    from = RunsFrom(job_id, *first);
    rows = std::vector<TableRow>();
  }
  std::vector<Attempt> attempts;
  while (true) {
    if (rows->empty()) rows = store_.Scan(from, end, kRecordsPerScan);
    if (!rows.ok()) return rows.status();
    if (rows->empty()) break;
    for (const TableRow& row : *rows) {
      DeliveryKey key;
      pb::RunRow record;
      if (!DecodeDeliveryKey(row.key, &key) || !record.ParseFromString(row.value)) {
        return absl::DataLossError("a row of runs does not parse");
      }
      attempts.push_back(MakeAttempt(cluster_id_, key, record));
    }
    from = KeyAfter(rows->back().key);
    rows->clear();
    if (attempts.size() > 2 * kMaxAttempts) {
      attempts.erase(attempts.begin(), attempts.end() - kMaxAttempts);
    }
  }
  if (attempts.size() > kMaxAttempts) {
    attempts.erase(attempts.begin(), attempts.end() - kMaxAttempts);
  }
  return attempts;
}

absl::StatusOr<JobPage> Queries::List(const JobFilter& filter, const PageToken& page) const {
  absl::StatusOr<JobPage> result = ListJobs(store_, filter, page, kMaxRowsLookedAt);
  if (!result.ok() || !filter.executor.empty() || filter.due_before.has_value()) return result;
  const absl::StatusOr<scheduled::Counts> counts = Counts();
  if (!counts.ok()) return counts.status();
  result->total = filter.status.has_value() ? CountOf(*counts, *filter.status) : counts->jobs;
  return result;
}

absl::StatusOr<scheduled::Counts> Queries::Counts() const {
  const absl::StatusOr<pb::CountersRow> row = Counters();
  if (!row.ok()) return row.status();
  return scheduled::Counts{.jobs = row->jobs(),
                           .pending = row->pending(),
                           .in_progress = row->in_progress(),
                           .paused = row->paused(),
                           .completed = row->completed(),
                           .failed = row->failed(),
                           .timeout = row->timeout(),
                           .cancelled = row->cancelled()};
}

absl::StatusOr<pb::CountersRow> Queries::Counters() const {
  pb::CountersRow row;
  const absl::StatusOr<bool> found = ReadRow(store_, kCountersKey, &row);
  if (!found.ok()) return found.status();
  return row;
}

absl::StatusOr<SlotPage> Queries::Slots(const SlotRange& range) const {
  if (absl::Status status = ValidateSlotGap(range.gap); !status.ok()) return status;
  const std::string prefix = TablePrefix(kQueuesTag);
  const absl::StatusOr<std::vector<TableRow>> rows =
      store_.Scan(prefix, PrefixEnd(prefix), SIZE_MAX);
  if (!rows.ok()) return rows.status();
  std::vector<std::string> prefixes;
  for (const TableRow& row : *rows) {
    std::string queue;
    if (!DecodeQueueKey(row.key, &queue)) {
      return absl::DataLossError("a row of queues does not parse");
    }
    prefixes.push_back(SlotsPrefix(queue));
  }
  return ReadSlots(store_, prefixes, range);
}

}  // namespace scheduled::jobs
