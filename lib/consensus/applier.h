// Applies what is committed and durable here, answers whoever proposed it, and lets reads go once
// the state machine has reached their index. Handed work on the raft lane, in order; does it on the
// apply lane, many entries in one call of Apply; answers on the completions lane. Owned by the
// host.
//
// A proposal is registered before its entry can be applied. It ends in exactly one way: applied at
// its position; failed by the core, which knows that it never will be or cannot know; expired, some
// time after its leader stepped down; or abandoned with the node.
#ifndef SCHEDULED_LIB_CONSENSUS_APPLIER_H_
#define SCHEDULED_LIB_CONSENSUS_APPLIER_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/lane.h"
#include "consensus/flusher.h"
#include "consensus/proposal_queue.h"
#include "raft/effects.h"
#include "scheduled/state_machine.h"
#include "storage/log_store.h"

namespace scheduled {

using BarrierDone = Completion<absl::Status>;

// Called on the apply lane.
struct ApplierEvents {
  // Everything through `index` is applied; `bytes` of it are new.
  std::function<void(LogIndex index, size_t bytes)> applied;
  // Commands of this node's callers have ended, of this weight together.
  std::function<void(size_t weight)> released;
  std::function<void(absl::Status)> failed;
  // An install has ended; not OK: the state is as it was before.
  std::function<void(absl::Status)> installed;
};

struct ApplierParts {
  StateMachine* state_machine = nullptr;
  LogStore* log_store = nullptr;
  GroupId group;
  Lane* apply = nullptr;
  Lane* completions = nullptr;
  Flusher* flusher = nullptr;
};

class Applier {
 public:
  Applier(ApplierParts parts, ApplierEvents events);

  // Raft lane. Nothing of it is begun before Kick.
  void Register(raft::Proposed at, PackedProposal proposal);
  void FailProposal(raft::ProposalId id, absl::Status why);
  void ExpireProposals(raft::ProposalId through);
  // Entries from `from` through `to`: those in `entries`, or if it is empty, those of the log.
  void Apply(raft::ApplyRange range, std::vector<raft::Entry> entries);
  void AfterApplied(LogIndex index, std::vector<BarrierDone> waiting);
  // The role: told to the state machine once the term's first entry is applied, and at its end.
  void Lead(Term term, LogIndex term_start);
  void LeadNoMore();
  // Replaces the state by the copy at `path`, which stands at `at`; ApplierEvents::installed tells
  // of it. On the apply lane and with flushes held: nothing else touches the state meanwhile.
  void Install(std::string path, AppliedPosition at);
  // Ends everything that waits; nothing is applied any more.
  void Shut(absl::Status why);
  void Kick();

  // Any thread: nothing more is applied. A replay ends with its next piece.
  void Interrupt() { interrupted_ = true; }
  // Interrupt and Shut, for when the lanes have stopped: on the calling thread. The state machine
  // is not called.
  void Abandon(absl::Status why);

  // See inspect.h.
  size_t proposals_in_hand() const { return proposals_.size(); }
  size_t barriers_in_hand() const { return barriers_.size(); }

 private:
  struct Registered {
    raft::ProposalId id;
    raft::LogPosition at;
    std::vector<ProposeDone> waiting;
    size_t weight = 0;
  };
  struct Failed {
    raft::ProposalId id;
    absl::Status why;
  };
  struct Expired {
    raft::ProposalId through;
  };
  struct Range {
    raft::ApplyRange range;
    std::vector<raft::Entry> entries;
  };
  struct Barrier {
    LogIndex index;
    std::vector<BarrierDone> waiting;
  };
  struct Leading {
    Term term;
    LogIndex term_start;
  };
  struct NotLeading {};
  struct Closing {
    absl::Status why;
  };
  struct Installing {
    std::string path;
    AppliedPosition at;
  };
  using Item = std::variant<Registered, Failed, Expired, Range, Barrier, Leading, NotLeading,
                            Closing, Installing>;
  using Outcomes = std::vector<std::pair<ProposeDone, absl::StatusOr<Applied>>>;

  void Push(Item item);
  void Work();
  void On(Registered item);
  void On(Failed item);
  void On(Expired item);
  void On(Range item);
  void On(Barrier item);
  void On(Leading item);
  void On(NotLeading item);
  void On(Closing item);
  void On(Installing item);
  void EndInstall(AppliedPosition at, absl::Status installed);

  void ApplyFromLog(raft::ApplyRange range);
  void Take(raft::Entry entry);
  void Flush();
  bool CallApply(std::vector<std::string>* answers);
  void AnswerProposals(std::vector<std::string> answers);
  void ReleaseBarriers();
  void EndProposal(Registered proposal, const absl::Status& why);
  void EndBarriers(std::vector<BarrierDone> waiting, const absl::Status& how);
  void PostOutcomes(Outcomes outcomes);
  void StopLeading();
  void Fail(absl::Status why);

  const ApplierParts parts_;
  const ApplierEvents events_;

  std::atomic<bool> interrupted_{false};
  std::mutex mutex_;  // guards the next two
  std::deque<Item> queue_;
  bool posted_ = false;

  // Apply lane.
  AppliedPosition applied_;
  std::vector<raft::Entry> batch_;  // taken, not applied yet
  std::vector<Command> commands_;   // of batch_
  size_t batch_bytes_ = 0;
  bool batch_closed_ = false;  // its entry wants to be alone
  // By position. Not in the order of their ids: what a lost term left behind may lie beyond.
  std::map<std::pair<LogIndex, Term>, Registered> proposals_;
  std::multimap<LogIndex, std::vector<BarrierDone>> barriers_;  // beyond applied_
  std::optional<Leading> leading_;  // of this node's current term as leader
  bool told_leading_ = false;
  bool shut_ = false;
  bool installing_ = false;  // or about to: what is queued waits
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_APPLIER_H_
