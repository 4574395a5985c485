// Who looks after the members of a simulated group, as people would: a machine that came back with
// another disk is removed and added again; members that are to go for a while are removed or made
// learners, and added again afterwards. One change at a time, asked of whoever leads, again and
// again until the group says that it is so. Driver's lane.
#ifndef SCHEDULED_TESTS_SIM_OPERATOR_H_
#define SCHEDULED_TESTS_SIM_OPERATOR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.h"
#include "raft/configuration.h"
#include "sim/world.h"

namespace scheduled::sim {

enum class Wish : uint8_t { kVoter, kLearner, kAbsent };

class Operator {
 public:
  Operator(World* world, Random random);

  void Begin();
  // What the machine is to be from now on.
  void Want(int machine, Wish wish);
  void WantAllVoters();
  // May another disk be lost, and be told from the one before, and what was committed be on a
  // majority of disks that are left?
  bool MayWipe(int machine) const;
  // May so few vote that this one is none of them?
  bool MayDoWithout(int machine) const;
  // Every machine is a voter, and the disk that it has is written down, by what the leader has
  // committed.
  bool IsSettled() const;

 private:
  struct Care {
    Wish wish = Wish::kVoter;
    bool removed = false;  // since it lost its disk
  };

  // Every machine is a voter, as it is to be.
  bool HaveWishes() const;
  void Look();
  std::optional<MemberChange> Step(int machine, const raft::Configuration& now);
  void Ask(int leader, std::vector<MemberChange> changes);

  World& world_;
  Random random_;
  std::vector<Care> care_;
  std::vector<bool> are_voters_;
  // The group knows which disk it is that the machine votes on, and would notice another one.
  std::vector<bool> disk_known_;
  // By the last look all were voters, and nothing was asked for or wished since.
  bool at_rest_ = false;
  uint64_t asked_ = 0;
  std::optional<MonoTime> waits_until_;  // for an answer
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_OPERATOR_H_
