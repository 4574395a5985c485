// A small world of replicas on virtual time: cores, a network that loses and delays, disks that
// forget what was not synced, clocks that drift. One heap of (time, sequence) and one seeded
// generator: the same seed gives the same run. After every event the world checks what must hold in
// all of it (see world_checks.cc); a test adds what it expects. Single-threaded; for tests only.
#ifndef SCHEDULED_TESTS_RAFT_CLUSTER_HARNESS_H_
#define SCHEDULED_TESTS_RAFT_CLUSTER_HARNESS_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "raft/core.h"

namespace scheduled::raft {

struct WorldOptions {
  int nodes = 3;
  uint64_t seed = 1;
  absl::Duration latency_min = absl::Microseconds(50);
  absl::Duration latency_max = absl::Microseconds(300);
  absl::Duration sync_min = absl::Microseconds(50);
  absl::Duration sync_max = absl::Microseconds(200);
  absl::Duration apply = absl::Microseconds(20);
  int drop_per_mille = 0;
  int duplicate_per_mille = 0;
  int delay_per_mille = 0;  // a message that takes up to 200 ms
  bool drift = false;       // clocks run up to 1 % fast or slow
  std::function<void(Options&)> tune;
  // The founding configuration; all nodes vote if empty.
  std::optional<Configuration> founded;
};

// What a disk holds after a crash.
struct Disk {
  HardState hard_state;
  LogPosition base;
  ConfigurationAt base_configuration;
  std::vector<Entry> entries;  // behind base
  // The tables of the state machine, as far as they were flushed.
  LogPosition flushed;

  LogIndex last() const { return LogIndex(base.index.value + entries.size()); }
  const Entry* Find(LogIndex index) const;
  void Write(const Persist& persist);
};

class World {
 public:
  explicit World(WorldOptions options = {});
  ~World();

  // --- Time ---
  void Run(absl::Duration duration);
  // False if `done` was not true within `limit`.
  bool RunUntil(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(10));
  // One event; false if none is left.
  bool RunOne();
  absl::Duration elapsed() const { return now_ - MonoTime{}; }

  // --- Nodes: numbered from 1, named n1, n2, ... ---
  static NodeId Name(int node);
  Core& core(int node);
  const Disk& disk(int node) const { return nodes_[node].disk; }
  Disk& mutable_disk(int node) { return nodes_[node].disk; }
  bool IsUp(int node) const { return nodes_[node].core != nullptr; }
  int size() const { return options_.nodes; }
  // The leader of the largest term among the nodes that are up; 0 if there is none.
  int Leader() const;
  // Waits for a leader that has applied its first entry, and asserts that there comes one.
  int AwaitLeader(absl::Duration limit = absl::Seconds(10));
  bool AwaitApplied(LogIndex index,
                    absl::Duration limit = absl::Seconds(10));  // by all that are up
  const std::vector<Entry>& applied(int node) const { return nodes_[node].applied; }
  std::vector<std::string> AppliedCommands(int node) const;

  void Crash(int node);    // loses what was not synced, or keeps a prefix of it
  void Restart(int node);  // with the disk that it left
  void RestartWithEmptyDisk(int node, DiskId disk);
  void StallDisk(int node) { nodes_[node].stalled = true; }
  void ResumeDisk(int node);
  void Flush(int node);                  // the state machine's tables
  void Cut(int node, LogIndex through);  // flushes, then cuts the log

  // --- Requests ---
  ProposalId Propose(int node, const std::string& command);
  std::vector<ProposalId> ProposeMany(int node, const std::vector<std::string>& commands);
  ReadId Read(int node);
  TransferId Transfer(int node, int target);  // 0: the most caught-up
  ProposalId Change(int node, std::vector<MemberChange> changes);
  void Step(int node, Event event);

  enum class Outcome { kPending, kCommitted, kRefused, kUnknown };
  Outcome outcome(ProposalId id) const;
  std::optional<ProposalFailure> failure(ProposalId id) const;
  std::optional<LogIndex> read_index(ReadId id) const;
  std::optional<ReadFailure> read_failure(ReadId id) const;
  std::optional<TransferOutcome> transfer_outcome(TransferId id) const;
  // Proposes and runs until it is committed.
  bool Commit(int node, const std::string& command);

