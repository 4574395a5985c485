// One member of a group of schedulers: Raft, the tables, the worker's session and, while it leads,
// the leader, on lanes of a runtime, over stores and a transport that its owner hands in. The
// public Scheduler wraps one over RocksDB and threads; the simulator runs exactly this over models
// of both.
//
// Lanes: raft, log and apply are RaftNode's; dispatch is everything of dispatch.md, and where Raft
// completes; read and flush wait for the disk so that dispatch and apply need not; completions
// calls the host.
#ifndef SCHEDULED_LIB_SCHEDULER_NODE_H_
#define SCHEDULED_LIB_SCHEDULER_NODE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/logger.h"
#include "base/runtime.h"
#include "base/uuid.h"
#include "jobs/job_state_machine.h"
#include "jobs/queries.h"
#include "raft/configuration.h"
#include "scheduled/raft_node.h"
#include "scheduled/transport.h"
#include "scheduler/forwarding.h"
#include "scheduler/inbox.h"
#include "scheduler/leader.h"
#include "scheduler/node_options.h"
#include "scheduler/replies.h"
#include "scheduler/statistics.h"
#include "scheduler/worker.h"
#include "storage/log_store.h"
#include "storage/snapshot_files.h"
#include "storage/table_store.h"

namespace scheduled {

// All but the transport outlive the node.
struct NodeParts {
  Runtime* runtime = nullptr;
  LogStore* log_store = nullptr;
  TableStore* tables = nullptr;
  std::unique_ptr<Transport> transport;  // null: a group of one
  // As RaftParts::on_cluster_id. May be null.
  std::function<absl::Status(const std::string& cluster_id)> on_cluster_id;
  raft::DiskId disk;                   // as RaftParts::disk
  SnapshotFiles* snapshots = nullptr;  // as RaftParts::snapshots
};

class Node : private jobs::DispatchObserver {
 public:
  static absl::StatusOr<std::unique_ptr<Node>> Open(NodeOptions options, NodeParts parts);
  // At once, as a crash: nothing is drained, calls in flight may never complete. Close before for
  // an orderly end.
  ~Node() override;

  // Any thread, for as long as the node is open.
  absl::Status Register(std::string_view name, std::unique_ptr<Executor> executor);
  // A client's command, request id included or chosen here. `done` gets Apply's answer.
  void Write(pb::Command command, ReplyTo reply_to, absl::AnyInvocable<void(WriteResult) &&> done);
  // Completes when this node's tables have everything that was acknowledged before.
  void Barrier(ReplyTo reply_to, Completion<absl::Status> done);
  void Transfer(std::optional<NodeId> to, ReplyTo reply_to, Completion<absl::Status> done);
  // Runs `work` where it may wait for the disk.
  void OnReadLane(Task work) {
    ++begun_;
    read_->Post(std::move(work));
  }
  // Runs `completion` where the host is called.
  void OnCompletionsLane(Task completion) {
    ++begun_;
    completions_->Post(std::move(completion));
  }
  // What came of a caller's own read. Tables that cannot be read stop the node, whoever was the
  // first to find out. Any thread.
  void AfterRead(const absl::Status& read);
  // Null until this node knows its cluster's id.
  const jobs::Queries* queries() const { return queries_ready_.load(std::memory_order_acquire); }
  ClusterStatus status() const;
  bool HasLease() const;
  Statistics statistics() const { return statistics_.Read(); }
  Uuid NewId();
  Runtime& runtime() const { return *runtime_; }
  const NodeOptions& options() const { return options_; }

  // Stops claiming, waits until what runs has ended, hands back the rest after `patience`, hands
  // the leadership over and ends every call. Blocks; not from a lane. The node does nothing
  // afterwards.
  void Close(absl::Duration patience);
  // For a simulator, before it kills the lanes of a node that crashes: nothing that is dropped with
  // them has a word to say to anybody.
  void FallSilent() { StopUsingRaft(); }

  // For tests and the simulator, between tasks of a virtual loop.
  void CheckInvariants() const;
  RaftNode& raft() { return *raft_; }
  Worker& worker() { return *worker_; }
  Leader* leader() { return leader_.get(); }
  jobs::JobStateMachine& machine() { return *machine_; }

