// One replica of the explored group: the real core, its disk, the writes that are under way, the
// messages that wait for one, and what it has applied. A value: a step is taken by a copy. What a
// single node can be checked for by itself is checked here, with each step.
#ifndef SCHEDULED_TESTS_EXPLORE_RAFT_NODE_H_
#define SCHEDULED_TESTS_EXPLORE_RAFT_NODE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "explore/raft_messages.h"
#include "raft/core.h"

namespace scheduled::explore {

inline constexpr int kNodes = 3;
// The longest log; a node's own is shorter than this unless a continuation goes on and on.
inline constexpr size_t kMaxLog = 24;

// What may happen to one node. `argument` is the message, the number of the proposal, the target of
// a transfer, or of a crash how many of the writes under way it leaves and whether the tables stay.
enum class NodeEventKind : uint8_t {
  kDeliver,
  kPersist,   // the oldest write is done, and the core hears of it
  kApply,     // all that was handed out is applied
  kDeadline,  // the timer that the core asked for
  kPropose,
  kTransfer,
  kTick,  // time passes, for all nodes alike
  kCrash,
  kRestart,
};
struct NodeEvent {
  NodeEventKind kind = NodeEventKind::kTick;
  uint32_t argument = 0;
};
inline constexpr uint32_t kKeepsTables = 0x100;

// What others may know of a node: all that the checks of a whole state look at.
struct NodeSummary {
  bool up = false;
  bool leads = false;
  bool busy = false;    // a write is under way
  bool behind = false;  // something is handed out and not applied
  bool due = false;     // its timer
  uint8_t writes = 0;
  uint8_t term = 0;  // of the core; of the disk if it is down
  uint8_t commit = 0;
  uint8_t applied = 0;
  uint8_t term_start = 0;  // leader
  uint8_t lease = 0;       // leader: ticks for which its lease holds still
  uint8_t match[kNodes] = {};
  uint8_t disk_term = 0;
  uint8_t disk_size = 0;
  uint8_t log_size = 0;  // 0 if it is down
  // An entry as one number: its term and which proposal, 0 for a no-op.
  uint8_t disk[kMaxLog] = {};
  uint8_t log[kMaxLog] = {};
};

class Replica {
 public:
  // A node that was never in use; its timers are due.
  static Replica First(int self, bool applies_at_once);

  // Does what the event says and all that follows at once. Messages that leave are added to `sent`.
  void Take(NodeEvent event, Messages* messages, std::vector<MessageId>* sent);

  int self() const { return self_; }
  std::string Fingerprint() const;
  NodeSummary Summary() const;
  std::string Describe() const;

 private:
  struct Disk {
    raft::HardState hard_state;
    std::vector<raft::Entry> entries;  // from index 1 on
  };
  struct Held {
    raft::IoSeq after;
    MessageId message = 0;
    bool operator==(const Held&) const = default;
  };
  struct RoundSent {
    raft::Round round;
    MonoTime at;
  };

  void Boot();
  void Crash(uint32_t kept);
  void Step(raft::Event event, Messages* messages, std::vector<MessageId>* sent);
  void Obey(raft::Effects& effects, Messages* messages, std::vector<MessageId>* sent);
  void Answer(const raft::FetchEntries& fetch);
  void WriteOldest();
  void CheckCore(const raft::Status& before) const;
  void CheckSend(const raft::Message& message) const;
  raft::Message Localized(raft::Message message) const;
  LogIndex disk_last() const { return LogIndex(disk_.entries.size()); }

  int self_ = 0;
  bool applies_at_once_ = false;
  std::optional<raft::Core> core_;  // none: down
  MonoTime now_;
  MonoTime deadline_ = MonoTime::Infinite();
  Disk disk_;
  std::vector<raft::Persist> writes_;  // oldest first
  std::vector<Held> held_;
  std::vector<raft::Entry> log_;  // as the core has it, from index 1 on
  LogIndex handed_out_;           // to be applied
  LogIndex applied_;              // by the tables, which are written with it
  std::vector<RoundSent> rounds_;
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_RAFT_NODE_H_
