// See check_tables.h.
#include "jobs/check_tables.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/codec.h"
#include "jobs/status_view.h"
#include "jobs/tables.h"
#include "proto/rows.pb.h"

namespace scheduled::jobs {
namespace {

class Checker {
 public:
  explicit Checker(const TableStore& store) : store_(store) {}

  void Run() {
    Read();
    CheckJobs();
    CheckSlots();
    CheckDone();
    CheckQueues();
    CheckCounters();
    CheckDedup();
  }

 private:
  using Runs = std::map<RunKey, pb::InflightRow>;

  std::vector<TableRow> Table(char tag) const {
    const std::string prefix = TablePrefix(tag);
    absl::StatusOr<std::vector<TableRow>> rows = store_.Scan(prefix, PrefixEnd(prefix), SIZE_MAX);
    SCHEDULED_ASSERT(rows.ok(), "the tables can be read");
    return *std::move(rows);
  }

  template <typename Row>
  Row Parse(const std::string& value) const {
    Row row;
    SCHEDULED_ASSERT(row.ParseFromString(value), "every stored row parses");
    return row;
  }

  void Read();
  void CheckJobs();
  void CheckLiveRun(const std::string& job_id, const pb::ScheduleRow& schedule,
                    const pb::LiveRun& run);
  void CheckSlots();
  void CheckDone();
  void CheckQueues();
  void CheckCounters();
  void CheckDedup();
  bool Has(const std::string& key) const {
    const absl::StatusOr<std::optional<std::string>> row = store_.Get(key);
    SCHEDULED_ASSERT(row.ok(), "the tables can be read");
    return row->has_value();
  }

  struct QueueCount {
    uint64_t runs = 0;
    uint64_t slots = 0;
    bool operator==(const QueueCount&) const = default;
  };

