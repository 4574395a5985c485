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
#include <vector>

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
  std::string data_dir;  // created if missing, in a parent that exists
  NodeId node_id{"n1"};
  // All voters with their addresses, this node among them, at most 15. Empty: a group of one.
  std::map<NodeId, std::string> peers;
  LogSink log;  // null: nowhere

  // --- How fast it does it --------------------------------------------------------------------
  // The leader's. Shorter finds a dead follower sooner, and costs a frame a peer each time.
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  // An election begins between one and two of these after the last heartbeat.
  absl::Duration election_timeout = absl::Milliseconds(300);
  // How long a leader may act alone after a majority has heard it; less than election_timeout, the
  // difference being what clocks may drift apart in that time.
  absl::Duration lease = absl::Milliseconds(250);
  // A larger command is refused with kInvalidArgument. 1 KiB to 4 MiB.
  size_t max_entry_bytes = 4 << 20;
  // Commands that wait together become one entry, up to this size and number. 1 KiB to
  // max_entry_bytes; at least 1.
  size_t max_batch_bytes = 1 << 20;
  int max_batch_commands = 1024;
  // Proposed and not applied yet; beyond it Propose answers kResourceExhausted. At least
  // max_entry_bytes: this is the memory that a burst may take.
  size_t max_unapplied_bytes = 64 << 20;
  // Log that cannot be cut because a member lacks it; beyond it Propose answers kResourceExhausted
  // to commands of ProposalClass::kClient until that member is back, and to all others beyond twice
  // as much: that is the disk that it may take. At least max_unapplied_bytes.
  uint64_t max_log_bytes = uint64_t{2} << 30;
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
  // that is larger: then it is dropped and begun anew. What it holds comes on top of max_log_bytes.
  uint64_t snapshot_log_bytes = uint64_t{1} << 30;
  // Without progress; then the transfer is dropped and begun anew.
  absl::Duration snapshot_patience = absl::Minutes(10);

  // Names field, value and bound of the first thing that is wrong; kInvalidArgument.
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

// What a command is to its application, for when the log has grown too long to take all.
enum class ProposalClass : uint8_t {
  kClient = 1,    // brought in from outside: whoever sent it can wait
  kInternal = 2,  // goes on with what was brought in before
};

struct ProposeOptions {
  ProposalClass proposal_class = ProposalClass::kClient;
  // In an entry of its own, which is the only one in its call of Apply: for a command that needs to
  // see all that was applied before it as committed, and nothing of what comes after.
  bool alone = false;
  // Only by a leader of this very term; else kUnavailable. For who decides by what it knew when the
  // term began, and may have been slow since: between two terms of one leader another may have led.
  // 0: of any term.
  Term term;
};

enum class MemberChangeKind : uint8_t {
  kAddVoter = 1,    // as a learner first; votes by itself once it has caught up
  kAddLearner = 2,  // gets everything, and counts for nothing
  kRemove = 3,
  kReplace = 4,  // kAddVoter, and `replaces` leaves in the step of the promotion
};
struct MemberChange {
  MemberChangeKind kind = MemberChangeKind::kAddVoter;
  NodeId id;
  std::string address;  // not for kRemove; the others look for it there, whatever they were given
  NodeId replaces;      // kReplace alone
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
  //   much is under way, or the log is too long. kInvalidArgument: larger than an entry may be.
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

  // Changes the members, all of `changes` in one step, by joint consensus (section 6 of the paper).
  // OK once the change has begun for good: what it goes on to do (a new voter is promoted, a joint
  // phase is left, a leader that is removed hands over) happens by itself, whoever leads, and shows
  // in status(). A node that is to be added is opened on an empty directory with `peers` that name
  // it and the members; it gets all else from the leader. Later it may be opened with any peers, or
  // none: what the log says of the members counts.
  //   kUnavailable: this node does not lead, or another change is under way; try again.
  //   kInvalidArgument: the change makes no sense, or changes nothing. kFailedPrecondition: it adds
  //   a member, and this node has no transport. kUnknown: as Propose.
  void ChangeMembers(std::vector<MemberChange> changes, Completion<absl::Status> done);

  // For a state machine's owner that finds its data damaged or unreadable: the node stops, as after
  // an error of its own disk. It leads no more, answers nothing but kUnavailable, and says why in
  // status().failure.
  void Fail(const absl::Status& why);

  // Thread-safe, never waits.
  ClusterStatus status() const;
  // True while this node is the leader and its lease says that no other can be: exact at the time
  // of the call, for whoever acts at once. Thread-safe, cheap.
  bool HasLease() const;
  // And it leads this very term.
  bool HasLease(Term term) const;
  // Called on the completions lane, in order; must not block. Set before anything else is called.
  void OnRoleChange(std::function<void(const RoleChange&)> observer);

  // Frames to and from the peers' own applications; like all frames they may be lost, doubled and
  // late, and those of more than 256 KiB take another way (FrameClass::kBulk), on which they may be
  // overtaken. Nothing is sent, or heard, before this node belongs to a cluster, and nothing is
  // heard from another one. The handler is called on transport threads and must not block.
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
