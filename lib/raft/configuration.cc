// Look-ups in lists of at most fifteen members: a walk is as fast as anything.
#include "raft/configuration.h"

#include <algorithm>

namespace scheduled::raft {
namespace {

const Member& MemberOf(const Member& member) { return member; }
const Member& MemberOf(const Learner& learner) { return learner.member; }

template <typename List>
const Member* FindIn(const List& list, const NodeId& id) {
  for (const auto& each : list) {
    if (MemberOf(each).id == id) return &MemberOf(each);
  }
  return nullptr;
}

template <typename List>
bool IsOrderly(const List& list, size_t most) {
  if (list.size() > most) return false;
  for (size_t i = 0; i < list.size(); ++i) {
    const Member& member = MemberOf(list[i]);
    if (member.id.empty() || member.id.value.size() > kMaxNodeIdBytes) return false;
    if (member.address.size() > kMaxAddressBytes) return false;
    if (i > 0 && !(MemberOf(list[i - 1]).id < member.id)) return false;
  }
  return true;
}

}  // namespace

bool Configuration::IsVoter(const NodeId& id) const {
  return FindIn(voters, id) != nullptr || FindIn(old_voters, id) != nullptr;
}

bool Configuration::IsMember(const NodeId& id) const { return Find(id) != nullptr; }

bool Configuration::IsSoleVoter(const NodeId& id) const {
  return voters.size() == 1 && voters.front().id == id && old_voters.empty();
}

const Member* Configuration::Find(const NodeId& id) const {
  if (const Member* member = FindIn(voters, id)) return member;
  if (const Member* member = FindIn(old_voters, id)) return member;
  return FindIn(learners, id);
}

std::vector<NodeId> Configuration::Ids() const {
  std::vector<NodeId> ids;
  for (const Member& member : voters) ids.push_back(member.id);
  for (const Member& member : old_voters) ids.push_back(member.id);
  for (const Learner& learner : learners) ids.push_back(learner.member.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

void Configuration::Sort() {
  const auto by_id = [](const auto& a, const auto& b) { return MemberOf(a).id < MemberOf(b).id; };
  std::sort(voters.begin(), voters.end(), by_id);
  std::sort(old_voters.begin(), old_voters.end(), by_id);
  std::sort(learners.begin(), learners.end(), by_id);
}

bool Configuration::IsWellFormed() const {
  if (voters.empty() || !IsOrderly(voters, kMaxVoters) || !IsOrderly(old_voters, kMaxVoters) ||
      !IsOrderly(learners, kMaxLearners)) {
    return false;
  }
  for (const Learner& learner : learners) {
    if (FindIn(voters, learner.member.id) != nullptr) return false;
    if (learner.replaces.value.size() > kMaxNodeIdBytes) return false;
    if (!learner.replaces.empty() && !learner.promote) return false;
  }
  for (const Member& old : old_voters) {
    const Member* now = FindIn(voters, old.id);
    if (now == nullptr) now = FindIn(learners, old.id);
    if (now != nullptr && now->disk != old.disk) return false;
  }
  return true;
}

}  // namespace scheduled::raft
