// See apply_context.h.
#include "jobs/apply_context.h"

#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "jobs/limits.h"
#include "jobs/stored_row.h"
#include "storage/applied_row.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kArenaBlock = size_t{256} << 10;
constexpr size_t kQueuesPerScan = 512;
// Twice what is in flight on two nodes: a schedule and a flight each.
constexpr size_t kRecentRows = 16384;

google::protobuf::ArenaOptions OptionsFor(char* block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = kArenaBlock;
  return options;
}

absl::Status Damaged(std::string_view what, std::string_view key) {
  return absl::DataLossError(
      absl::StrCat(absl::string_view(what.data(), what.size()), ": row ",
                   absl::BytesToHexString(absl::string_view(key.data(), key.size()))));
}

// Nodes that follow the level would come to differ from one that does not know it.
absl::Status CheckLevel(uint32_t level, uint32_t last_level) {
  if (level <= last_level) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the group has reached feature level ", level,
                                                    ", and this program knows up to ", last_level,
                                                    ": run the newer program"));
}

}  // namespace

ApplyContext::ApplyContext(TableStore& store, uint32_t last_level)
    : store_(store),
      last_level_(last_level),
      batch_(store),
      arena_block_(std::make_unique_for_overwrite<char[]>(kArenaBlock)),
      arena_(OptionsFor(arena_block_.get())),
      recent_(kRecentRows) {}

absl::Status ApplyContext::Load() {
  counters_.Clear();
  group_.Clear();
  queues_.clear();
  used_queues_ = 0;
  touched_.clear();
  recent_.Clear();
  absl::StatusOr<bool> found = ReadRow(store_, kCountersKey, &counters_);
  if (!found.ok()) return found.status();
  found = ReadRow(store_, kGroupKey, &group_);
  if (!found.ok()) return found.status();
  if (!*found) {
    group_.set_format(kFormat);
    group_.set_level(kFirstLevel);
  }
  group_changed_ = !*found;
  if (group_.format() != kFormat) {
    return absl::FailedPreconditionError(absl::StrCat("the tables have format ", group_.format(),
                                                      "; this library reads format ", kFormat,
                                                      " only"));
  }
  if (absl::Status status = CheckLevel(group_.level(), last_level_); !status.ok()) return status;
  std::string from = TablePrefix(kQueuesTag);
  while (true) {
    const absl::StatusOr<std::vector<TableRow>> rows =
        store_.Scan(from, PrefixEnd(TablePrefix(kQueuesTag)), kQueuesPerScan);
    if (!rows.ok()) return rows.status();
    for (const TableRow& row : *rows) {
      std::string name;
      pb::QueueRow count;
      if (!DecodeQueueKey(row.key, &name) || !count.ParseFromString(row.value)) {
        return Damaged("a stored row does not parse", row.key);
      }
      queues_[name].count = {.runs = count.runs(), .slots = count.slots()};
      if (count.runs() > 0) ++used_queues_;
    }
    if (rows->size() < kQueuesPerScan) return absl::OkStatus();
    from = KeyAfter(rows->back().key);
  }
}

void ApplyContext::BeginBatch(bool collect_slot_events) {
  batch_.Clear();
  arena_.Reset();
  slot_events_.clear();
  collect_slot_events_ = collect_slot_events;
}

void ApplyContext::BeginCommand(const Stamp& stamp) { stamp_ = stamp; }

absl::Status ApplyContext::Commit(AppliedPosition through) {
  if (!status_.ok()) return status_;
  if (group_changed_) Put(kGroupKey, group_);
  group_changed_ = false;
  Put(kCountersKey, counters_);
  WriteQueues();
  PutApplied(batch_, {.index = through.index, .term = through.term});
  status_ = store_.Apply(batch_);
  return status_;
}

