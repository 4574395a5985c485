// What the dispatcher sees of the tables: rows that are due, from the hot windows of the queues,
// and the records that it decides by. The windows live in the JobStateMachine and on the apply
// lane; records are read from any thread, since Apply checks again what was computed from them.
//
//   apply lane      TakeDue -> rows, each marked          (JobStateMachine)
//   dispatch lane   ReadJob for each row, decide, propose Claims
//   apply lane      Apply: the row is gone, and its mark with it
//   dispatch lane   the answer: CLAIMED or SKIPPED; for any other outcome post ReturnDue
//
// A mark that is never returned hides its row until the leader's next term, so that each row taken
// ends in one of the two.
#ifndef SCHEDULED_LIB_JOBS_DISPATCH_VIEW_H_
#define SCHEDULED_LIB_JOBS_DISPATCH_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/tables.h"
#include "proto/rows.pb.h"
#include "scheduled/types.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

// How many more runs of one queue (an executor's name) have room. Queues that are not named have
// none, and their rows stay where they are.
struct QueueRoom {
  std::string queue;
  size_t room = 0;
};

// The earliest row of a queue that is not taken.
struct QueueHead {
  std::string queue;
  int64_t ready_us = 0;
  bool operator==(const QueueHead&) const = default;
};

// Called on the apply lane; must post on and return.
class DispatchObserver {
 public:
  virtual ~DispatchObserver() = default;
  // As StateMachine::OnLeading: the windows were built, or are dropped. What is due is then told by
  // JobStateMachine::Heads; OnQueueHead tells only what changes.
  virtual void OnLeading(bool leader, Term term) = 0;
  // The queue's head is another than it was, after a batch was committed: at most once a queue and
  // batch, only while leading. Nothing: no row is left that is not taken. TakeDue and ReturnDue do
  // not call it; they tell what follows themselves.
  virtual void OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us) = 0;
};

// A run of a job that stands in `inflight`.
struct InflightRun {
  uint64_t run = 0;
  pb::InflightRow row;
};

// One job as the tables have it, read row by row: `jobs`, `schedules` and `inflight` of its live
// runs. A command applied in between may show in one and not in another; whatever is computed from
// the record names its revision, cursor and run, and Apply refuses what has changed meanwhile.
struct JobRecord {
  std::string job_id;
  uint64_t revision = 0;  // of `definition`
  int64_t created_us = 0;
  std::string fingerprint;
  pb::Definition definition;
  pb::ScheduleRow schedule;
  std::vector<InflightRun> in_flight;  // live runs of `schedule` that are claimed

  // The live run of that number, or null.
  const pb::LiveRun* FindRun(uint64_t run) const;
  bool IsInFlight(uint64_t run) const;
};

// Nothing if there is no such job (any more). Any thread. DATA_LOSS: a row that does not parse.
enum class JobDetail : uint8_t {
  kAll,
  kWithoutInFlight,  // one read less a run, for whoever knows what is in flight: `in_flight` is
                     // empty
};
absl::StatusOr<std::optional<JobRecord>> ReadJob(const TableStore& store, std::string_view job_id,
                                                 JobDetail detail = JobDetail::kAll);

// A page of `inflight` in the order of its keys, for a new leader's Reconcile; `after` is the last
// key of the page before. A page shorter than `limit` is the last. Any thread.
struct InflightEntry {
  RunKey key;
  pb::InflightRow row;
};
absl::StatusOr<std::vector<InflightEntry>> ReadInflight(const TableStore& store,
                                                        const std::optional<RunKey>& after,
                                                        size_t limit);

// Every open session. There are no more than nodes. Any thread.
struct SessionEntry {
  std::string node_id;
  pb::SessionRow row;
};
absl::StatusOr<std::vector<SessionEntry>> ReadSessions(const TableStore& store);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_DISPATCH_VIEW_H_
