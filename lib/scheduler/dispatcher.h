// The heart of a leader: holds what is claimed, starts it at its instant, and turns outcomes into
// finishes (dispatch.md). It alone knows what is claimed and not started, so a command on a job
// withdraws here and chases nothing around the cluster. The leader's, lost with its term; dispatch
// lane.
//
//   Claimer --claimed--> held --due, lease looked at--> Start on a session channel --> outcome
//                          │ withdrawn by a command          │ session closed     --> finish
//                          proposed └ put back                        └ put back by Apply  --> told
//                          to the node
#ifndef SCHEDULED_LIB_SCHEDULER_DISPATCHER_H_
#define SCHEDULED_LIB_SCHEDULER_DISPATCHER_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "jobs/dispatch_view.h"
#include "scheduler/claimer.h"
#include "scheduler/run_book.h"
#include "scheduler/session_keeper.h"
#include "scheduler/term.h"
#include "scheduler/turns.h"

namespace scheduled {

// A claim of an earlier leader, found in the tables when the term began.
struct OldClaim {
  jobs::InflightEntry entry;
  std::shared_ptr<const Job> job;  // null: the job was deleted
  bool stops = false;              // it was cancelled or deleted: what runs is to be told
};

class Dispatcher : public SessionObserver {
 public:
  Dispatcher(TermContext* term, Turns* turns);

  // `sessions` outlives the dispatcher's use. Called once, before anything else.
  void Begin(SessionKeeper* sessions, const std::vector<OldClaim>& old_claims,
             const std::vector<jobs::QueueHead>& heads);
  // What the windows say; see jobs::DispatchObserver.
  void OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us);

  // --- For commands on a job, which hold its turn -----------------------------------------------

  // Calls `then` once no claim of an earlier leader on the job is unresolved; at once if none is.
  // Whoever waits holds no turn. Dropped if the term ends first.
  void WhenResolved(std::string_view job_id, Task then);
  // Takes back what is held for the job and names it.
  std::vector<RunKey> WithdrawJob(std::string_view job_id);
  // The command was answered (null: definitely not applied). What it left in flight is held again;
  // with `stop`, what was sent is told to stop.
  void AfterCommand(std::string_view job_id, const pb::Answer* answer, bool stop);

  // --- The end
  // ------------------------------------------------------------------------------------

  // Claims nothing more, starts nothing more and puts back what is held.
  void Drain();
  bool IsDrained() const { return draining_ && book_.used_in_all() == 0; }

  // --- SessionObserver
  // ----------------------------------------------------------------------------

  std::vector<RunKey> WithdrawSession(SessionId session) override;
  void RestoreSession(SessionId session) override;
  void OnSessionClosed(SessionId session) override;
  void OnReconciled(SessionId session, const std::vector<RunKey>& runs,
                    const std::vector<OutcomeMessage>& outcomes) override;
  void OnOutcome(SessionId session, OutcomeMessage outcome) override;
  void OnRoom() override;

  // Starts and takes what is due, and sets the timer for what is next.
  void Pump();

  size_t runs() const { return book_.size(); }
  size_t rooms_taken() const { return book_.used_in_all(); }
  void CheckInvariants() const { book_.CheckInvariants(); }

  static constexpr absl::Duration kLookAgain = absl::Milliseconds(10);
  static constexpr absl::Duration kStrayCheck = absl::Seconds(1);

 private:
  // A finish on its way into the log.
  struct Finish {
    RunKey key;
    SessionId session;
    pb::FinishItem item;
  };

  bool MayDispatch() const;
  void OnClaimed(RunEntry entry);
  bool StartDue();
  void Arm();
  void ArmStrayCheck();
  void PutBackStrays();
  void FlushSoon();
  void Flush();

  void AddFinish(SessionId session, const OutcomeMessage& outcome);
  void DecideRetry(const RunEntry& entry, const OutcomeMessage& outcome, pb::FinishItem* item);
  void ProposeFinishes(std::vector<Finish> finishes);
  void OnFinishAnswer(std::vector<Finish> finishes, TermContext::Outcome outcome);
  void EndOne(const Finish& finish, bool applied);

  void TellToStop(RunEntry& entry);
  void PutBack(RunEntry& entry);
  void PutBackHeld();
  void ProposePutBacks(std::vector<RunKey> runs);
  void OnPutBackAnswer(std::vector<RunKey> runs, TermContext::Outcome outcome);
  void OnPutBackRefused(std::vector<RunKey> runs);
  void PutBackAgain(const std::vector<RunKey>& runs);
  void Resolved(const JobId& job);

  TermContext& term_;
  Turns& turns_;
  SessionKeeper* sessions_ = nullptr;
  RunBook book_;
  std::unique_ptr<Claimer> claimer_;
  bool draining_ = false;

  std::vector<Finish> finishes_;
  std::vector<RunKey> put_backs_;  // their turns are taken
  bool flush_posted_ = false;
  // Outcomes of runs that the book does not know, being proposed all the same: only Apply may say
  // that they are stale.
  std::set<RunKey> unknown_;
  // For resolution, by job id; in an order, for when all are dropped with the term.
  absl::btree_map<std::string, std::vector<Task>> waiting_;

  TimerId due_timer_;
  absl::Time due_armed_ = absl::InfiniteFuture();
  TimerId look_timer_;
  TimerId stray_timer_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_DISPATCHER_H_