void ApplyContext::WriteQueues() {
  for (const std::string& name : touched_) {
    const auto queue = queues_.find(name);
    queue->second.touched = false;
    const QueueCount& count = queue->second.count;
    if (count.runs == 0) {
      batch_.Delete(EncodeQueueKey(name));
      queues_.erase(queue);
      continue;
    }
    pb::QueueRow row;
    row.set_runs(count.runs);
    row.set_slots(count.slots);
    Put(EncodeQueueKey(name), row);
  }
  touched_.clear();
}

void ApplyContext::Fail(absl::Status why) {
  if (status_.ok()) status_ = std::move(why);
}

void ApplyContext::Corrupt(std::string_view what, std::string_view key) {
  Fail(Damaged(what, key));
}

std::optional<std::string> ApplyContext::ReadValue(std::string_view key) {
  absl::StatusOr<std::optional<std::string>> value = batch_.Get(key);
  if (value.ok()) return *std::move(value);
  Fail(value.status());
  return std::nullopt;
}

template <typename Message>
Message* ApplyContext::Parse(std::string_view key, const std::string& value) {
  Message* row = New<Message>();
  if (row->ParseFromString(value)) return row;
  Corrupt("a stored row does not parse", key);
  return nullptr;
}

template <typename Message>
Message* ApplyContext::Read(std::string_view key) {
  const std::optional<std::string> value = ReadValue(key);
  return value.has_value() ? Parse<Message>(key, *value) : nullptr;
}

template <typename Message>
Message* ApplyContext::ReadRecent(std::string_view key) {
  if (const std::string* held = recent_.Find(key); held != nullptr) {
    return Parse<Message>(key, *held);
  }
  const std::optional<std::string> value = ReadValue(key);
  if (!value.has_value()) return nullptr;
  recent_.Hold(key, *value);
  return Parse<Message>(key, *value);
}

void ApplyContext::Put(std::string_view key, const google::protobuf::MessageLite& row) {
  scratch_.clear();
  row.AppendToString(&scratch_);
  batch_.Put(key, scratch_);
}

void ApplyContext::Delete(std::string_view key) {
  batch_.Delete(key);
  recent_.Forget(key);
}

pb::JobRow* ApplyContext::ReadJob(std::string_view job_id) {
  return Read<pb::JobRow>(EncodeJobKey(job_id));
}
pb::ScheduleRow* ApplyContext::ReadSchedule(std::string_view job_id) {
  return ReadRecent<pb::ScheduleRow>(EncodeScheduleKey(job_id));
}
pb::InflightRow* ApplyContext::ReadInflight(std::string_view job_id, uint64_t run) {
  return ReadRecent<pb::InflightRow>(EncodeInflightKey(job_id, run));
}
pb::SessionRow* ApplyContext::ReadSession(std::string_view node_id) {
  return Read<pb::SessionRow>(EncodeSessionKey(node_id));
}
pb::DedupRow* ApplyContext::ReadDedup(const DedupKey& key) {
  return Read<pb::DedupRow>(EncodeDedupKey(key));
}

void ApplyContext::PutJob(std::string_view job_id, const pb::JobRow& row) {
  Put(EncodeJobKey(job_id), row);
}
void ApplyContext::PutSchedule(std::string_view job_id, const pb::ScheduleRow& row) {
  const std::string key = EncodeScheduleKey(job_id);
  Put(key, row);
  recent_.Update(key, scratch_);
}
void ApplyContext::PutSession(std::string_view node_id, const pb::SessionRow& row) {
  Put(EncodeSessionKey(node_id), row);
}
void ApplyContext::PutDelivery(const DeliveryKey& key, const pb::RunRow& row) {
  Put(EncodeDeliveryKey(key), row);
}
void ApplyContext::PutDone(const DoneKey& key) { batch_.Put(EncodeDoneKey(key), ""); }