 private:
  Node(NodeOptions options, NodeParts parts);
  absl::Status Start();

  // Apply lane.
  void OnLeading(bool leader, Term term) override;
  void OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us) override;

  // Dispatch lane.
  void OnRoleChange(const RoleChange& change);
  void OnTermBeginning(absl::StatusOr<TermBeginning> beginning);
  void BeginTerm();
  void EndTerm();
  void DropBeginning();
  // Any thread. See TermParts::failed.
  void OnFailedRead(std::string_view what, const absl::Status& why);
  void SendTo(const NodeId& to, PeerMessage message);
  void Receive(const NodeId& from, PeerMessage message);
  absl::Status OnClusterId(const std::string& cluster_id);
  TermParts PartsOfTerm();

  // A read that waits until it is known who leads.
  struct PendingBarrier {
    Completion<absl::Status> done;
    MonoTime deadline;
  };
  // Answers on the dispatch lane, as Raft would have.
  void RefuseClosed(Completion<absl::Status> done);
  void AskBarrier(PendingBarrier barrier);
  void OnBarrier(PendingBarrier barrier, absl::Status outcome);
  void RetryBarriers();

  void StopUsingRaft();
  void FinishCalls();
  bool WaitFor(absl::Duration patience, std::function<bool()> condition);
  void OnCloseProgress() {
    if (close_progress_) close_progress_();
  }
  void RunOn(Lane& lane, std::function<void()> work);
  void RunOnDispatch(std::function<void()> work) { RunOn(*dispatch_, std::move(work)); }

  const NodeOptions options_;
  Runtime* const runtime_;
  LogStore* const log_store_;
  TableStore* const tables_;
  const std::unique_ptr<Transport> transport_;
  const raft::DiskId disk_;
  SnapshotFiles* const snapshots_;
  const std::function<absl::Status(const std::string&)> told_cluster_id_;
  Logger log_;
  RunStatistics statistics_;
  UuidGenerator uuids_;
  bool closed_ = false;

  std::mutex cluster_mutex_;
  std::string cluster_id_;  // guarded by cluster_mutex_ until queries_ready_ is set
  std::unique_ptr<jobs::Queries> queries_;
  std::atomic<const jobs::Queries*> queries_ready_{nullptr};

  std::unique_ptr<Lane> raft_lane_;
  std::unique_ptr<Lane> log_lane_;
  std::unique_ptr<Lane> apply_;
  std::unique_ptr<Lane> flush_;
  std::unique_ptr<Lane> read_;
  std::unique_ptr<Lane> dispatch_;
  std::unique_ptr<Lane> completions_;

  std::unique_ptr<Replies> replies_;
  std::unique_ptr<Forwarding> forwarding_;
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<jobs::JobStateMachine> machine_;
  std::unique_ptr<Inbox<WriteCallPtr>> calls_;
  std::unique_ptr<Inbox<std::pair<NodeId, PeerMessage>>> mail_;  // of peers, and of this node's own

  // Dispatch lane. A term begins when both are there, in whatever order they arrive: Raft's word
  // that this node leads, and what the tables hold once the term's first entry is applied.
  Term leading_;  // by Raft's word; 0: not the leader
  Term over_;     // this node leads no more in this term and those before
  std::optional<TermBeginning> beginning_;
  std::unique_ptr<Leader> leader_;
  std::vector<PendingBarrier> barriers_;
  TimerId barrier_timer_;
  bool draining_ = false;
  std::function<void()> close_progress_;  // looks whether what Close waits for has come
  // Calls, and steps of calls, that were ever begun: while it grows, some may be under way.
  std::atomic<uint64_t> begun_{0};

  // Nothing may reach raft_ once stopped_ is set. Set on the dispatch lane, so that what runs there
  // looks at it and goes on; whoever calls Raft from elsewhere holds the lock shared meanwhile.
  mutable std::shared_mutex raft_mutex_;
  std::atomic<bool> stopped_{false};
  std::unique_ptr<RaftNode> raft_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_NODE_H_
