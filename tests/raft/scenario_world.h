// The stage of a scenario: a few replicas, the links between them, their disks and one clock, all
// of which stand still until a command moves them. Everything that happens is written down in the
// words of raft/print.h, and after each event what must hold in all of it is asserted. A node that
// is only named ("phantom") has no core: the scenario speaks for it. For tests only.
#ifndef SCHEDULED_TESTS_RAFT_SCENARIO_WORLD_H_
#define SCHEDULED_TESTS_RAFT_SCENARIO_WORLD_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/cluster_harness.h"
#include "raft/core.h"

namespace scheduled::raft {

class ScenarioWorld {
 public:
  // Which messages are meant: an empty name or kind stands for any.
  struct Which {
    std::string from;
    std::string to;
    std::string kind;
    bool first = false;  // the oldest of them alone
    bool last = false;   // the newest of them alone
  };
  // What a node has on its disk before it starts.
  struct Past {
    std::vector<uint64_t> log;  // the terms of the entries behind `base`
    LogPosition base;
    uint64_t term = 0;
    std::string vote;
    uint64_t applied = 0;
    std::map<uint64_t, Configuration> members;  // entries of the log that hold a configuration
  };

  // --- Before the nodes start ---
  void AddNode(const std::string& name, DiskId disk, bool phantom);
  void Found(const Configuration& configuration, const std::string& only = "");
  void SetPast(const std::string& name, const Past& past);
  Options& options() { return options_; }
  void StartAll();

  // --- Time ---
  void PassTime(absl::Duration duration) { now_ = now_ + duration; }
  void Wait(const std::string& node);  // until its next deadline, which no other node notices
  void Run(absl::Duration duration);   // deadlines as they come, messages at once
  void Elect(const std::string& node, const std::vector<std::string>& phantoms);

  // --- Network ---
  void Deliver(const Which& which);
  void Drop(const Which& which);
  void Duplicate(const Which& which);
  void Delay(const Which& which);  // set aside until Arrive
  void Arrive();
  void CutLink(const std::string& from, const std::string& to) { cut_.insert({from, to}); }
  void Isolate(const std::string& node);
  void Heal() { cut_.clear(); }

  // --- Nodes ---
  void Crash(const std::string& node, size_t surviving_writes);
  void Restart(const std::string& node);
  void Wipe(const std::string& node, DiskId disk);
  void SetDiskSlow(const std::string& node, bool slow);
  void Sync(const std::string& node, size_t writes);
  // The word that write `io_seq` is done comes, before or behind that of the ones before it.
  void Done(const std::string& node, IoSeq io_seq);
  void SetApplySlow(const std::string& node, bool slow) { Find(node).slow_apply = slow; }
  void SetFetchSlow(const std::string& node, bool slow) { Find(node).slow_fetch = slow; }
  void AnswerFetch(const std::string& node, bool found);
  void Applied(const std::string& node, LogIndex through);
  void CutLog(const std::string& node, LogIndex through);
  void SendSnapshot(const std::string& from, const std::string& to);
  void Install(const std::string& node);
  void RefuseInstall(const std::string& node);
  void Step(const std::string& node, Event event);
  uint64_t NextId() { return ++last_id_; }
  bool IsUp(const std::string& node) const;
  Term TermOf(const std::string& node) { return CoreOf(node).term(); }
  // Nobody says which disk it is on.
  void ForgetDisks() {
    for (Node& node : nodes_) node.disk_id = DiskId();
  }
  DiskId DiskOf(const std::string& node) { return Find(node).disk_id; }

  // --- What there is to see ---
  void Show();
  void ShowPeers(const std::string& node);
  void ShowMembers(const std::string& node);
  void ShowLease(const std::string& node);
  void ShowDropped(const std::string& node);
  void ShowWaiting();  // messages on their way

  void Line(const std::string& text) { output_ += std::string(indent_, ' ') + text + "\n"; }
  std::string TakeOutput() { return std::exchange(output_, {}); }

 private:
  struct Node {
    std::string name;
    bool phantom = false;
    DiskId disk_id;
    uint64_t starts = 0;
    Disk disk;
    std::unique_ptr<Core> core;
    MonoTime deadline = MonoTime::Infinite();
    bool slow_disk = false;
    bool slow_apply = false;
    bool slow_fetch = false;
    std::deque<Persist> writes;
    std::deque<Send> held;  // for a write
    IoSeq done;
    std::optional<ApplyRange> apply;
    std::deque<FetchEntries> fetches;
    std::optional<InstallSnapshot> install;
  };

  Node& Find(const std::string& name);
  Core& CoreOf(const std::string& name);
  void Start(Node& node);
  void Pump(Node& node);
  void Act(Node& node, Effects& effects);
  void FinishWrite(Node& node);
  void Release(Node& node);
  void Transmit(Message message);
  void Receive(Message message);
  void CheckNode(Node& node);
  std::vector<size_t> Matching(const Which& which) const;
  std::string Picture(Node& node);
  // Writes `header` before what `what` has to say, if it says anything.
  void Under(const std::string& header, bool always, const std::function<void()>& what);

  Options options_;
  MonoTime now_{1'000'000'000};
  std::vector<Node> nodes_;
  std::deque<Message> network_;
  std::vector<Message> delayed_;
  std::set<std::pair<std::string, std::string>> cut_;
  uint64_t last_id_ = 0;
  std::map<LogIndex, Entry> committed_;  // as first applied anywhere
  std::map<Term, std::string> leaders_;
  size_t indent_ = 4;
  std::string output_;
};

// What a kind of message is called in commands and headers.
std::string KindOf(const MessageBody& body);

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_RAFT_SCENARIO_WORLD_H_
