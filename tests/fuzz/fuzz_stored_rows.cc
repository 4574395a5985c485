// Fuzz target: the values of stored rows. One job's rows hold any bytes; whoever reads them gets a
// record, nothing, or DATA_LOSS, and nothing else happens.
//
// Input: the values, each ended by the byte 0xff, for the keys in the order below.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "jobs/dispatch_view.h"
#include "jobs/queries.h"
#include "jobs/tables.h"
#include "storage/applied_row.h"
#include "storage/memory_table_store.h"

using namespace scheduled;        // NOLINT: a program of one page
using namespace scheduled::jobs;  // NOLINT

namespace {

std::vector<std::string> Keys() {
  return {EncodeScheduleKey("a"),
          EncodeJobKey("a"),
          EncodeInflightKey("a", 1),
          EncodeDeliveryKey({.job_id = "a", .run = 1, .attempt = 1, .delivery = 1}),
          EncodeSlotKey({.queue = "q", .ready_us = 5, .priority = 1, .job_id = "a", .run = 2}),
          EncodeDoneKey({.status = JobStatus::kFailed, .end_us = 7, .job_id = "a", .run = 3}),
          EncodeQueueKey("q"),
          EncodeSessionKey("n"),
          std::string(kCountersKey),
          std::string(kGroupKey)};
}

void Check(const absl::Status& status) {
  SCHEDULED_ASSERT(status.ok() || absl::IsDataLoss(status) || absl::IsNotFound(status),
                   "a row is read, missing or damaged");
}

void ReadAll(const TableStore& store) {
  Check(ReadJob(store, "a").status());
  Check(ReadInflight(store, std::nullopt, 10).status());
  Check(ReadSessions(store).status());
  const Queries queries(store, std::string(16, 'c'));
  Check(queries.Get("a").status());
  Check(queries.Attempts("a").status());
  Check(queries.Counts().status());
  Check(queries.Counters().status());
  Check(queries.Slots({.gap = absl::Seconds(10), .from = absl::UnixEpoch(), .limit = 10}).status());
  JobFilter filter;
  Check(queries.List(filter, {}).status());
  for (const JobStatus status : {JobStatus::kPending, JobStatus::kInProgress, JobStatus::kFailed,
                                 JobStatus::kPaused, JobStatus::kCancelled}) {
    filter.status = status;
    Check(queries.List(filter, {}).status());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer silence;
  static const std::vector<std::string> keys = Keys();
  std::string_view input(reinterpret_cast<const char*>(data), size);
  MemoryTableStore store;
  TableBatch batch(store);
  for (const std::string& key : keys) {
    if (input.empty()) break;
    const size_t end = std::min(input.find('\xff'), input.size());
    batch.Put(key, std::string(input.substr(0, end)));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  PutApplied(batch, {});
  SCHEDULED_ASSERT(store.Apply(batch).ok(), "memory takes everything");
  ReadAll(store);
  return 0;
}
