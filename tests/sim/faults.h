// What goes wrong in a simulation. Each seed draws which kinds of faults exist at all, and how
// often each comes: few faults at high rates find what all faults at once would hide (swarm
// testing). Knows nothing of what the nodes do. Acts on the driver's lane.
#ifndef SCHEDULED_TESTS_SIM_FAULTS_H_
#define SCHEDULED_TESTS_SIM_FAULTS_H_

#include <string>
#include <vector>

#include "sim/world.h"

namespace scheduled::sim {

enum class FaultKind : uint8_t {
  kPartition,  // one machine cut off, both ways or one way; or all from each other
  kClog,       // one class of one direction stands still for a while
  kReset,      // what is under way between two machines is lost
  kPause,      // SIGSTOP and SIGCONT
  kCrash,      // power cut of one machine
  kCrashAll,   // of all at once
  kStallSync,  // a sync takes long
  kFailSync,   // a sync fails: the node stops, and boots again later
  kStepClock,  // of the wall clock, within or beyond what nodes bear
  kDrift,      // the rates of both clocks
  kTransfer,   // a leader is asked to hand over
};
inline constexpr int kFaultKinds = 11;

// What one seed has drawn.
struct FaultPlan {
  static FaultPlan Draw(Random* random, int nodes);

  // Mean time between two faults of a kind; zero: the kind does not exist.
  std::vector<absl::Duration> every = std::vector<absl::Duration>(kFaultKinds);
  absl::Duration longest = absl::Seconds(4);  // of what lasts
  Weather weather;
  VirtualPace pace;
  absl::Duration sync_low = absl::Microseconds(100);
  absl::Duration sync_high = absl::Milliseconds(1);
  bool calm = false;
  bool mad_clocks = false;  // steps go beyond the greatest skew that nodes bear

  bool Has(FaultKind kind) const { return every[static_cast<int>(kind)] > absl::ZeroDuration(); }
  // Nothing goes wrong at all.
  bool IsCalm() const { return calm; }
  std::string ToString() const;
};

class Faults {
 public:
  Faults(World* world, FaultPlan plan);

  // Before the first boot: how the machines are.
  void Prepare();
  void Begin();
  // Nothing new goes wrong, and everything that did is put right: machines run, the network is
  // whole, the clocks agree.
  void Heal();

 private:
  void Arm(FaultKind kind);
  void Do(FaultKind kind);
  void DoPartition();
  void DoClog();
  void DoCrash(int machine);
  void DoPause(int machine);
  void DoFailSync(int machine);
  void DoDrift(int machine);
  void DoTransfer();
  // Now, or right behind a task of the machine.
  void Soon(int machine, Task act);
  // A time after which what was begun ends, unless all is healed before.
  void Later(Task task);
  absl::Duration Lasting();
  int Any();
  int AnyOther(int than);
  void WatchFailed();
  void Note(std::string_view what);

  World& world_;
  const FaultPlan plan_;
  Random random_;
  bool over_ = false;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_FAULTS_H_
