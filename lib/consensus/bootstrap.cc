// See bootstrap.h: the questions, what is made of the answers, and when to ask again.
#include "consensus/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace scheduled {
namespace {

std::string Join(const std::vector<NodeId>& ids) {
  std::string text;
  for (const NodeId& id : ids) text += (text.empty() ? "" : ", ") + id.value;
  return text;
}

absl::Status Refuse(const std::string& why) {
  return absl::FailedPreconditionError(absl::string_view(why.data(), why.size()));
}

}  // namespace

Bootstrap::Bootstrap(raft::Member self, std::map<NodeId, std::string> peers)
    : self_(std::move(self)), peers_(std::move(peers)) {
  SCHEDULED_ASSERT(peers_.contains(self_.id), "a node is one of its own peers");
}

bool Bootstrap::IsFounder() const { return peers_.begin()->first == self_.id; }

void Bootstrap::BeginRound() {
  if (!HasMajority()) majority_since_ = MonoTime::Infinite();
  answers_.clear();
}

void Bootstrap::Answered(MonoTime now, const NodeId& from, const TellData& answer) {
  if (from == self_.id || !peers_.contains(from)) return;
  if (answer.has_data) {
    found_data_ = true;
    return;
  }
  answers_[from] = answer;
  if (HasMajority()) majority_since_ = std::min(majority_since_, now);
}

bool Bootstrap::MayFound(MonoTime now) const {
  if (!IsFounder() || found_data_ || !HasMajority()) return false;
  return answers_.size() + 1 == peers_.size() || now >= majority_since_ + kFoundingPatience;
}

raft::Configuration Bootstrap::Founding() const {
  raft::Configuration configuration;
  for (const auto& [id, address] : peers_) {
    raft::Member member{id, address, {}};
    if (id == self_.id) member.disk = self_.disk;
    if (auto answer = answers_.find(id); answer != answers_.end()) {
      member.disk = answer->second.disk;
    }
    configuration.voters.push_back(std::move(member));
  }
  configuration.Sort();
  SCHEDULED_ASSERT(configuration.IsWellFormed(), "peers were validated");
  return configuration;
}

absl::Status CheckMembers(const NodeId& self, const std::map<NodeId, std::string>& peers,
                          const raft::Configuration& stored) {
  if (stored.empty()) return absl::OkStatus();
  const std::vector<NodeId> stored_ids = stored.Ids();
  if (!stored.IsMember(self)) {
    return Refuse(fmt::format("this data belongs to the group of {}, and node '{}' is not in it",
                              Join(stored_ids), self.value));
  }
  if (peers.empty()) return absl::OkStatus();
  std::vector<NodeId> ids;
  for (const auto& [id, address] : peers) ids.push_back(id);
  if (ids == stored_ids) return absl::OkStatus();
  if (stored_ids.size() == 1 && ids.size() > 1) {
    return Refuse(fmt::format(
        "this data belongs to a group of one, node '{}': growing it to {} takes a change of its "
        "members, not another list of peers; start without peers, or with an empty data directory",
        self.value, Join(ids)));
  }
  return Refuse(fmt::format(
      "this data belongs to the group of {}, not to that of {}: the members of a group change "
      "while it runs, not by another list of peers",
      Join(stored_ids), Join(ids)));
}

}  // namespace scheduled
