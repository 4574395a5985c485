// What the parts of a leader share for one term: lanes, ports, and the way to propose. A leader's
// soft state is lost with its term, so its parts are built when the term begins and destroyed when
// it ends; whatever they posted or proposed in between must then find nothing. Dispatch lane.
#ifndef SCHEDULED_LIB_SCHEDULER_TERM_H_
#define SCHEDULED_LIB_SCHEDULER_TERM_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/logger.h"
#include "base/runtime.h"
#include "jobs/job_state_machine.h"
#include "proto/commands.pb.h"
#include "scheduled/raft_node.h"
#include "scheduled/types.h"
#include "scheduler/messages.h"
#include "scheduler/node_options.h"
#include "scheduler/statistics.h"
#include "storage/table_store.h"

namespace scheduled {

// All of it outlives the term. `raft` completes on the dispatch lane.
struct TermParts {
  const NodeOptions* options = nullptr;
  Runtime* runtime = nullptr;
  Lane* dispatch = nullptr;
  Lane* apply = nullptr;
  Lane* read = nullptr;  // reads of the tables that may wait for the disk
  RaftNode* raft = nullptr;
  jobs::JobStateMachine* machine = nullptr;
  TableStore* tables = nullptr;
  RunStatistics* statistics = nullptr;
  Logger log;
  std::function<void(const NodeId& to, PeerMessage)> send;
  // Any thread: the tables cannot be read, so that the node has to stop and leave the leading to
  // another (table_store.h). The term goes on until Raft has ended it.
  std::function<void(std::string_view what, const absl::Status& why)> failed;
  std::function<void()> on_drain_progress;  // a drained leader has less to wait for
};

// Only what comes from outside waits where the log has grown too long: what was acknowledged before
// still becomes due, runs, ends and is forgotten in time.
ProposalClass ClassOf(const pb::Command& command);

class TermContext {
 public:
  TermContext(Term term, TermParts parts)
      : parts_(std::move(parts)), term_(term), alive_(std::make_shared<char>()) {}

  Term term() const { return term_; }
  const TermParts& parts() const { return parts_; }
  const NodeOptions& options() const { return *parts_.options; }
  absl::Time WallNow() const { return parts_.runtime->clock().WallNow(); }
  MonoTime MonoNow() const { return parts_.runtime->clock().MonoNow(); }
  // Not of a later term of this node either: another may have led in between.
  bool HasLease() const { return parts_.raft->HasLease(term_); }

  // A function that calls `fn` as long as the term goes on, and does nothing afterwards.
  template <typename Fn>
  auto Guard(Fn fn) const {
    return [alive = std::weak_ptr<char>(alive_), fn = std::move(fn)](auto&&... args) mutable {
      if (!alive.expired()) std::move(fn)(std::forward<decltype(args)>(args)...);
    };
  }

  // What Apply answered, and where the command stands. An error is Propose's.
  struct Outcome {
    absl::StatusOr<pb::Answer> answer;
    LogIndex index;
  };
  using OnOutcome = absl::AnyInvocable<void(Outcome) &&>;

  // Stamps and proposes, for this term alone and in the command's own class; the command stays the
  // caller's. `done` runs on the dispatch lane whether the term has ended or not: guard it where it
  // touches the leader's state.
  void Propose(pb::Command* command, OnOutcome done, ProposeOptions how = {}) const;

  // Work for the tables' lanes that ends on the dispatch lane, if the term still goes on:
  // `work` on `lane`, its value to `then`.
  template <typename Work, typename Then>
  void Ask(Lane* lane, Work work, Then then) const {
    lane->Post([dispatch = parts_.dispatch, work = std::move(work),
                then = Guard(std::move(then))]() mutable {
      dispatch->Post(
          [value = work(), then = std::move(then)]() mutable { then(std::move(value)); });
    });
  }

 private:
  const TermParts parts_;
  const Term term_;
  const std::shared_ptr<char> alive_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_TERM_H_
