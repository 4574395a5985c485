// Raft as its users see it, without Raft: one committed sequence of commands, somebody who leads,
// and changes of both as steps that the explorer takes. In this program it stands in the place of
// the library's RaftNode (abstract_raft_node.cc defines that class's methods), so that whole nodes
// of lib/scheduler run over it unchanged. What it promises is what Raft does:
//
//   - Only the leader of the newest term commits. What an older one has proposed and not committed
//     survives into the new term as a prefix, or not at all; its proposer is told "unknown".
//   - A leader has its lease until the next one is elected, and no two have it at once. One that
//     was replaced goes on believing that it leads until it hears.
//   - A new leader has applied everything, its term's first entry included, before it is told.
#ifndef SCHEDULED_TESTS_EXPLORE_ABSTRACT_LOG_H_
#define SCHEDULED_TESTS_EXPLORE_ABSTRACT_LOG_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "consensus/raft_parts.h"
#include "scheduled/raft_node.h"

namespace scheduled::explore {

inline constexpr int kPair = 2;

class AbstractLog {
 public:
  // One node's end of it; made by RaftNode, for as long as it lives.
  struct Seat {
    int node = 0;
    RaftParts parts;
    std::function<void(const RoleChange&)> on_role;
    std::function<void(const NodeId&, std::string)> on_frame;
    Term believes;       // the newest term that it was told of
    bool leads = false;  // in it
  };
  struct Entry {
    Term term;
    std::string command;  // empty: a leader's first entry
  };
  struct Proposal {
    int node = 0;
    Term term;
    std::string command;
    Completion<absl::StatusOr<Applied>> done;
  };

  std::function<void(int from, int to, std::string frame)> on_send;
  // Each proposal as it is applied where it was made, before that node hears of it.
  std::function<void(int node, const std::string& command, const std::string& answer)> on_applied;

  // --- For RaftNode ---
  void Join(Seat* seat);
  void Leave(Seat* seat);
  void Propose(Seat* seat, std::string command, Completion<absl::StatusOr<Applied>> done);
  bool HasLease(const Seat* seat) const {
    return seat->leads && seat->believes == term_ && leader_ == seat->node;
  }

  // --- Steps ---
  // The leader's oldest proposal is committed, applied and answered.
  void Commit();
  bool CanCommit() const;
  // `node` leads a new term; the first `survivors` of the old leader's proposals are in its log.
  void Elect(int node, size_t survivors);
  // `node` hears who leads.
  void Hear(int node);
  bool HasNews(int node) const;

  Term term() const { return term_; }
  int leader() const { return leader_; }  // -1: nobody, or it is down
  // Proposals of the leader that are not committed.
  size_t pending() const;
  const std::deque<Proposal>& proposals() const { return proposals_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const Seat* seat(int node) const { return seats_[static_cast<size_t>(node)]; }

  static NodeId Name(int node) { return NodeId(node == 0 ? "n1" : "n2"); }

 private:
  // Applies what the node has not; the answer to the last command.
  std::string CatchUp(Seat* seat);

  Term term_;
  int leader_ = -1;
  std::vector<Entry> entries_;  // index 1 stands at [0]
  std::deque<Proposal> proposals_;
  std::array<Seat*, kPair> seats_ = {};
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_ABSTRACT_LOG_H_
