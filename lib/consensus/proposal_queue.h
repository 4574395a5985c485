// Where commands wait between a caller of Propose and the raft lane, which takes them out packed:
// many callers, one taker. Thread-safe; each call holds the lock for a few moves.
#ifndef SCHEDULED_LIB_CONSENSUS_PROPOSAL_QUEUE_H_
#define SCHEDULED_LIB_CONSENSUS_PROPOSAL_QUEUE_H_

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/shared_buffer.h"
#include "scheduled/raft_node.h"

namespace scheduled {

using ProposeDone = Completion<absl::StatusOr<Applied>>;

// The commands of one entry, and who waits for each of them, by ordinal.
struct PackedProposal {
  SharedBuffer entry;
  std::vector<ProposeDone> waiting;
  size_t weight = 0;  // of its commands
};

// What a command that waits or is under way costs: its bytes, and what stands around them.
inline size_t CommandWeight(size_t bytes) { return bytes + 64; }

struct PackingLimits {
  size_t batch_bytes = 0;  // an entry of several commands is no larger
  size_t batch_commands = 0;
};

class ProposalQueue {
 public:
  explicit ProposalQueue(PackingLimits limits) : limits_(limits) {}

  // Not OK, with `done` untouched: closed, and why.
  absl::Status Push(std::string& command, ProposeDone& done, ProposeOptions options);
  // The next entry: as many waiting commands as fit. Nothing if none waits. Commands of another
  // term than `term` go to `of_other_terms` on the way.
  std::optional<PackedProposal> Take(Term term, PackedProposal* of_other_terms);
  bool empty() const;
  // At least one entry could be filled to a limit.
  bool HasFullEntry() const;
  // Refuses what comes from now on with `why`, and hands out what waits.
  std::vector<PackedProposal> Close(absl::Status why);

 private:
  struct Waiting {
    std::string command;
    ProposeDone done;
    bool alone = false;
    Term term;  // 0: any
  };

  const PackingLimits limits_;
  mutable std::mutex mutex_;  // guards all below
  std::deque<Waiting> queue_;
  size_t queued_bytes_ = 0;
  absl::Status closed_;  // OK while open
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_PROPOSAL_QUEUE_H_
