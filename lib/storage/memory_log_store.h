// A LogStore in memory, for hosts on a ManualClock and for tests. It keeps every rule of the port,
// and forgets all with its destruction: nothing here is durable. Thread-safe as the port says.
#ifndef SCHEDULED_LIB_STORAGE_MEMORY_LOG_STORE_H_
#define SCHEDULED_LIB_STORAGE_MEMORY_LOG_STORE_H_

#include <deque>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "storage/log_store.h"

namespace scheduled {

class MemoryLogStore : public LogStore {
 public:
  absl::StatusOr<LogState> Load(GroupId group) override;
  absl::Status Write(std::span<const LogWrite> writes) override;
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                              size_t max_bytes) override;
  absl::Status CutBefore(GroupId group, LogIndex first_kept) override;
  absl::Status MarkCleanStop() override;

 private:
  struct Log {
    LogState state;
    std::deque<LogRecord> entries;  // state.first .. state.last
  };

  std::mutex mutex_;
  std::map<GroupId, Log> logs_;  // guarded by mutex_
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_MEMORY_LOG_STORE_H_
