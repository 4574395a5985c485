// What the leader does with a client's command: waits for claims of an earlier leader and for the
// job's turn, withdraws what is held, computes what needs its clock, proposes, and gives back what
// the command left in flight (dispatch.md, rules 4 to 6). The leader's, lost with its term;
// dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_LEADER_WRITES_H_
#define SCHEDULED_LIB_SCHEDULER_LEADER_WRITES_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "jobs/dispatch_view.h"
#include "jobs/schedule.h"
#include "scheduler/dispatcher.h"
#include "scheduler/term.h"
#include "scheduler/turns.h"
#include "scheduler/write_call.h"

namespace scheduled {

class LeaderWrites {
 public:
  // `on_end` is told of each call's end, by which time the term may be over: it outlives the term,
  // and the raft node.
  LeaderWrites(TermContext* term, Turns* turns, Dispatcher* dispatcher, const OnCallEnd* on_end);

  // Precondition: IsClientCommand(call->command).
  void Execute(WriteCallPtr call);

  // How often it looks for calls whose time is over while they wait.
  static constexpr absl::Duration kLook = absl::Milliseconds(100);
  // A replace that is computed anew because the job changed meanwhile.
  static constexpr int kMaxRecomputations = 8;

 private:
  using TurnKeys = absl::InlinedVector<TurnKey, 1>;  // sorted, each once

  void Watch(const CarriedCall& call);
  void LookForOverdue();
  void ExecuteCreate(CarriedCall call);
  void TakeTurns(CarriedCall call, TurnKeys keys, size_t next);
  absl::Status FillCreate(pb::Create* create, absl::Time now);
  void ProposeCreate(CarriedCall call, TurnKeys keys);

  void TakeTurn(CarriedCall call);
  void WithTurn(CarriedCall call);
  void ReadForReplace(CarriedCall call);
  absl::Status FillReplace(pb::Replace* replace, const std::optional<jobs::JobRecord>& old,
                           absl::Time now);
  void Propose(CarriedCall call);
  void OnAnswer(CarriedCall call, TermContext::Outcome outcome);

  TermContext& term_;
  Turns& turns_;
  Dispatcher& dispatcher_;
  const OnCallEnd* const on_end_;
  jobs::ScheduleCache schedules_;
  // Calls that may wait for a claim, a turn or a read; ended ones stay until the next look.
  std::vector<std::weak_ptr<CarriedCall::State>> watched_;
  TimerId look_timer_;
};

// The job that a client's command other than a create is about.
const std::string& JobOf(const pb::Command& command);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_LEADER_WRITES_H_
