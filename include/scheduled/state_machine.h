// The port between a replicated log and what it replicates. RaftNode calls it; the library's own
// implementation holds the jobs, and a host may bring another (see raft_node.h).
#ifndef SCHEDULED_STATE_MACHINE_H_
#define SCHEDULED_STATE_MACHINE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "scheduled/types.h"

namespace scheduled {

// One proposed command as Apply sees it. An entry of the log may carry several: `ordinal` counts
// them from 0. (index, ordinal) is unique and only grows.
struct Command {
  LogIndex index;
  uint32_t ordinal = 0;
  Term term;
  std::string_view bytes;  // valid during the call of Apply only
};

// The position that a state machine has reached.
struct AppliedPosition {
  LogIndex index;
  Term term;
  auto operator<=>(const AppliedPosition&) const = default;
};

// All methods are called on the apply lane, one at a time. Where the node has a lane of its own for
// flushes, which RaftNode::Open does not give it, Flush and Durable are called there: beside Apply,
// applied and Checkpoint, but never during Install.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies committed entries in the order of the log and answers each command, in order. `through`
  // is the last entry of the call; entries without a command (a leader's no-op, a configuration)
  // show in it alone, so `commands` may be empty. Must be deterministic: the same commands give the
  // same state and the same answers on every node. A command that is refused is answered, not
  // failed. An error stops the node: it never continues on unknown state.
  virtual absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                         AppliedPosition through) = 0;

  // What has been applied, durable or not. Called once before the first Apply, and after Install.
  virtual AppliedPosition applied() const = 0;

  // What would survive a crash now: entries behind it may be cut from the log.
  virtual absl::StatusOr<LogIndex> Durable() const = 0;

  // Makes everything that was applied durable. May block for long; called rarely.
  virtual absl::Status Flush() = 0;

  // This node's own role changed, in the order of the log: called with `leader` true when the first
  // entry of its own term has been applied, with false when the role ends.
  virtual void OnLeading(bool leader, Term term) {
    (void)leader;
    (void)term;
  }

  // Writes a consistent copy of the state into `dir`, for a snapshot: creates the directory, whose
  // parent is there, and puts at least one file into it, and no directory. It is of the position
  // that applied() tells during the call, can be read on return, and does not change afterwards,
  // whatever is applied meanwhile. An error drops this transfer alone.
  virtual absl::Status Checkpoint(const std::string& dir) = 0;
  // Replaces the whole state by the copy in `dir`, which Checkpoint of another node wrote and which
  // stands at `at`; it may take the files over. Atomic, and durable on return: a crash during the
  // call leaves the old state or the new one. Afterwards applied() and Durable() tell `at`.
  // kInvalidArgument: the copy is damaged, or stands elsewhere; the state is as it was, and the
  // node goes on. Any other error stops the node.
  virtual absl::Status Install(const std::string& dir, AppliedPosition at) = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_STATE_MACHINE_H_