void ApplyContext::PutDedup(const DedupKey& key, const pb::DedupRow& row) {
  const bool is_undone = key.kind == DedupKind::kUndoneCreate;
  if (is_undone && ReadDedup(key) == nullptr) {
    counters_.set_undone_creates(counters_.undone_creates() + 1);
  }
  Put(EncodeDedupKey(key), row);
  batch_.Put(EncodeDedupExpiryKey({.expires_us = row.expires_us(), .key = key}), "");
}

void ApplyContext::ExpireDedup(const DedupExpiryKey& key) {
  const pb::DedupRow* row = ReadDedup(key.key);
  if (row != nullptr && row->expires_us() == key.expires_us) {
    batch_.Delete(EncodeDedupKey(key.key));
    if (key.key.kind == DedupKind::kUndoneCreate) {
      SCHEDULED_ASSERT(!ok() || counters_.undone_creates() > 0, "every undone create is counted");
      counters_.set_undone_creates(counters_.undone_creates() - 1);
    }
  }
  batch_.Delete(EncodeDedupExpiryKey(key));
}

ApplyContext::QueueCount& ApplyContext::Touch(std::string_view queue) {
  const auto found = queues_.try_emplace(std::string(queue)).first;
  if (!found->second.touched) {
    found->second.touched = true;
    touched_.push_back(found->first);
  }
  return found->second.count;
}

void ApplyContext::Count(std::string_view queue, bool slot) {
  QueueCount& count = Touch(queue);
  if (count.runs++ == 0) ++used_queues_;
  if (slot) ++count.slots;
}

void ApplyContext::Uncount(std::string_view queue, bool slot) {
  QueueCount& count = Touch(queue);
  SCHEDULED_ASSERT(!ok() || (count.runs > 0 && (!slot || count.slots > 0)),
                   "a run that leaves a queue was counted with it");
  if (--count.runs == 0) --used_queues_;
  if (slot) --count.slots;
}

void ApplyContext::EnterSlot(const SlotKey& key, const pb::SlotRow& row) {
  Count(key.queue, /*slot=*/true);
  Put(EncodeSlotKey(key), row);
  if (collect_slot_events_) slot_events_.push_back({.key = key, .entered = true});
}

void ApplyContext::LeaveSlot(const SlotKey& key) {
  Uncount(key.queue, /*slot=*/true);
  batch_.Delete(EncodeSlotKey(key));
  if (collect_slot_events_) slot_events_.push_back({.key = key, .entered = false});
}

void ApplyContext::EnterInflight(std::string_view job_id, uint64_t run,
                                 const pb::InflightRow& row) {
  Count(row.queue(), /*slot=*/false);
  const std::string key = EncodeInflightKey(job_id, run);
  Put(key, row);
  recent_.Hold(key, scratch_);
}

void ApplyContext::LeaveInflight(std::string_view job_id, uint64_t run,
                                 const pb::InflightRow& row) {
  Uncount(row.queue(), /*slot=*/false);
  Delete(EncodeInflightKey(job_id, run));
}

bool ApplyContext::IsUsedQueue(std::string_view queue) const {
  const auto found = queues_.find(absl::string_view(queue.data(), queue.size()));
  return found != queues_.end() && found->second.count.runs > 0;
}

bool ApplyContext::HasRoomForQueue(std::string_view queue) const {
  return used_queues_ < kMaxQueues || IsUsedQueue(queue);
}

