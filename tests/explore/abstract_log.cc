// See abstract_log.h.
#include "explore/abstract_log.h"

#include <algorithm>
#include <utility>

#include "explore/finding.h"

namespace scheduled::explore {

void AbstractLog::Join(Seat* seat) {
  seats_[static_cast<size_t>(seat->node)] = seat;
  CatchUp(seat);
}

// What it proposed may survive it; nobody is told of its end any more.
void AbstractLog::Leave(Seat* seat) {
  seats_[static_cast<size_t>(seat->node)] = nullptr;
  if (leader_ == seat->node) leader_ = -1;
  std::erase_if(proposals_,
                [&](const Proposal& each) { return each.node == seat->node && each.term < term_; });
  for (Proposal& proposal : proposals_) {
    if (proposal.node == seat->node) proposal.done = nullptr;
  }
}

void AbstractLog::Propose(Seat* seat, std::string command,
                          Completion<absl::StatusOr<Applied>> done) {
  if (!seat->leads) {
    seat->parts.completions->Post([done = std::move(done)]() mutable {
      std::move(done)(absl::UnavailableError("this node does not lead"));
    });
    return;
  }
  proposals_.push_back({seat->node, seat->believes, std::move(command), std::move(done)});
}

size_t AbstractLog::pending() const {
  return static_cast<size_t>(
      std::count_if(proposals_.begin(), proposals_.end(),
                    [this](const Proposal& proposal) { return proposal.term == term_; }));
}

bool AbstractLog::CanCommit() const { return leader_ >= 0 && pending() > 0; }

std::string AbstractLog::CatchUp(Seat* seat) {
  std::string last;
  while (seat->parts.state_machine->applied().index.value < entries_.size()) {
    const LogIndex index(seat->parts.state_machine->applied().index.value + 1);
    const Entry& entry = entries_[index.value - 1];
    const Command command{index, 0, entry.term, entry.command};
    const std::span<const Command> commands(&command, entry.command.empty() ? 0 : 1);
    auto answers = seat->parts.state_machine->Apply(commands, {index, entry.term});
    if (!answers.ok()) throw Finding{"Apply fails: " + answers.status().ToString()};
    if (!answers->empty()) last = answers->back();
  }
  return last;
}

void AbstractLog::Commit() {
  const auto next = std::find_if(proposals_.begin(), proposals_.end(),
                                 [this](const Proposal& each) { return each.term == term_; });
  Proposal proposal = std::move(*next);
  proposals_.erase(next);
  Seat* seat = seats_[static_cast<size_t>(leader_)];
  entries_.push_back({term_, proposal.command});
  const std::string answer = CatchUp(seat);
  on_applied(leader_, proposal.command, answer);
  const LogIndex index(entries_.size());
  seat->parts.completions->Post([done = std::move(proposal.done), index, answer]() mutable {
    std::move(done)(Applied{index, 0, answer});
  });
  for (Seat* other : seats_) {
    if (other != nullptr && other != seat && !HasNews(other->node)) CatchUp(other);
  }
}

void AbstractLog::Elect(int node, size_t survivors) {
  const Term old = term_;
  term_ = term_.Next();
  leader_ = node;
  std::vector<std::string> survived;
  for (const Proposal& proposal : proposals_) {
    if (proposal.term == old && survived.size() < survivors) survived.push_back(proposal.command);
  }
  for (std::string& command : survived) entries_.push_back({old, std::move(command)});
  entries_.push_back({term_, ""});
  std::erase_if(proposals_, [](const Proposal& proposal) { return proposal.done == nullptr; });
  Hear(node);
}

bool AbstractLog::HasNews(int node) const {
  const Seat* seat = seats_[static_cast<size_t>(node)];
  return seat != nullptr && seat->believes < term_ && leader_ >= 0;
}

void AbstractLog::Hear(int node) {
  Seat* seat = seats_[static_cast<size_t>(node)];
  const bool led = std::exchange(seat->leads, leader_ == node);
  const Term before = std::exchange(seat->believes, term_);
  StateMachine* machine = seat->parts.state_machine;
  if (led) machine->OnLeading(false, before);
  std::vector<Completion<absl::StatusOr<Applied>>> lost;
  for (Proposal& proposal : proposals_) {
    if (proposal.node == node && proposal.term < term_) lost.push_back(std::move(proposal.done));
  }
  std::erase_if(proposals_, [&](const Proposal& p) { return p.node == node && p.term < term_; });
  RoleChange change{seat->leads ? Role::kLeader : Role::kFollower, term_, Name(leader_)};
  seat->parts.completions->Post([seat, change, lost = std::move(lost)]() mutable {
    seat->on_role(change);
    for (auto& done : lost) std::move(done)(absl::UnknownError("the leadership was lost"));
  });
  CatchUp(seat);
  if (seat->leads) machine->OnLeading(true, term_);
}

}  // namespace scheduled::explore