  const TableStore& store_;
  std::map<std::string, uint64_t> revisions_;  // of jobs
  std::map<std::string, pb::ScheduleRow> schedules_;
  std::set<std::string> slots_;  // keys
  Runs inflight_;
  std::map<std::string, QueueCount> queues_;  // counted
  std::map<JobStatus, uint64_t> statuses_;    // counted
  size_t live_slots_ = 0;
};

void Checker::Read() {
  for (const TableRow& row : Table(kJobsTag)) {
    std::string job_id;
    SCHEDULED_ASSERT(DecodeJobKey(row.key, &job_id), "every key parses");
    revisions_[job_id] = Parse<pb::JobRow>(row.value).revision();
  }
  for (const TableRow& row : Table(kSchedulesTag)) {
    std::string job_id;
    SCHEDULED_ASSERT(DecodeScheduleKey(row.key, &job_id), "every key parses");
    schedules_[job_id] = Parse<pb::ScheduleRow>(row.value);
  }
  for (const TableRow& row : Table(kInflightTag)) {
    RunKey key;
    SCHEDULED_ASSERT(DecodeInflightKey(row.key, &key), "every key parses");
    inflight_[key] = Parse<pb::InflightRow>(row.value);
    ++queues_[inflight_[key].queue()].runs;
  }
  for (const TableRow& row : Table(kSlotsTag)) {
    SlotKey key;
    SCHEDULED_ASSERT(DecodeSlotKey(row.key, &key), "every key parses");
    slots_.insert(row.key);
    ++queues_[key.queue].runs;
    ++queues_[key.queue].slots;
  }
}

void Checker::CheckJobs() {
  SCHEDULED_ASSERT(revisions_.size() == schedules_.size(), "a job has a row in both tables");
  for (const auto& [job_id, schedule] : schedules_) {
    const auto revision = revisions_.find(job_id);
    SCHEDULED_ASSERT(revision != revisions_.end(), "a schedule is of a job");
    SCHEDULED_ASSERT(revision->second == schedule.revision(), "both rows have one revision");
    SCHEDULED_ASSERT(schedule.birth() <= schedule.revision(), "a job is born once");
    SCHEDULED_ASSERT(IsEnded(schedule) == (schedule.ended_us() != 0), "an ended job says when");
    bool in_flight = false;
    for (const pb::LiveRun& run : schedule.runs()) {
      CheckLiveRun(job_id, schedule, run);
      in_flight |= !run.replaced() && inflight_.contains({job_id, run.run()});
    }
    ++statuses_[StatusOf(schedule, in_flight)];
  }
}

void Checker::CheckLiveRun(const std::string& job_id, const pb::ScheduleRow& schedule,
                           const pb::LiveRun& run) {
  SCHEDULED_ASSERT(run.run() > schedule.birth(), "a run is younger than its job");
  const bool in_slots = slots_.contains(EncodeSlotKey({.queue = schedule.queue(),
                                                       .ready_us = run.ready_us(),
                                                       .priority = schedule.priority(),
                                                       .job_id = job_id,
                                                       .run = run.run()}));
  const bool in_flight = inflight_.contains({job_id, run.run()});
  SCHEDULED_ASSERT(int{in_slots} + int{in_flight} + int{run.held()} == 1,
                   "a live run stands in exactly one place");
  SCHEDULED_ASSERT(!run.held() || schedule.paused(), "only a paused job holds a run");
  SCHEDULED_ASSERT(!in_slots || !schedule.paused(), "no run of a paused job waits in slots");
  SCHEDULED_ASSERT(in_flight || !(run.cancelled() || run.replaced() || schedule.cancelled()),
                   "what is cancelled or replaced lives on only while it is in flight");
  live_slots_ += in_slots ? 1 : 0;
  if (run.held()) ++queues_[schedule.queue()].runs;
}

void Checker::CheckSlots() {
  SCHEDULED_ASSERT(live_slots_ == slots_.size(), "every row of slots is of a live run");
}

void Checker::CheckDone() {
  for (const auto& [job_id, schedule] : schedules_) {
    if (!IsEnded(schedule) && !schedule.cancelled()) continue;
    SCHEDULED_ASSERT(Has(EncodeDoneKey({.status = StatusOf(schedule, false),
                                        .end_us = schedule.last().end_us(),
                                        .job_id = job_id,
                                        .run = schedule.last().run()})),
                     "an ended job is found in done");
  }
  for (const TableRow& row : Table(kDoneTag)) {
    DoneKey key;
    SCHEDULED_ASSERT(DecodeDoneKey(row.key, &key), "every key parses");
  }
  for (const TableRow& row : Table(kRunsTag)) {
    DeliveryKey key;
    SCHEDULED_ASSERT(DecodeDeliveryKey(row.key, &key), "every key parses");
    const auto record = Parse<pb::RunRow>(row.value);
    if (record.done_status() == 0) continue;
    SCHEDULED_ASSERT(Has(EncodeDoneKey({.status = static_cast<JobStatus>(record.done_status()),
                                        .end_us = record.done_us(),
                                        .job_id = key.job_id,
                                        .run = key.run})),
                     "the last record of a run says where it stands in done");
  }
}

void Checker::CheckQueues() {
  std::map<std::string, QueueCount> stored;
  for (const TableRow& row : Table(kQueuesTag)) {
    std::string queue;
    SCHEDULED_ASSERT(DecodeQueueKey(row.key, &queue), "every key parses");
    const auto count = Parse<pb::QueueRow>(row.value);
    stored[queue] = {.runs = count.runs(), .slots = count.slots()};
  }
  SCHEDULED_ASSERT(stored == queues_, "the rows of queues equal a recount");
}

void Checker::CheckCounters() {
  pb::CountersRow counters;
  const absl::StatusOr<std::optional<std::string>> row = store_.Get(kCountersKey);
  SCHEDULED_ASSERT(row.ok(), "the tables can be read");
  if (row->has_value()) counters = Parse<pb::CountersRow>(**row);
  SCHEDULED_ASSERT(counters.jobs() == schedules_.size(), "jobs are counted");
  const std::pair<JobStatus, uint64_t> by_status[] = {
      {JobStatus::kPending, counters.pending()},
      {JobStatus::kInProgress, counters.in_progress()},
      {JobStatus::kPaused, counters.paused()},
      {JobStatus::kCompleted, counters.completed()},
      {JobStatus::kFailed, counters.failed()},
      {JobStatus::kTimeout, counters.timeout()},
      {JobStatus::kCancelled, counters.cancelled()}};
  for (const auto& [status, count] : by_status) {
    SCHEDULED_ASSERT(statuses_[status] == count, "jobs are counted by their status");
  }
  for (const auto& [job_id, schedule] : schedules_) {
    SCHEDULED_ASSERT(schedule.revision() <= counters.next_number(),
                     "numbers come from the counter");
  }
}

void Checker::CheckDedup() {
  uint64_t undone = 0;
  for (const TableRow& row : Table(kDedupTag)) {
    DedupKey key;
    SCHEDULED_ASSERT(DecodeDedupKey(row.key, &key), "every key parses");
    const auto dedup = Parse<pb::DedupRow>(row.value);
    SCHEDULED_ASSERT(Has(EncodeDedupExpiryKey({.expires_us = dedup.expires_us(), .key = key})),
                     "what is remembered is forgotten one day");
    undone += key.kind == DedupKind::kUndoneCreate ? 1 : 0;
  }
  pb::CountersRow counters;
  const absl::StatusOr<std::optional<std::string>> row = store_.Get(kCountersKey);
  if (row.ok() && row->has_value()) counters = Parse<pb::CountersRow>(**row);
  SCHEDULED_ASSERT(undone == counters.undone_creates(), "undone creates are counted");
}

}  // namespace

void CheckTables(const TableStore& store) { Checker(store).Run(); }

}  // namespace scheduled::jobs