std::vector<TableRow> ApplyContext::Scan(std::string_view from, std::string_view to, size_t limit) {
  // What the batch says of the range: the last word on each key.
  std::map<std::string_view, std::optional<std::string_view>> own;
  size_t own_deletes = 0;
  for (const TableBatch::Op& op : batch_.ops()) {
    if (op.key < from || (!to.empty() && op.key >= to)) continue;
    own.insert_or_assign(op.key, op.value);
  }
  for (const auto& [key, value] : own) own_deletes += value.has_value() ? 0 : 1;
  // One more than can be hidden, so that the last row read is never needed to fill the limit.
  const size_t wanted = limit + own_deletes + 1;
  absl::StatusOr<std::vector<TableRow>> stored = store_.Scan(from, to, wanted);
  if (!stored.ok()) {
    Fail(stored.status());
    return {};
  }
  std::vector<TableRow> merged;
  auto next_own = own.begin();
  const auto take_own_before = [&](const TableRow* row) {
    for (; next_own != own.end() && (row == nullptr || next_own->first < row->key); ++next_own) {
      if (next_own->second.has_value()) {
        merged.push_back(
            {.key = std::string(next_own->first), .value = std::string(*next_own->second)});
      }
    }
  };
  for (TableRow& row : *stored) {
    take_own_before(&row);
    if (next_own == own.end() || next_own->first != row.key) merged.push_back(std::move(row));
  }
  // Behind the last stored row that was read, own rows count only if no stored row can be between.
  if (stored->size() < wanted) take_own_before(nullptr);
  if (merged.size() > limit) merged.resize(limit);
  return merged;
}

void ApplyContext::SetGroup(uint32_t level, uint32_t epoch) {
  if (absl::Status status = CheckLevel(level, last_level_); !status.ok()) {
    return Fail(std::move(status));
  }
  group_.set_level(level);
  group_.set_epoch(epoch);
  group_changed_ = true;
}

uint64_t ApplyContext::NextNumber() {
  counters_.set_next_number(counters_.next_number() + 1);
  return counters_.next_number();
}

uint64_t ApplyContext::CounterOf(JobStatus status) const {
  switch (status) {
    case JobStatus::kPending:
      return counters_.pending();
    case JobStatus::kInProgress:
      return counters_.in_progress();
    case JobStatus::kCompleted:
      return counters_.completed();
    case JobStatus::kFailed:
      return counters_.failed();
    case JobStatus::kTimeout:
      return counters_.timeout();
    case JobStatus::kCancelled:
      return counters_.cancelled();
    case JobStatus::kPaused:
      return counters_.paused();
    case JobStatus::kSkipped:
      break;
  }
  SCHEDULED_ASSERT(!ok(), "a job is not skipped, its runs are");
  return 1;
}

void ApplyContext::SetCounter(JobStatus status, uint64_t value) {
  switch (status) {
    case JobStatus::kPending:
      return counters_.set_pending(value);
    case JobStatus::kInProgress:
      return counters_.set_in_progress(value);
    case JobStatus::kCompleted:
      return counters_.set_completed(value);
    case JobStatus::kFailed:
      return counters_.set_failed(value);
    case JobStatus::kTimeout:
      return counters_.set_timeout(value);
    case JobStatus::kCancelled:
      return counters_.set_cancelled(value);
    case JobStatus::kPaused:
      return counters_.set_paused(value);
    case JobStatus::kSkipped:
      return;
  }
}

void ApplyContext::MoveJob(std::optional<JobStatus> from, std::optional<JobStatus> to) {
  if (from == to) return;
  if (from.has_value()) {
    const uint64_t before = CounterOf(*from);
    SCHEDULED_ASSERT(!ok() || before > 0, "a job that leaves a status was counted with it");
    SetCounter(*from, before - 1);
  } else {
    counters_.set_jobs(counters_.jobs() + 1);
  }
  if (to.has_value()) {
    SetCounter(*to, CounterOf(*to) + 1);
  } else {
    SCHEDULED_ASSERT(!ok() || counters_.jobs() > 0, "a job that is removed was counted");
    counters_.set_jobs(counters_.jobs() - 1);
  }
}

uint64_t ApplyContext::Token() const {
  SCHEDULED_ASSERT(stamp_.index.value <= kMaxTokenIndex, "a log index fits into a token");
  const uint64_t index = stamp_.index.value ^ (IsPlanted(Bug::kTokenFalls) ? 0xff : 0);
  return uint64_t{group_.epoch()} << 48 | index;
}

}  // namespace scheduled::jobs
