// The short history of configurations that a truncation can bring back.
#include "raft/membership.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"

namespace scheduled::raft {
namespace {

// Nobody replaces it any more either: it may come again, and is to stay then.
void RemoveVoter(Configuration& configuration, const NodeId& id) {
  std::erase_if(configuration.voters, [&](const Member& each) { return each.id == id; });
  for (Learner& learner : configuration.learners) {
    if (learner.replaces == id) learner.replaces = NodeId();
  }
}
void RemoveLearner(Configuration& configuration, const NodeId& id) {
  std::erase_if(configuration.learners, [&](const Learner& each) { return each.member.id == id; });
}
std::vector<Member>::const_iterator FindById(const std::vector<Member>& members, const NodeId& id) {
  return std::find_if(members.begin(), members.end(),
                      [&](const Member& each) { return each.id == id; });
}
bool HasVoter(const Configuration& configuration, const NodeId& id) {
  return FindById(configuration.voters, id) != configuration.voters.end();
}

// By one node at a time: two that replace one voter would make one voter more.
bool CanBeReplaced(const Configuration& target, const MemberChange& change) {
  if (!HasVoter(target, change.replaces)) return false;
  return std::none_of(target.learners.begin(), target.learners.end(), [&](const Learner& each) {
    return each.replaces == change.replaces && each.member.id != change.member.id;
  });
}

// A voter stays one, under a new address; anybody else begins as a learner.
bool AddVoter(Configuration& target, const MemberChange& change) {
  const auto voter = std::find_if(target.voters.begin(), target.voters.end(),
                                  [&](const Member& m) { return m.id == change.member.id; });
  if (voter != target.voters.end()) {
    if (voter->disk != change.member.disk || change.kind == MemberChangeKind::kReplace)
      return false;
    voter->address = change.member.address;
    return true;
  }
  if (change.kind == MemberChangeKind::kReplace && !CanBeReplaced(target, change)) return false;
  RemoveLearner(target, change.member.id);
  target.learners.push_back(Learner{
      change.member, true, change.kind == MemberChangeKind::kReplace ? change.replaces : NodeId()});
  return true;
}

bool Apply(Configuration& target, const MemberChange& change) {
  switch (change.kind) {
    case MemberChangeKind::kAddVoter:
    case MemberChangeKind::kReplace:
      return AddVoter(target, change);
    case MemberChangeKind::kAddLearner: {
      const Member* known = target.Find(change.member.id);
      if (known != nullptr && known->disk != change.member.disk) return false;
      RemoveVoter(target, change.member.id);
      RemoveLearner(target, change.member.id);
      target.learners.push_back(Learner{change.member, false, NodeId()});
      return true;
    }
    case MemberChangeKind::kRemove:
      if (!target.IsMember(change.member.id)) return false;
      RemoveVoter(target, change.member.id);
      RemoveLearner(target, change.member.id);
      return true;
  }
  return false;
}

}  // namespace

std::optional<Configuration> Changed(const Configuration& current,
                                     const std::vector<MemberChange>& changes) {
  SCHEDULED_ASSERT(!current.IsJoint(), "one change of members at a time");
  Configuration target = current;
  for (size_t i = 0; i < changes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (changes[i].member.id == changes[j].member.id) return std::nullopt;
    }
    if (!Apply(target, changes[i])) return std::nullopt;
  }
  target.Sort();
  if (target == current || !target.IsWellFormed()) return std::nullopt;
  return target;
}

Configuration StepTo(const Configuration& current, Configuration target) {
  const bool same_voters = std::equal(
      current.voters.begin(), current.voters.end(), target.voters.begin(), target.voters.end(),
      [](const Member& a, const Member& b) { return a.id == b.id && a.disk == b.disk; });
  if (!same_voters) target.old_voters = current.voters;
  return target;
}

Configuration WithoutOldVoters(const Configuration& joint) {
  Configuration target = joint;
  target.old_voters.clear();
  return target;
}

Configuration Promoted(const Configuration& current, const std::vector<Member>& ready) {
  Configuration target = current;
  for (const Learner& learner : current.learners) {
    const auto found = FindById(ready, learner.member.id);
    if (found == ready.end()) continue;
    RemoveLearner(target, learner.member.id);
    RemoveVoter(target, learner.replaces);
    Member& voter = target.voters.emplace_back(learner.member);
    if (voter.disk.value == 0) voter.disk = found->disk;
  }
  target.Sort();
  return target;
}

Configuration WithDisks(const Configuration& current, const std::vector<Member>& spoken) {
  SCHEDULED_ASSERT(!current.IsJoint(), "one change of members at a time");
  Configuration target = current;
  for (Member& voter : target.voters) {
    const auto found = FindById(spoken, voter.id);
    if (voter.disk.value == 0 && found != spoken.end()) voter.disk = found->disk;
  }
  return target;
}

Membership::Membership(std::vector<ConfigurationAt> history, LogIndex applied)
    : history_(std::move(history)) {
  if (history_.empty() || history_.front().index > applied) history_.emplace(history_.begin());
  for (size_t i = 1; i < history_.size(); ++i) {
    SCHEDULED_ASSERT(history_[i - 1].index < history_[i].index, "configurations are in log order");
  }
}

std::span<const ConfigurationAt> Membership::Since(LogIndex index) const {
  const auto later =
      std::find_if(history_.begin(), history_.end(),
                   [index](const ConfigurationAt& each) { return each.index > index; });
  SCHEDULED_ASSERT(later != history_.begin(), "what counts at an index that is not cut is known");
  return std::span(std::prev(later), history_.end());
}

const Member* Membership::VoterSince(const NodeId& id, LogIndex commit) const {
  const Member* member = nullptr;
  for (const ConfigurationAt& each : Since(commit)) {
    if (each.configuration.IsVoter(id)) member = each.configuration.Find(id);
  }
  return member;
}

bool Membership::IsVoterThroughout(const NodeId& id, LogIndex commit) const {
  const auto since = Since(commit);
  return std::all_of(since.begin(), since.end(),
                     [&](const ConfigurationAt& each) { return each.configuration.IsVoter(id); });
}

void Membership::Append(ConfigurationAt configuration) {
  SCHEDULED_ASSERT(configuration.index > current_index(), "configurations are in log order");
  SCHEDULED_ASSERT(configuration.configuration.IsWellFormed(), "a configuration makes sense");
  history_.push_back(std::move(configuration));
}

bool Membership::TruncateFrom(LogIndex index) {
  const size_t before = history_.size();
  while (history_.size() > 1 && history_.back().index >= index) history_.pop_back();
  SCHEDULED_ASSERT(history_.back().index < index || history_.back().index.value == 0,
                   "the configuration that counts is never truncated away");
  return history_.size() != before;
}

void Membership::CutThrough(LogIndex index) {
  while (history_.size() > 1 && history_[1].index <= index) history_.erase(history_.begin());
}

void Membership::ResetTo(ConfigurationAt configuration) {
  history_.clear();
  history_.push_back(std::move(configuration));
}

}  // namespace scheduled::raft
