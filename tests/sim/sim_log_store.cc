// See sim_log_store.h. Bounds and terms are the storage layer's own arithmetic (log_state.h), which
// also asserts what the port demands of its callers.
#include "sim/sim_log_store.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "storage/log_state.h"

namespace scheduled::sim {
namespace {

// Calls that ended so long ago are durable whatever instant a crash falls on.
constexpr absl::Duration kLongestLogSync = absl::Seconds(20);

}  // namespace

void SimLogStore::Do(Image* image, std::span<const LogWrite> writes) {
  for (const LogWrite& write : writes) {
    Log& log = (*image)[write.group];
    ApplyWrite(log.state, write);
    if (write.reset_to) log.entries.clear();
    if (write.truncate_from) {
      const size_t kept = write.truncate_from->value - log.state.first.value;
      if (kept < log.entries.size()) log.entries.resize(kept);
    }
    log.entries.insert(log.entries.end(), write.entries.begin(), write.entries.end());
  }
}

void SimLogStore::Do(Image* image, const Cut& cut) {
  Log& log = (*image)[cut.group];
  if (cut.first_kept <= log.state.first) return;
  const uint64_t dropped = cut.first_kept.value - log.state.first.value;
  ApplyCut(log.state, cut.first_kept);
  log.entries.erase(log.entries.begin(),
                    log.entries.begin() + static_cast<std::ptrdiff_t>(dropped));
}

void SimLogStore::Do(Image* image, const Call& call) {
  Do(image, call.writes);
  if (call.cut) Do(image, *call.cut);
}

absl::StatusOr<LogState> SimLogStore::Load(GroupId group) {
  if (!failure_.ok()) return failure_;
  return seen_[group].state;
}

// A sync that failed may have reached the disk all the same; the node is told of an error and
// stops, and which it was shows after the crash.
absl::Status SimLogStore::Sync(Call call) {
  Settle(sync_.now() - kLongestLogSync);
  const absl::Status synced = sync_.Sync();
  call.durable_at = synced.ok() ? sync_.now() : MonoTime::Infinite();
  pending_.push_back(std::move(call));
  if (!synced.ok()) failure_ = synced;
  return synced;
}

absl::Status SimLogStore::Full() {
  Probe("disk.full");
  failure_ = absl::ResourceExhaustedError("simulated: the disk is full");
  return failure_;
}

absl::Status SimLogStore::Write(std::span<const LogWrite> writes) {
  if (!failure_.ok()) return failure_;
  if (writes.empty()) return absl::OkStatus();
  if (sync_.full()) return Full();
  for (const LogWrite& write : writes) {
    if (observer_) observer_(write);
    Do(&seen_, std::span(&write, 1));
  }
  return Sync({.writes = {writes.begin(), writes.end()}});
}

absl::Status SimLogStore::CutBefore(GroupId group, LogIndex first_kept) {
  if (!failure_.ok()) return failure_;
  if (sync_.full()) return Full();
  const Cut cut{group, first_kept};
  Do(&seen_, cut);
  return Sync({.cut = cut});
}

absl::StatusOr<std::vector<LogRecord>> SimLogStore::Read(GroupId group, LogIndex from, LogIndex to,
                                                         size_t max_bytes) {
  SCHEDULED_ASSERT(from < to, "a read asks for something");
  if (!failure_.ok()) return failure_;
  if (std::exchange(fail_read_, false)) {
    Probe("disk.read-damaged");
    failure_ = absl::DataLossError("simulated: an entry is damaged");
    return failure_;
  }
  return ReadIn(seen_[group], from, to, max_bytes);
}

absl::StatusOr<std::vector<LogRecord>> SimLogStore::ReadIn(const Log& log, LogIndex from,
                                                           LogIndex to, size_t max_bytes) {
  if (from < log.state.first || to > log.state.last.Next()) {
    return absl::OutOfRangeError("the entries are no longer in the log");
  }
  std::vector<LogRecord> result;
  size_t bytes = 0;
  for (LogIndex index = from; index < to; index = index.Next()) {
    const LogRecord& entry = log.entries[index.value - log.state.first.value];
    bytes += entry.bytes.size();
    if (!result.empty() && bytes > max_bytes) break;
    result.push_back(entry);
  }
  return result;
}

absl::Status SimLogStore::MarkCleanStop() { return failure_; }

void SimLogStore::Settle(MonoTime now) {
  while (!pending_.empty() && pending_.front().durable_at <= now) {
    Do(&durable_, pending_.front());
    pending_.pop_front();
  }
}

void SimLogStore::Crash(Random* random) {
  Settle(sync_.now());
  while (!pending_.empty() && random->Chance(1, 2)) {
    Probe("disk.unsynced-write-kept");
    Do(&durable_, pending_.front());
    pending_.pop_front();
  }
  // Its record at the end of the log is torn, and cut off by whoever opens it.
  if (!pending_.empty()) Probe("disk.write-torn");
  pending_.clear();
  seen_ = durable_;
  failure_ = absl::OkStatus();
}

void SimLogStore::Wipe() {
  pending_.clear();
  seen_.clear();
  durable_.clear();
  failure_ = absl::OkStatus();
  fail_read_ = false;
}

const LogRecord* SimLogStore::FindIn(const Image& image, GroupId group, LogIndex index) {
  const auto log = image.find(group);
  if (log == image.end()) return nullptr;
  const LogState& state = log->second.state;
  if (index < state.first || index > state.last) return nullptr;
  return &log->second.entries[index.value - state.first.value];
}

const LogRecord* SimLogStore::Find(GroupId group, LogIndex index) const {
  return FindIn(seen_, group, index);
}

const LogRecord* SimLogStore::FindDurable(GroupId group, LogIndex index) {
  Settle(sync_.now());
  return FindIn(durable_, group, index);
}

const LogState* SimLogStore::State(GroupId group) const {
  const auto log = seen_.find(group);
  return log == seen_.end() ? nullptr : &log->second.state;
}

const HardState& SimLogStore::DurableHardState(GroupId group) {
  Settle(sync_.now());
  return durable_[group].state.hard_state;
}

class SimLogStore::DurableView final : public LogStore {
 public:
  explicit DurableView(const Image& image) : image_(image) {}

  absl::StatusOr<LogState> Load(GroupId group) override { return LogOf(group).state; }
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                              size_t max_bytes) override {
    return ReadIn(LogOf(group), from, to, max_bytes);
  }
  absl::Status Write(std::span<const LogWrite>) override { return OnlyRead(); }
  absl::Status CutBefore(GroupId, LogIndex) override { return OnlyRead(); }
  absl::Status MarkCleanStop() override { return OnlyRead(); }

 private:
  static absl::Status OnlyRead() { return absl::UnimplementedError("to read only"); }
  const Log& LogOf(GroupId group) const {
    const auto log = image_.find(group);
    return log == image_.end() ? never_written_ : log->second;
  }

  const Image& image_;
  const Log never_written_;
};

std::unique_ptr<LogStore> SimLogStore::Durable() {
  Settle(sync_.now());
  return std::make_unique<DurableView>(durable_);
}

}  // namespace scheduled::sim
