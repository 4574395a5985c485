// What one batch of Apply works on: typed rows over a TableBatch, the counters, the counts of the
// queues, and the arena that a batch's messages live in. It knows how rows hang together (a slots
// row is counted with its queue), not what commands mean. Owned by the JobStateMachine; apply lane.
//
// Errors are sticky. A read that fails, a row that does not parse and a contradiction between rows
// are remembered; the read then gives "no such row", the command runs on to its end over whatever
// it finds, and Commit returns the error instead of writing anything. So commands carry no status,
// and nothing of a batch that met an error is ever seen.
#ifndef SCHEDULED_LIB_JOBS_APPLY_CONTEXT_H_
#define SCHEDULED_LIB_JOBS_APPLY_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "google/protobuf/arena.h"
#include "jobs/limits.h"
#include "jobs/recent_rows.h"
#include "jobs/tables.h"
#include "proto/rows.pb.h"
#include "scheduled/job.h"
#include "scheduled/state_machine.h"
#include "storage/table_batch.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

// A row that entered or left `slots` in a batch, in order, for the hot windows.
struct SlotEvent {
  SlotKey key;
  bool entered = false;
};

// The command at hand.
struct Stamp {
  LogIndex index;
  uint32_t ordinal = 0;
  int64_t us = 0;  // the leader's clock
};

class ApplyContext {
 public:
  // Runs of one queue: see QueueRow.
  struct QueueCount {
    uint64_t runs = 0;
    uint64_t slots = 0;
  };

  // `last_level`: the feature level that this program can follow.
  explicit ApplyContext(TableStore& store, uint32_t last_level = kLastLevel);

  // Reads counters, group and queues; at open and after an install. DATA_LOSS, FAILED_PRECONDITION.
  absl::Status Load();

  // --- A batch ----------------------------------------------------------------------------------
  // Slot events are collected only where somebody has windows to keep.
  void BeginBatch(bool collect_slot_events);
  void BeginCommand(const Stamp& stamp);
  // Writes what changed, with the applied position. The batch is over, whatever the answer.
  absl::Status Commit(AppliedPosition through);
  const std::vector<SlotEvent>& slot_events() const { return slot_events_; }

  const Stamp& stamp() const { return stamp_; }
  google::protobuf::Arena* arena() { return &arena_; }
  template <typename Message>
  Message* New() {
    return google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }
  bool ok() const { return status_.ok(); }
  // Remembers an error: nothing of the batch is written, and Commit returns the first.
  void Fail(absl::Status why);
  // The same for a contradiction between rows: `what` is a sentence about the job or key.
  void Corrupt(std::string_view what, std::string_view key);

  // --- Rows -------------------------------------------------------------------------------------
  // Null if there is no such row. Messages live until the next BeginBatch.
  pb::JobRow* ReadJob(std::string_view job_id);
  pb::ScheduleRow* ReadSchedule(std::string_view job_id);
  pb::InflightRow* ReadInflight(std::string_view job_id, uint64_t run);
  pb::SessionRow* ReadSession(std::string_view node_id);
  pb::DedupRow* ReadDedup(const DedupKey& key);

  void PutJob(std::string_view job_id, const pb::JobRow& row);
  void PutSchedule(std::string_view job_id, const pb::ScheduleRow& row);
  void PutSession(std::string_view node_id, const pb::SessionRow& row);
  void PutDelivery(const DeliveryKey& key, const pb::RunRow& row);
  void PutDone(const DoneKey& key);
  void Delete(std::string_view key);

  // A dedup row with its expiry row; `row.expires_us` is set.
  void PutDedup(const DedupKey& key, const pb::DedupRow& row);
  // Takes the row away if it still has this expiry, and the expiry row in any case.
  void ExpireDedup(const DedupExpiryKey& key);

  // --- Where a run stands; each is counted with its queue ---------------------------------------
  void EnterSlot(const SlotKey& key, const pb::SlotRow& row);
  void LeaveSlot(const SlotKey& key);
  void EnterInflight(std::string_view job_id, uint64_t run, const pb::InflightRow& row);
  void LeaveInflight(std::string_view job_id, uint64_t run, const pb::InflightRow& row);
  void CountHeld(std::string_view queue) { Count(queue, /*slot=*/false); }
  void UncountHeld(std::string_view queue) { Uncount(queue, /*slot=*/false); }

  // Queues that hold a run as things stand now. Counted apart, since a queue that has emptied stays
  // in queues_ until the batch ends, and no answer may depend on where a batch ends.
  size_t used_queues() const { return used_queues_; }
  bool IsUsedQueue(std::string_view queue) const;
  // True if runs may enter the queue: it holds one already, or there is room for another queue.
  bool HasRoomForQueue(std::string_view queue) const;
  // In no particular order: fn(name, rows in slots).
  template <typename Fn>
  void ForEachQueue(Fn fn) const {
    for (const auto& [name, queue] : queues_) fn(name, queue.count.slots);
  }

  // --- Scans ------------------------------------------------------------------------------------
  // At most `limit` rows with from <= key < to, the batch's own writes among them. Costs as much as
  // the batch is large, so commands that scan had better be alone in theirs.
  std::vector<TableRow> Scan(std::string_view from, std::string_view to, size_t limit);

  // --- Counters and group -----------------------------------------------------------------------
  pb::CountersRow& counters() { return counters_; }
  const pb::GroupRow& group() const { return group_; }
  void SetGroup(uint32_t level, uint32_t epoch);
  uint64_t NextNumber();
  // A job goes from one status to another; from nothing, when it is made; to nothing, when removed.
  void MoveJob(std::optional<JobStatus> from, std::optional<JobStatus> to);
  // Of the claim at hand.
  uint64_t Token() const;

 private:
  std::optional<std::string> ReadValue(std::string_view key);
  template <typename Message>
  Message* Parse(std::string_view key, const std::string& value);
  template <typename Message>
  Message* Read(std::string_view key);
  template <typename Message>
  Message* ReadRecent(std::string_view key);
  void Put(std::string_view key, const google::protobuf::MessageLite& row);
  QueueCount& Touch(std::string_view queue);
  void Count(std::string_view queue, bool slot);
  void Uncount(std::string_view queue, bool slot);
  uint64_t CounterOf(JobStatus status) const;
  void SetCounter(JobStatus status, uint64_t value);
  void WriteQueues();

  TableStore& store_;
  const uint32_t last_level_;
  TableBatch batch_;
  std::unique_ptr<char[]> arena_block_;
  google::protobuf::Arena arena_;
  std::string scratch_;
  RecentRows recent_;  // of schedules and inflight
  absl::Status status_;
  Stamp stamp_;
  bool collect_slot_events_ = false;
  std::vector<SlotEvent> slot_events_;

  pb::CountersRow counters_;
  pb::GroupRow group_;
  bool group_changed_ = false;
  struct Queue {
    QueueCount count;
    bool touched = false;  // since the last Commit
  };
  absl::flat_hash_map<std::string, Queue> queues_;
  size_t used_queues_ = 0;            // those of queues_ with a run
  std::vector<std::string> touched_;  // in the order of their first change, each once
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_APPLY_CONTEXT_H_
