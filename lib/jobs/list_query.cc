// See list_query.h.
//
// An index has a row for each run, and a list is of jobs. So each job is listed by one run of the
// index alone (job_info.h says which), and any other row is passed over; so is a row whose job has
// moved on since, or vanished.
#include "jobs/list_query.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/codec.h"
#include "jobs/dispatch_view.h"
#include "jobs/job_info.h"
#include "jobs/job_model.h"
#include "jobs/page_cursor.h"
#include "jobs/tables.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kMaxPage = 1000;
constexpr size_t kListedRowsPerScan = 128;
// A page ends behind the job with which its payloads reach this, so that it fits into memory.
constexpr size_t kMaxPageBytes = size_t{8} << 20;

class Listing {
 public:
  Listing(const TableStore& store, const JobFilter& filter, const PageToken& page, size_t max_rows)
      : store_(store), filter_(filter), page_(page), max_rows_(max_rows) {}

  absl::StatusOr<JobPage> Run();

 private:
  struct Row {
    std::string job_id;
    uint64_t run = 0;  // but for schedules
  };

  absl::Status Begin();
  absl::Status ReadPage();
  absl::Status Look(const TableRow& row);
  bool Decode(std::string_view key, Row* row);
  bool IsListedBy(const JobRecord& record, const Row& row) const;
  bool Passes(const JobInfo& info) const;
  std::string SkipTo(std::string_view key) const;
  bool IsFull() const {
    return result_.jobs.size() >= static_cast<size_t>(page_.limit) ||
           payload_bytes_ >= kMaxPageBytes;
  }

  const TableStore& store_;
  const JobFilter& filter_;
  const PageToken& page_;
  const size_t max_rows_;
  std::string from_;
  std::string to_;
  JobPage result_;
  size_t payload_bytes_ = 0;
};

