// What goes wrong in one simulation, as a list that is drawn before it begins. Each seed draws
// which kinds of faults exist at all, and how often each comes: few faults at high rates find what
// all faults at once would hide (swarm testing). An action carries a seed of its own for whatever
// is chosen when its time has come, so a plan replays from its list, and leaving one action out
// changes no other: a failing plan can be made smaller (shrink.h).
#ifndef SCHEDULED_TESTS_SIM_FAULT_PLAN_H_
#define SCHEDULED_TESTS_SIM_FAULT_PLAN_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/virtual_runtime.h"
#include "sim/sim_network.h"

namespace scheduled::sim {

enum class FaultKind : uint8_t {
  kCutOff,     // one machine from all others or from one, both ways or one way
  kSplit,      // the machines fall into two parts, both ways or one way
  kMute,       // messages of one type pass from one machine to another, or to all, no more
  kClog,       // one class of one direction stands still for a while
  kReset,      // what is under way between two machines is lost
  kPause,      // SIGSTOP and SIGCONT
  kCrash,      // power cut of one machine
  kCrashAll,   // of all at once
  kStallSync,  // a sync takes long
  kFailSync,   // a sync fails: the node stops, and boots again later
  kFailRead,   // the log finds damage where it reads: likewise
  kFullDisk,   // no write succeeds for a while: likewise, until there is room
  kStepClock,  // of the wall clock, within or beyond what nodes bear
  kDrift,      // the rates of both clocks
  kTransfer,   // a leader is asked to hand over
  kWipeDisk,   // one machine comes back with an empty disk, and is removed and added again
  kMembers,    // a member is removed or made a learner for a while
  kUpgrade,    // one machine comes back with the newer program, or back to the older one. The last:
               // it is drawn apart
};
inline constexpr size_t kFaultKinds = static_cast<size_t>(FaultKind::kUpgrade) + 1;
// A literal: also the name of the probe that counts it.
const char* FaultName(FaultKind kind);
// What a machine alone has nothing of.
bool IsBetweenMachines(FaultKind kind);

struct FaultAction {
  absl::Duration at;  // from when faults begin
  FaultKind kind = FaultKind::kReset;
  absl::Duration lasting;  // where it is something that ends
  uint64_t seed = 1;       // of whom it hits, and how
  size_t number = 0;       // in the plan as drawn
};

struct FaultPlan {
  // For faults of `length`. Without `members`, who belongs to the group does not change.
  static FaultPlan Draw(Random* random, int nodes, bool members, absl::Duration length);

  // Perhaps a rolling upgrade, whose steps are numbered behind all other actions: where there is
  // none, a plan is what it was. For faults of `length`.
  void DrawUpgrade(Random* random, absl::Duration length);

  // Leaves only the actions of these numbers.
  void Keep(const std::vector<size_t>& numbers);
  // What is wrong all the time, by name, and leaving one of it out.
  std::vector<std::string_view> Traits() const;
  // False: there is no trait of this name.
  bool LeaveOut(std::string_view trait);

  std::vector<FaultAction> actions;  // in the order of their times
  // Of 100 faults that hit one machine, so many look for the leader.
  uint32_t at_leader = 0;
  Weather weather;
  VirtualPace pace;
  absl::Duration sync_low = absl::Microseconds(100);
  absl::Duration sync_high = absl::Milliseconds(1);
  bool calm = false;        // nothing goes wrong at all
  bool mad_clocks = false;  // steps go beyond the greatest skew that nodes bear
  // Once the faults are over, a majority alone is healed first, and must do without the others.
  bool core_first = false;

  std::string ToString() const;
};

std::string ToString(const FaultAction& action);

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_FAULT_PLAN_H_
