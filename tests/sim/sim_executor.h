// The executor of a simulated node: does what a payload says (job_plan.h), on a lane of the node's
// machine, and tells the history of each run that it is given and of each answer that it gives.
#ifndef SCHEDULED_TESTS_SIM_SIM_EXECUTOR_H_
#define SCHEDULED_TESTS_SIM_SIM_EXECUTOR_H_

#include <cstdint>
#include <map>
#include <memory>

#include "scheduled/executor.h"
#include "sim/job_history.h"

namespace scheduled::sim {

class SimExecutor final : public Executor {
 public:
  // `blocks`: now and then Run does not return for a while, which it ought not to do.
  SimExecutor(World* world, Machine* machine, JobHistory* history, int capacity, bool blocks);
  ~SimExecutor() override;

  void Run(std::shared_ptr<const RunContext> run, Done done) override;
  int capacity() const override { return capacity_; }

 private:
  struct Going {
    JobId job;
    size_t delivery = 0;
    Done done;
  };

  RunResult ResultOf(const JobPlan& plan, const RunContext& run);
  void End(uint64_t number, RunResult result);
  void TakeNodeDown();

  World& world_;
  Machine& machine_;
  JobHistory& history_;
  const int capacity_;
  const bool blocks_;
  Random random_;
  std::unique_ptr<Lane> lane_;
  uint64_t last_ = 0;
  std::map<uint64_t, Going> going_;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SIM_EXECUTOR_H_
