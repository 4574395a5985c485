// What is done in a simulation, and what must hold of it: which node runs on a machine, what a
// client asks of the nodes, and what its answers and the end must be. Knows nothing of faults; any
// workload runs under any faults.
#ifndef SCHEDULED_TESTS_SIM_WORKLOAD_H_
#define SCHEDULED_TESTS_SIM_WORKLOAD_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "sim/world.h"

namespace scheduled::sim {

// All methods are called on the driver's lane or between tasks, but for Boot.
class Workload {
 public:
  virtual ~Workload() = default;

  // A new life of the node on `machine`, over its disk as it is. On the machine's boot lane.
  virtual absl::StatusOr<std::unique_ptr<Member>> Boot(World& world, Machine& machine) = 0;
  // The client begins. Once, before any fault.
  virtual void Begin(World& world) = 0;
  // The node on `machine` is about to be destroyed: whatever was asked of it stays unanswered.
  virtual void OnCrash(World& world, Machine& machine) = 0;
  // The client begins nothing new.
  virtual void Quiet(World& world) = 0;
  // Everything is healed: has everything come to its end?
  virtual bool IsSettled(World& world) = 0;
  // What is not settled, for the report of a simulation that does not converge.
  virtual std::string Unsettled(World& world) = 0;
  // The last look, once settled.
  virtual void CheckEnd(World& world) = 0;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_WORKLOAD_H_
