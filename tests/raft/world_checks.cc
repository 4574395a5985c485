// What must hold in the whole world after every event, whatever goes wrong in it. Asserted, so that
// a failure stops where it happens; the random schedules turn it into a message with the seed.
#include <algorithm>

#include "base/assert.h"
#include "raft/cluster_harness.h"
#include "raft/codec.h"

namespace scheduled::raft {

// A node's own figures, and what never goes back.
void World::CheckNode(int number) {
  Node& node = nodes_[number];
  node.core->CheckInvariants();
  const Status status = node.core->status();
  SCHEDULED_ASSERT(status.dropped_malformed == 0, "correct peers send nothing malformed");
  SCHEDULED_ASSERT(status.commit >= node.seen_commit, "commit never goes back");
  node.seen_commit = status.commit;
  if (status.role == Role::kLeader) CheckLeader(number);
}

// One leader in a term, and it has everything that was committed before.
void World::CheckLeader(int number) {
  const Node& node = nodes_[number];
  const auto [known, fresh] = leaders_.try_emplace(node.core->term(), node.id);
  SCHEDULED_ASSERT(known->second == node.id, "one leader in a term");
  SCHEDULED_ASSERT(node.disk.hard_state.term >= node.core->term(),
                   "a leader's term and vote are durable");
  CheckMatches(node);
  if (!fresh) return;
  for (const auto& [index, entry] : truth_) {
    // Its votes may have been on the way for long: of what came in later terms it knows nothing.
    if (entry.term > node.core->term()) break;
    const std::optional<Term> term = node.core->TermAt(index);
    // What is cut was applied here, and compared then.
    SCHEDULED_ASSERT(index < node.core->status().first || term == entry.term,
                     "a new leader has all that was committed");
  }
}

// What a leader counts on is on the disk that it counts on, until a later leader says otherwise.
void World::CheckMatches(const Node& leader) {
  for (const PeerStatus& peer : leader.core->status().peers) {
    const Node& follower = nodes_[Number(peer.id)];
    const Disk& disk = follower.disk;
    if (follower.wiped || disk.hard_state.term > leader.core->term()) continue;
    SCHEDULED_ASSERT(peer.match <= disk.last(), "what was acknowledged stays on the disk");
    const Entry* stored = disk.Find(peer.match);
    const std::optional<Term> term = leader.core->TermAt(peer.match);
    SCHEDULED_ASSERT(stored == nullptr || !term || stored->term == *term,
                     "what was acknowledged is the leader's own entry");
  }
}

// With nothing left to write, a restart would find exactly what is in memory.
void World::CheckDisk(const Node& node) const {
  const Status status = node.core->status();
  const Disk& disk = node.disk;
  SCHEDULED_ASSERT(disk.hard_state == (HardState{status.term, status.vote}) &&
                       disk.base.index.Next() == status.first && disk.last() == status.last,
                   "a reload from disk equals memory");
  ConfigurationAt newest = disk.base_configuration;
  for (const Entry& entry : disk.entries) {
    SCHEDULED_ASSERT(node.core->TermAt(entry.index) == entry.term,
                     "an entry on disk has the term that memory says");
    if (entry.kind != EntryKind::kConfiguration) continue;
    newest = ConfigurationAt{entry.index, *DecodeConfiguration(entry.bytes.view())};
  }
  SCHEDULED_ASSERT(
      newest.index == status.configuration_index && newest.configuration == status.configuration,
      "the configuration on disk is the one that counts");
}

// Nothing is spoken of before it is durable.
void World::CheckSend(const Node& node, const Message& message) {
  const HardState& durable = node.disk.hard_state;
  if (const auto* vote = std::get_if<VoteReply>(&message.body);
      vote && vote->granted && !vote->pre) {
    SCHEDULED_ASSERT(durable.term > vote->campaign_term ||
                         (durable.term == vote->campaign_term && durable.vote == message.to),
                     "a vote is durable before it is sent");
    Node& voter = nodes_[Number(node.id)];
    const auto given = voter.votes.try_emplace(vote->campaign_term, message.to);
    SCHEDULED_ASSERT(given.first->second == message.to, "a vote is given once in a term");
  }
  if (const auto* request = std::get_if<VoteRequest>(&message.body); request && !request->pre) {
    SCHEDULED_ASSERT(durable.term >= request->campaign_term,
                     "a candidate's own vote is durable before it asks");
    Node& voter = nodes_[Number(node.id)];
    const auto given = voter.votes.try_emplace(request->campaign_term, node.id);
    SCHEDULED_ASSERT(given.first->second == node.id, "a vote is given once in a term");
  }
  if (const auto* reply = std::get_if<AppendReply>(&message.body); reply && reply->taken) {
    SCHEDULED_ASSERT(durable.term >= message.term, "the term of an ack is durable");
    SCHEDULED_ASSERT(node.disk.last() >= reply->match || durable.term > message.term,
                     "no ack beyond what is durable");
  }
}

// While a lease holds by its holder's own clock, nobody leads in a later term.
void World::CheckLeases() {
  for (int holder = 1; holder <= options_.nodes; ++holder) {
    if (!IsUp(holder) || nodes_[holder].core->role() != Role::kLeader) continue;
    if (!nodes_[holder].core->LeaseValid(Local(nodes_[holder], now_))) continue;
    for (int other = 1; other <= options_.nodes; ++other) {
      if (other == holder || !IsUp(other)) continue;
      SCHEDULED_ASSERT(nodes_[other].core->role() != Role::kLeader ||
                           nodes_[other].core->term() < nodes_[holder].core->term(),
                       "no later leader while a lease holds");
    }
  }
}

// State machine safety; and what is applied anywhere is on the disks of a majority.
void World::CheckApplied(int number, const Entry& entry) {
  const auto [known, fresh] = truth_.try_emplace(entry.index, entry);
  SCHEDULED_ASSERT(known->second == entry, "every node applies the same entry at an index");
  acknowledged_ = std::max(acknowledged_, entry.index);
  if (!fresh) return;
  // The configuration that it was counted with is the one at its index, or one that came behind it
  // in the leader's log.
  const Core& leader = core(Leader() != 0 ? Leader() : number);
  std::vector<Configuration> counted = {
      nodes_[number].core->DescribeSnapshot(entry.index).configuration};
  for (const Core* each : {&leader, static_cast<const Core*>(nodes_[number].core.get())}) {
    std::vector<Entry> behind;
    each->CopyEntries(std::max(entry.index, each->status().tail_first), each->last(), SIZE_MAX,
                      &behind);
    for (const Entry& later : behind) {
      if (later.kind != EntryKind::kConfiguration) continue;
      counted.push_back(*DecodeConfiguration(later.bytes.view()));
    }
  }
  SCHEDULED_ASSERT(std::any_of(counted.begin(), counted.end(),
                               [&](const Configuration& c) { return IsOnQuorum(c, entry); }),
                   "what is applied is durable at a majority");
}

bool World::IsOnQuorum(const Configuration& configuration, const Entry& entry) const {
  for (const auto* voters : {&configuration.voters, &configuration.old_voters}) {
    size_t have = 0;
    for (const Member& voter : *voters) {
      const Disk& disk = nodes_[Number(voter.id)].disk;
      const Entry* stored = disk.Find(entry.index);
      have += entry.index <= disk.base.index || (stored != nullptr && *stored == entry);
    }
    if (!voters->empty() && 2 * have <= voters->size()) return false;
  }
  return true;
}

void World::CheckReadIndex(const PendingRead& read) {
  SCHEDULED_ASSERT(*read.index >= read.at_least,
                   "a read sees everything that was acknowledged before it began");
}

}  // namespace scheduled::raft
