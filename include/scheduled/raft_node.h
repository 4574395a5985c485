// One member of a replicated log: bring a StateMachine and a Transport, propose commands, and each
// is applied in the same order on every node. Stands alone; the scheduler is built on it.
//
// Follows the Raft paper (Ongaro and Ousterhout 2014) and dissertation (Ongaro 2014): pre-vote,
// check-quorum, ReadIndex, leader lease, leadership transfer.
#ifndef SCHEDULED_RAFT_NODE_H_
#define SCHEDULED_RAFT_NODE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/cluster.h"
#include "scheduled/completion.h"
#include "scheduled/log.h"
#include "scheduled/state_machine.h"
#include "scheduled/transport.h"
#include "scheduled/types.h"

namespace scheduled {

struct RaftOptions {
  // --- What it does ---------------------------------------------------------------------------
  std::string data_dir;  // created if missing
  NodeId node_id{"n1"};
  std::map<NodeId, std::string> peers;  // all voters with addresses; empty: a group of one
  LogSink log;

  // --- How fast it does it --------------------------------------------------------------------
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  absl::Duration election_timeout = absl::Milliseconds(300);  // one to two of these, randomized
  absl::Duration lease = absl::Milliseconds(250);             // less than election_timeout
  size_t max_entry_bytes = 4 << 20;                           // a larger command is refused
  size_t max_batch_bytes = 1 << 20;  // commands that are packed into one entry
  int max_batch_commands = 1024;
  size_t max_unapplied_bytes = 64 << 20;  // beyond it Propose answers kResourceExhausted
  uint64_t max_log_bytes = uint64_t{2}
                           << 30;  // log that cannot be cut; beyond it kResourceExhausted
  // A log that is longer is cut to its tail, whoever lags behind it: they get a snapshot. More
  // costs disk and spares snapshots. In bytes, and if set, in entries (an eighth of which stays).
  // At most max_log_bytes; at least 16.
  uint64_t compact_log_bytes = uint64_t{512} << 20;
  std::optional<uint64_t> compact_log_entries;
  // Kept for members that are a little behind. At most half of compact_log_bytes.
  uint64_t log_tail_bytes = uint64_t{64} << 20;
  // To each member. Lower it where a transfer takes disk or network from what matters more; null is
  // as fast as it goes.
  std::optional<uint64_t> snapshot_bytes_per_second = uint64_t{64} << 20;
  // A transfer holds the log behind it; but no more than so much, or than the snapshot's size if
  // that is larger. (Together with compact_log_bytes it stays below max_log_bytes.)
  uint64_t snapshot_log_bytes = uint64_t{1} << 30;
  // Without progress; then the transfer is dropped and begun anew.
  absl::Duration snapshot_patience = absl::Minutes(10);

  absl::Status Validate() const;
};

// Where a command stands in the log, and what the state machine answered.
struct Applied {
  LogIndex index;
  uint32_t ordinal = 0;
  std::string answer;
};

struct RoleChange {
  Role role = Role::kFollower;
  Term term;
  NodeId leader;  // empty: none known
};

struct ProposeOptions {
  // In an entry of its own, which is the only one in its call of Apply: for a command that needs to
  // see all that was applied before it as committed, and nothing of what comes after.
  bool alone = false;
};

struct RaftParts;  // internal: runtime, log store and ports that a simulator replaces

class RaftNode {
 public:
  // On threads of its own, with its log in options.data_dir. `transport` is null for a group of
  // one. kInvalidArgument: an option, by name; kFailedPrecondition: the data is in use, or belongs
  // to another node or other members; kDataLoss: it is damaged; kUnavailable: an I/O error, or the
  // transport's address is in use. The data of a first start founds a cluster: alone, or together
  // with a majority of the peers.
  static absl::StatusOr<std::unique_ptr<RaftNode>> Open(RaftOptions options,
                                                        std::unique_ptr<StateMachine> state_machine,
                                                        std::unique_ptr<Transport> transport);
  // For the library: the same over parts that the caller owns and that outlive the node.
  static absl::StatusOr<std::unique_ptr<RaftNode>> OpenWith(RaftOptions options, RaftParts parts);
  // Answers what is under way (kUnknown, or kUnavailable for what was not begun). Not from a
  // completion.
  ~RaftNode();

  // Completes with the answer once the command is applied on this node. Commands that wait together
  // are packed into one entry, in the order of the calls.
  //   kUnavailable: not applied, and never will be: this node does not lead (the message names who
  //   does), the leadership moved, or the node has stopped. kResourceExhausted: not applied: too
  //   much is under way, or the log is full. kInvalidArgument: larger than an entry may be.
  //   kUnknown: the leadership was lost, or the node stopped, after it was sent: may be applied,
  //   now or later.
  // Completions run on the completions lane.
  void Propose(std::string command, Completion<absl::StatusOr<Applied>> done,
               ProposeOptions options = {});
  // Completes when everything that was committed before the call is applied on this node; asks the
  // leader where needed. Then a read of the state machine is linearizable. kUnavailable: no leader
  // is known, it changed, or it did not answer; try again. kResourceExhausted: too many reads wait.
  void Barrier(Completion<absl::Status> done);
  // Hands leadership to `to`, or to the most caught-up voter; OK once another leads.
  // kFailedPrecondition: this node does not lead, there is no such voter, or another transfer is
  // under way. kDeadlineExceeded: the target did not catch up; this node still leads.
  void Transfer(std::optional<NodeId> to, Completion<absl::Status> done);

  ClusterStatus status() const;
  // True while this node is the leader and its lease says that no other can be: exact at the time
  // of the call, for whoever acts at once. Thread-safe, cheap.
  bool HasLease() const;
  // Called on the completions lane, in order. Set before anything else is called.
  void OnRoleChange(std::function<void(const RoleChange&)> observer);

  // Frames of FrameClass::kApplication, to and from the peers' own applications. The handler is
  // called on a transport thread and must not block.
  void OnApplicationFrame(std::function<void(const NodeId& from, std::string frame)> handler);
  void SendApplicationFrame(const NodeId& to, std::string frame);

 private:
  friend class RaftInspection;  // internal: lets a simulator look at the core
  struct Impl;
  explicit RaftNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled

#endif  // SCHEDULED_RAFT_NODE_H_
