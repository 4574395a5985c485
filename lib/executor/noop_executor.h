// The executor named "noop": completes every run at once, on the caller's thread. For jobs that are
// only a timer or a record, and for measuring everything around an executor.
#ifndef SCHEDULED_LIB_EXECUTOR_NOOP_EXECUTOR_H_
#define SCHEDULED_LIB_EXECUTOR_NOOP_EXECUTOR_H_

#include <memory>

#include "executor/executor_rules.h"
#include "scheduled/executor.h"

namespace scheduled {

class NoopExecutor final : public Executor {
 public:
  void Run(std::shared_ptr<const RunContext> run, Done done) override;
  int capacity() const override { return kMaxCapacity; }
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_EXECUTOR_NOOP_EXECUTOR_H_
