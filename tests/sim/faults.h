// Carries out what a plan says goes wrong (fault_plan.h), and puts it right again. Knows nothing of
// what the nodes do. Acts on the driver's lane, or right behind a task of a node's.
#ifndef SCHEDULED_TESTS_SIM_FAULTS_H_
#define SCHEDULED_TESTS_SIM_FAULTS_H_

#include <string_view>
#include <vector>

#include "sim/fault_plan.h"
#include "sim/operator.h"
#include "sim/world.h"

namespace scheduled::sim {

class Faults {
 public:
  Faults(World* world, FaultPlan plan);

  // Before the first boot: how the machines are.
  void Prepare();
  void Begin();
  // Nothing new goes wrong. A majority that is drawn is whole again; each other machine is down or
  // cut off, in one direction or both, or whole as well, and stays so.
  void HealCore();
  // Everything that went wrong is put right: machines run, the network is whole, clocks agree, and
  // all are to be members again.
  void Heal();
  // They are.
  bool IsSettled() const { return operator_.IsSettled(); }

 private:
  void Do(const FaultAction& action);
  void DoMachine(const FaultAction& action, Random* random, int machine);
  void DoCutOff(const FaultAction& action, Random* random, int machine);
  void DoSplit(const FaultAction& action, Random* random);
  void DoMute(const FaultAction& action, Random* random, int machine);
  void DoClog(const FaultAction& action, Random* random, int machine);
  void DoCrash(int machine, absl::Duration lasting);
  void DoPause(int machine, absl::Duration lasting);
  void DoFullDisk(int machine, absl::Duration lasting);
  void DoStepClock(Random* random, int machine);
  void DoDrift(Random* random, int machine);
  void DoTransfer(Random* random, int machine);
  void DoWipeDisk(int machine, absl::Duration lasting);
  bool MayChangeProgram(int machine, bool back) const;
  void DoUpgrade(Random* random, int machine, absl::Duration lasting);
  void DoMembers(Random* random, int machine, absl::Duration lasting);
  // Links that stand for a while as `set` makes them.
  void Harm(absl::Duration lasting, std::function<void(bool)> set);
  // Now, or right behind a task of the machine.
  void Soon(Random* random, int machine, Task act);
  // When what was begun ends, unless all is healed before.
  void Later(absl::Duration lasting, Task task);
  int AnyMachine(Random* random);
  int AnyOther(Random* random, int than);
  void WatchFailed();
  void Calm();
  void HealMachine(int machine);
  void Note(std::string_view what);

  World& world_;
  const FaultPlan plan_;
  Random random_;
  Operator operator_;
  bool over_ = false;
  MonoTime taken_back_{INT64_MIN / 2};  // when a machine last went back to the older program
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_FAULTS_H_
