// Carries the abstract log to where RaftNode opens: a LogStore that stores nothing.
#ifndef SCHEDULED_TESTS_EXPLORE_LOG_PORT_H_
#define SCHEDULED_TESTS_EXPLORE_LOG_PORT_H_

#include "explore/abstract_log.h"
#include "storage/log_store.h"

namespace scheduled::explore {

struct LogPort final : public LogStore {
  LogPort(AbstractLog* abstract, int number) : log(abstract), node(number) {}

  absl::StatusOr<LogState> Load(GroupId) override { return Unused(); }
  absl::Status Write(std::span<const LogWrite>) override { return Unused(); }
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId, LogIndex, LogIndex, size_t) override {
    return Unused();
  }
  absl::Status CutBefore(GroupId, LogIndex) override { return Unused(); }
  absl::Status MarkCleanStop() override { return Unused(); }

  AbstractLog* log;
  int node;

 private:
  static absl::Status Unused() { return absl::UnimplementedError("there is no log store here"); }
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_LOG_PORT_H_
