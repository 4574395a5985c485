// See dispatch_view.h.
#include "jobs/dispatch_view.h"

#include <algorithm>
#include <utility>

#include "base/codec.h"
#include "jobs/stored_row.h"

namespace scheduled::jobs {

const pb::LiveRun* JobRecord::FindRun(uint64_t run) const {
  const auto found = std::find_if(schedule.runs().begin(), schedule.runs().end(),
                                  [&](const pb::LiveRun& live) { return live.run() == run; });
  return found == schedule.runs().end() ? nullptr : &*found;
}

bool JobRecord::IsInFlight(uint64_t run) const {
  return std::any_of(in_flight.begin(), in_flight.end(),
                     [&](const InflightRun& other) { return other.run == run; });
}

absl::StatusOr<std::optional<JobRecord>> ReadJob(const TableStore& store, std::string_view job_id,
                                                 JobDetail detail) {
  if (!IsKeyName(job_id)) return std::optional<JobRecord>();
  JobRecord record;
  record.job_id = job_id;
  // The schedule first: runs only leave it when they have left the other places, so that a run that
  // is claimed in between shows as one in flight rather than nowhere.
  absl::StatusOr<bool> found = ReadRow(store, EncodeScheduleKey(job_id), &record.schedule);
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<JobRecord>();
  pb::JobRow job;
  found = ReadRow(store, EncodeJobKey(job_id), &job);
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<JobRecord>();
  record.revision = job.revision();
  record.created_us = job.created_us();
  record.fingerprint = job.fingerprint();
  if (!record.definition.ParseFromString(job.definition())) {
    return absl::DataLossError("the definition of a job does not parse");
  }
  for (const pb::LiveRun& run : record.schedule.runs()) {
    if (run.held() || detail == JobDetail::kWithoutInFlight) continue;
    InflightRun in_flight{.run = run.run(), .row = {}};
    found = ReadRow(store, EncodeInflightKey(job_id, run.run()), &in_flight.row);
    if (!found.ok()) return found.status();
    if (*found) record.in_flight.push_back(std::move(in_flight));
  }
  return std::optional<JobRecord>(std::move(record));
}

absl::StatusOr<std::vector<InflightEntry>> ReadInflight(const TableStore& store,
                                                        const std::optional<RunKey>& after,
                                                        size_t limit) {
  const std::string prefix = TablePrefix(kInflightTag);
  const std::string from =
      after.has_value() ? KeyAfter(EncodeInflightKey(after->job_id, after->run)) : prefix;
  absl::StatusOr<std::vector<TableRow>> rows = store.Scan(from, PrefixEnd(prefix), limit);
  if (!rows.ok()) return rows.status();
  std::vector<InflightEntry> entries(rows->size());
  for (size_t i = 0; i < rows->size(); ++i) {
    if (!DecodeInflightKey((*rows)[i].key, &entries[i].key) ||
        !entries[i].row.ParseFromString((*rows)[i].value)) {
      return absl::DataLossError("a row of inflight does not parse");
    }
  }
  return entries;
}

absl::StatusOr<std::vector<SessionEntry>> ReadSessions(const TableStore& store) {
  const std::string prefix = TablePrefix(kSessionsTag);
  absl::StatusOr<std::vector<TableRow>> rows = store.Scan(prefix, PrefixEnd(prefix), SIZE_MAX);
  if (!rows.ok()) return rows.status();
  std::vector<SessionEntry> entries(rows->size());
  for (size_t i = 0; i < rows->size(); ++i) {
    if (!DecodeSessionKey((*rows)[i].key, &entries[i].node_id) ||
        !entries[i].row.ParseFromString((*rows)[i].value)) {
      return absl::DataLossError("a row of sessions does not parse");
    }
  }
  return entries;
}

}  // namespace scheduled::jobs
