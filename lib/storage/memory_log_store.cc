// See memory_log_store.h. Any thread, under one lock.
#include "storage/memory_log_store.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/log_state.h"

namespace scheduled {

absl::StatusOr<LogState> MemoryLogStore::Load(GroupId group) {
  std::lock_guard lock(mutex_);
  return logs_[group].state;
}

absl::Status MemoryLogStore::Write(std::span<const LogWrite> writes) {
  std::lock_guard lock(mutex_);
  for (const LogWrite& write : writes) {
    Log& log = logs_[write.group];
    ApplyWrite(log.state, write);
    if (write.reset_to.has_value()) log.entries.clear();
    if (write.truncate_from.has_value()) {
      log.entries.resize(
          std::min<size_t>(log.entries.size(), write.truncate_from->value - log.state.first.value));
    }
    log.entries.insert(log.entries.end(), write.entries.begin(), write.entries.end());
    SCHEDULED_ASSERT(
        log.entries.size() == log.state.last.value - log.state.before_first.index.value,
        "bounds and entries agree");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LogRecord>> MemoryLogStore::Read(GroupId group, LogIndex from,
                                                            LogIndex to, size_t max_bytes) {
  SCHEDULED_ASSERT(from < to, "a read asks for something");
  std::lock_guard lock(mutex_);
  const Log& log = logs_[group];
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

absl::Status MemoryLogStore::CutBefore(GroupId group, LogIndex first_kept) {
  std::lock_guard lock(mutex_);
  Log& log = logs_[group];
  if (first_kept <= log.state.first) return absl::OkStatus();
  const uint64_t dropped = first_kept.value - log.state.first.value;
  ApplyCut(log.state, first_kept);
  log.entries.erase(log.entries.begin(),
                    log.entries.begin() + static_cast<std::ptrdiff_t>(dropped));
  return absl::OkStatus();
}

absl::Status MemoryLogStore::MarkCleanStop() { return absl::OkStatus(); }

}  // namespace scheduled
