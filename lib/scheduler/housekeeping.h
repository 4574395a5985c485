// What the leader does for the group beside running jobs: removes what is past its retention,
// raises the feature level once every voter can follow, and hands over when a majority's clocks
// disagree with its own (dispatch.md, rule 16). The leader's, lost with its term; dispatch lane,
// with reads on the read lane.
#ifndef SCHEDULED_LIB_SCHEDULER_HOUSEKEEPING_H_
#define SCHEDULED_LIB_SCHEDULER_HOUSEKEEPING_H_

#include <functional>

#include "scheduler/session_keeper.h"
#include "scheduler/term.h"

namespace scheduled {

class Housekeeping {
 public:
  Housekeeping(TermContext* term, SessionKeeper* sessions);

  // `level` is what the tables hold.
  void Begin(uint32_t level);

  // Rows that one command removes.
  static constexpr int kRowsAtOnce = 1000;
  static constexpr absl::Duration kLook = absl::Milliseconds(200);
  // Between two attempts to hand over, so that three clocks that all differ do not spin.
  static constexpr absl::Duration kHandOverAgain = absl::Seconds(5);

 private:
  enum class Sweep { kHistory, kDedup };

  void ArmSweep();
  void LookForOld(Sweep sweep);
  void Remove(Sweep sweep);
  absl::Time Before(Sweep sweep) const;
  void ArmLook();
  void Look();
  void RaiseLevel();
  void LookAtClocks();

  TermContext& term_;
  SessionKeeper& sessions_;
  uint32_t level_ = 0;
  bool raising_ = false;
  std::optional<MonoTime> handed_over_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_HOUSEKEEPING_H_