  // --- Network ---
  void Isolate(int node);
  void CutLink(int from, int to);  // one way
  void Partition(const std::vector<int>& a, const std::vector<int>& b);
  void Heal() { cut_links_.clear(); }
  // The filter sees every message that is sent; true drops it. Empty: none.
  void DropIf(std::function<bool(const Message&)> filter) { drop_if_ = std::move(filter); }
  // Sees every message that is delivered.
  void OnDeliver(std::function<void(const Message&)> observer) { observer_ = std::move(observer); }
  void Deliver(Message message);  // at once, as if it came from the network
  void SetNoise(int drop_per_mille, int duplicate_per_mille, int delay_per_mille);
  // Messages held by DropIf's sibling: kept instead of dropped, for the test to deliver later.
  std::vector<Message> TakeHeld() { return std::exchange(held_, {}); }
  void HoldIf(std::function<bool(const Message&)> filter) { hold_if_ = std::move(filter); }

  Random& random() { return random_; }
  std::string Describe() const;  // one line of state per node
  uint64_t events() const { return events_; }
  uint64_t messages_sent() const { return messages_sent_; }
  MonoTime LocalNow(int node) const { return Local(nodes_[node], now_); }
  // Everything that was ever committed, by index; index 1 stands at [0].
  const std::map<LogIndex, Entry>& truth() const { return truth_; }

 private:
  struct Node {
    NodeId id;
    DiskId disk_id;
    std::unique_ptr<Core> core;
    uint64_t life = 0;  // counts starts: what was posted in an earlier one is void
    Disk disk;
    bool stalled = false;
    bool wiped = false;          // it once lost its disk
    std::deque<Persist> writes;  // not done; the first is under way
    bool writing = false;
    IoSeq done;
    std::deque<Send> held;       // waiting for a write
    std::vector<Entry> applied;  // since index 1, as far as known
    LogIndex applied_through;
    LogIndex applying_through;
    int64_t offset = 0;
    int64_t drift_ppm = 0;
    MonoTime deadline = MonoTime::Infinite();  // true time of the one that is posted
    // For checks across restarts.
    LogIndex seen_commit;
    std::map<Term, NodeId> votes;
  };
  struct Happening {
    MonoTime at;
    uint64_t sequence = 0;
    std::function<void()> run;
  };
  struct Later {
    bool operator()(const Happening& a, const Happening& b) const {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };
  struct PendingRead {
    LogIndex at_least;
    std::optional<LogIndex> index;
    std::optional<ReadFailure> failure;
  };
  struct PendingProposal {
    std::string command;
    std::optional<LogPosition> at;
    std::optional<ProposalFailure> failure;
    int node = 0;
  };

  void Post(absl::Duration after, std::function<void()> run);
  void PostAt(MonoTime at, std::function<void()> run);
  void PostTo(int node, absl::Duration after, std::function<void(Node&)> run);
  MonoTime Local(const Node& node, MonoTime true_time) const;
  MonoTime True(const Node& node, MonoTime local) const;
  int Number(const NodeId& id) const;
  void Start(int node);
  void Pump(int node);
  void Act(int node, Effects& effects);
  void StartWrite(int node);
  void FinishWrite(int node);
  void Transmit(Message message);
  void Apply(int node, ApplyRange range);
  void AnswerFetch(int node, const FetchEntries& fetch);
  void StartSnapshot(int node, const SendSnapshot& wanted);
  void InstallSnapshotAt(int node, const SnapshotMeta& meta);

  // world_checks.cc
  void CheckNode(int node);
  void CheckSend(const Node& node, const Message& message);
  void CheckLeader(int node);
  void CheckMatches(const Node& leader);
  void CheckDisk(const Node& node) const;
  void CheckLeases();
  void CheckApplied(int node, const Entry& entry);
  bool IsOnQuorum(const Configuration& configuration, const Entry& entry) const;
  void CheckReadIndex(const PendingRead& read);

  WorldOptions options_;
  Random random_;
  MonoTime now_{};
  uint64_t sequence_ = 0;
  uint64_t events_ = 0;
  uint64_t messages_sent_ = 0;
  std::priority_queue<Happening, std::vector<Happening>, Later> heap_;
  std::vector<Node> nodes_;  // [0] is unused
  std::set<std::pair<int, int>> cut_links_;
  std::function<bool(const Message&)> drop_if_;
  std::function<bool(const Message&)> hold_if_;
  std::function<void(const Message&)> observer_;
  std::vector<Message> held_;

  std::map<ProposalId, PendingProposal> proposals_;
  std::map<ReadId, PendingRead> reads_;
  std::map<TransferId, TransferOutcome> transfers_;
  uint64_t last_id_ = 0;

  std::map<LogIndex, Entry> truth_;  // what was committed, as first applied anywhere
  LogIndex acknowledged_;            // the last index of it
  std::map<Term, NodeId> leaders_;   // every leader that there ever was
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_RAFT_CLUSTER_HARNESS_H_
