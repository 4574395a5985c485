// A node's side of its own session: it asks the leader for one, keeps it alive by heartbeats, takes
// Starts from the session channel, hands runs to executors and keeps each outcome until it is told
// that the log has it (dispatch.md, rules 8, 9 and 13). It decides nothing: what is due, what is
// retried and what is cancelled, the leader says. Every node has one. Dispatch lane, except
// Register.
//
//   state        own session          may take a Start
//   asking       none                 no
//   opened       told, not yet heard  no: no heartbeat of it was acknowledged
//   alive        open                 yes, for 1.5 s from the sending of the last heartbeat that
//                                     was acknowledged
//
//   asking --OPENED--> opened --ACKNOWLEDGED--> alive --1.5 s of silence--> opened
//   opened, alive --CLOSED--> asking: what runs is told to stop and belongs to nobody any more
//
// A run is in one place: runs_ (taken, going on), outcomes_ (ended, not yet told to be in the log)
// or stray_ (its session or its time is over, its executor has not answered yet).
#ifndef SCHEDULED_LIB_SCHEDULER_WORKER_H_
#define SCHEDULED_LIB_SCHEDULER_WORKER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "base/logger.h"
#include "base/runtime.h"
#include "scheduled/executor.h"
#include "scheduler/messages.h"
#include "scheduler/run_control.h"
#include "scheduler/run_outbox.h"
#include "scheduler/session_times.h"
#include "scheduler/statistics.h"

namespace scheduled {

struct WorkerOptions {
  NodeId self;
  BootCounter boot;
  // No peers: nobody else can close the session, so heartbeats are sent on changes alone.
  bool alone = false;
  // Executors work on threads of their own that virtual time waits for.
  bool external_executors = false;
  uint32_t level = 1;
  SessionTimes times{SessionTimes::kFast};
};

struct WorkerParts {
  Runtime* runtime = nullptr;
  Lane* dispatch = nullptr;
  RunStatistics* statistics = nullptr;
  Logger log;
  std::function<void(const NodeId& leader, PeerMessage)> send;
  // The UUID of a run; known once the cluster's id is.
  std::function<std::string(RunNumber)> run_id;
};

class Worker {
 public:
  Worker(WorkerOptions options, WorkerParts parts);
  ~Worker();

  // Any thread. kAlreadyExists, kInvalidArgument.
  absl::Status Register(std::string_view name, std::unique_ptr<Executor> executor);

  // Who leads in which term, as Raft has it; empty: nobody.
  void SetLeader(const NodeId& leader, Term term);
  // Sends a heartbeat now, and the next ones by the clock.
  void Beat();
  void OnHeartbeatAnswer(const NodeId& from, const HeartbeatAnswerMessage& answer);
  void OnChannel(const NodeId& from, const ChannelMessages& messages);

  // Tells the leader to send nothing more.
  void BeginDrain();
  // Ends what still runs as far as this node is concerned: told to stop, and handed back uncounted.
  void HandBack();
  // Nothing runs, and every outcome is in the log.
  bool IsQuiet() const { return runs_.empty() && outcomes_.empty(); }

  SessionId session() const { return session_; }
  bool CanTake() const;
  size_t running() const { return runs_.size(); }

  // Tells every executor that no run follows. Not on the dispatch lane.
  void DrainExecutors();

  void CheckInvariants() const;

  static constexpr absl::Duration kHeartbeatInterval = absl::Milliseconds(200);
  static constexpr absl::Duration kOutcomeResend = absl::Milliseconds(500);

 private:
  struct Running {
    StartRequest start;
    std::string executor;
    std::shared_ptr<RunControl> control;
    absl::Time started;
    MonoTime deadline;  // its place in deadlines_
  };
  struct Kept {
    OutcomeMessage outcome;
    MonoTime sent;
  };

  void ArmBeat();
  void AdoptSession(SessionId session);
  void LoseSession();
  std::vector<ExecutorRoom> Rooms() const;
  Executor* Find(const std::string& name) const;

  // True if it was taken; false refuses it and all behind it.
  bool Take(const ChannelItem& item, bool* reconcile);
  bool TakeStart(const StartRequest& start);
  void RunIt(Executor& executor, const StartRequest& start);
  // In as many reports as it takes; the first of them answers Reconcile where that is asked.
  void Report(const NodeId& to, bool reconcile, std::vector<OutcomeMessage> outcomes);

  void DrainOutbox();
  OutcomeMessage Conclude(const Running& running, RunResult result, absl::Time end) const;
  void Keep(std::vector<OutcomeMessage>* fresh, OutcomeMessage outcome);
  void SendFresh(std::vector<OutcomeMessage> fresh);
  static DeliveryId IdOf(const RunKey& key) { return {key.run, key.token}; }
  std::vector<DeliveryId> RunningIds() const;  // in order, whatever the hash table's
  void Forget(DeliveryId id);                  // takes it out of runs_
  void ArmDeadline();
  void OnDeadline();

  const WorkerOptions options_;
  const WorkerParts parts_;
  const std::shared_ptr<RunOutbox> outbox_;

  mutable std::mutex executors_mutex_;
  std::map<std::string, std::unique_ptr<Executor>, std::less<>> executors_;  // only grows

  NodeId leader_;
  Term raft_term_;            // that Raft has told of; only grows
  SessionId session_;         // 0: none
  SessionId closed_session_;  // the last one that was lost: never adopted again
  Term term_;                 // highest seen on a session channel; only grows
  uint64_t taken_ = 0;        // last message taken within (term_, session_)
  bool draining_ = false;

  uint64_t sequence_ = 0;
  std::deque<std::pair<uint64_t, MonoTime>> beats_;  // sent and not acknowledged, oldest first
  bool acknowledged_ = false;                        // any heartbeat of this session was
  MonoTime alive_since_;                             // sending time of the last acknowledged one
  TimerId beat_timer_;

  absl::flat_hash_map<DeliveryId, Running> runs_;
  absl::btree_map<DeliveryId, Kept> outcomes_;
  absl::flat_hash_map<DeliveryId, std::string> stray_;  // executor's name
  absl::btree_set<std::pair<MonoTime, DeliveryId>> deadlines_;
  TimerId deadline_timer_;
  MonoTime deadline_armed_ = MonoTime::Infinite();
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_WORKER_H_
