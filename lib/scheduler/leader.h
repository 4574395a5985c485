// A leader's whole soft state for one term, and how it begins: what the tables say about sessions
// and claims is read once, then every open session is asked to reconcile (dispatch.md, rule 14).
// Built by the node when the first entry of its term is applied, destroyed when the role ends;
// never from inside one of its own calls. Dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_LEADER_H_
#define SCHEDULED_LIB_SCHEDULER_LEADER_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "jobs/dispatch_view.h"
#include "scheduler/dispatcher.h"
#include "scheduler/housekeeping.h"
#include "scheduler/leader_writes.h"
#include "scheduler/session_keeper.h"
#include "scheduler/term.h"
#include "scheduler/turns.h"

namespace scheduled {

// What the tables hold at the begin of a term. They stand still until the leader proposes.
struct TermBeginning {
  Term term;
  std::vector<jobs::SessionEntry> sessions;
  std::vector<OldClaim> claims;
  std::vector<jobs::QueueHead> heads;
  uint32_t level = 0;
};

// Any thread; may wait for the disk. `heads` is filled by the apply lane.
absl::StatusOr<TermBeginning> ReadTermBeginning(const TableStore& tables, Term term);

class Leader {
 public:
  Leader(TermParts parts, const TermBeginning& beginning, const OnCallEnd* on_call_end)
      : term_(beginning.term, std::move(parts)),
        dispatcher_(&term_, &turns_),
        sessions_(&term_, &dispatcher_, beginning.sessions),
        writes_(&term_, &turns_, &dispatcher_, on_call_end),
        housekeeping_(&term_, &sessions_) {
    dispatcher_.Begin(&sessions_, beginning.claims, beginning.heads);
    sessions_.Begin();
    housekeeping_.Begin(beginning.level);
  }

  Term term() const { return term_.term(); }
  SessionKeeper& sessions() { return sessions_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  LeaderWrites& writes() { return writes_; }

  void CheckInvariants() const {
    sessions_.CheckInvariants();
    dispatcher_.CheckInvariants();
  }

 private:
  TermContext term_;
  Turns turns_;
  Dispatcher dispatcher_;
  SessionKeeper sessions_;
  LeaderWrites writes_;
  Housekeeping housekeeping_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_LEADER_H_