absl::Status Listing::Begin() {
  const std::optional<char> table = TableOfList(filter_.status);
  if (!table.has_value()) {
    return absl::InvalidArgumentError("status is skipped; runs are skipped, jobs are not");
  }
  if (page_.limit < 1 || page_.limit > static_cast<int>(kMaxPage)) {
    return absl::InvalidArgumentError(
        absl::StrCat("limit is ", page_.limit, "; it needs to be 1 to ", kMaxPage));
  }
  if (!filter_.executor.empty()) {
    if (absl::Status status = ValidateExecutorName(filter_.executor); !status.ok()) return status;
  }
  from_ = *table == kDoneTag ? DonePrefix(*filter_.status) : TablePrefix(*table);
  to_ = PrefixEnd(from_);
  if (page_.value.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> key = DecodePageCursor(filter_.status, page_.value);
  if (!key.ok()) return key.status();
  from_ = KeyAfter(*key);
  return absl::OkStatus();
}

absl::StatusOr<JobPage> Listing::Run() {
  if (absl::Status status = Begin(); !status.ok()) return status;
  if (absl::Status status = ReadPage(); !status.ok()) return status;
  return std::move(result_);
}

absl::Status Listing::ReadPage() {
  size_t looked = 0;
  while (true) {
    const size_t wanted = std::min(kListedRowsPerScan, max_rows_ - looked);
    const absl::StatusOr<std::vector<TableRow>> rows = store_.Scan(from_, to_, wanted);
    if (!rows.ok()) return rows.status();
    for (const TableRow& row : *rows) {
      ++looked;
      from_ = SkipTo(row.key);
      const bool skips = !from_.empty();
      if (!skips) {
        if (absl::Status status = Look(row); !status.ok()) return status;
        from_ = KeyAfter(row.key);
      }
      if (IsFull() || looked >= max_rows_) {
        result_.next = EncodePageCursor(filter_.status, row.key);
        return absl::OkStatus();
      }
      if (skips) break;  // the rest of the queue is too late
    }
    // The end has no cursor. A scan that was left early goes on from where it skipped to.
    const bool was_left = !rows->empty() && from_ != KeyAfter(rows->back().key);
    if (rows->size() < wanted && !was_left) return absl::OkStatus();
  }
}

// Pending rows stand by queue, then by time: from the first that is too late for `due_before` on, a
// queue has nothing more. Where the next queue begins, or empty to go on row by row.
std::string Listing::SkipTo(std::string_view key) const {
  SlotKey slot;
  if (filter_.status != JobStatus::kPending || !filter_.due_before.has_value() ||
      !DecodeSlotKey(key, &slot) || slot.ready_us < absl::ToUnixMicros(*filter_.due_before)) {
    return {};
  }
  return PrefixEnd(SlotsPrefix(slot.queue));
}

bool Listing::Decode(std::string_view key, Row* row) {
  SlotKey slot;
  RunKey run;
  DoneKey done;
  switch (*TableOfList(filter_.status)) {
    case kSchedulesTag:
      return DecodeScheduleKey(key, &row->job_id);
    case kSlotsTag:
      if (!DecodeSlotKey(key, &slot)) return false;
      *row = {.job_id = std::move(slot.job_id), .run = slot.run};
      return true;
    case kInflightTag:
      if (!DecodeInflightKey(key, &run)) return false;
      *row = {.job_id = std::move(run.job_id), .run = run.run};
      return true;
    default:
      if (!DecodeDoneKey(key, &done)) return false;
      *row = {.job_id = std::move(done.job_id), .run = done.run};
      return true;
  }
}

bool Listing::IsListedBy(const JobRecord& record, const Row& row) const {
  if (!filter_.status.has_value()) return true;
  if (StatusOf(record) != *filter_.status) return false;
  switch (*filter_.status) {
    case JobStatus::kPending: {
      const pb::LiveRun* first = FirstWaiting(record);
      return first != nullptr && first->run() == row.run;
    }
    case JobStatus::kInProgress:
      return FirstInFlight(record)->run == row.run;
    case JobStatus::kPaused:
      return true;
    default:
      return record.schedule.last().run() == row.run;
  }
}

bool Listing::Passes(const JobInfo& info) const {
  if (!filter_.executor.empty() && info.job.executor != filter_.executor) return false;
  if (!filter_.due_before.has_value()) return true;
  return info.next_run_at.has_value() && *info.next_run_at < *filter_.due_before;
}

absl::Status Listing::Look(const TableRow& row) {
  Row decoded;
  if (!Decode(row.key, &decoded)) return absl::DataLossError("a stored key does not parse");
  if (*TableOfList(filter_.status) == kSchedulesTag && filter_.status.has_value()) {
    // Most jobs are not paused: their definitions need not be read to know it.
    pb::ScheduleRow schedule;
    if (!schedule.ParseFromString(row.value)) {
      return absl::DataLossError("a row of schedules does not parse");
    }
    if (!schedule.paused()) return absl::OkStatus();
  }
  const absl::StatusOr<std::optional<JobRecord>> record = ReadJob(store_, decoded.job_id);
  if (!record.ok()) return record.status();
  if (!record->has_value() || !IsListedBy(**record, decoded)) return absl::OkStatus();
  JobInfo info = MakeJobInfo(**record);
  if (!Passes(info)) return absl::OkStatus();
  payload_bytes_ += info.job.payload.size();
  result_.jobs.push_back(std::move(info));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobPage> ListJobs(const TableStore& store, const JobFilter& filter,
                                 const PageToken& page, size_t max_rows) {
  return Listing(store, filter, page, max_rows).Run();
}

uint64_t CountOf(const Counts& counts, JobStatus status) {
  switch (status) {
    case JobStatus::kPending:
      return counts.pending;
    case JobStatus::kInProgress:
      return counts.in_progress;
    case JobStatus::kPaused:
      return counts.paused;
    case JobStatus::kCompleted:
      return counts.completed;
    case JobStatus::kFailed:
      return counts.failed;
    case JobStatus::kTimeout:
      return counts.timeout;
    case JobStatus::kCancelled:
      return counts.cancelled;
    case JobStatus::kSkipped:
      break;
  }
  return 0;
}

}  // namespace scheduled::jobs
