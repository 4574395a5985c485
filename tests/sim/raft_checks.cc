// See raft_checks.h.
#include "sim/raft_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "absl/strings/escaping.h"
#include "base/assert.h"
#include "consensus/inspect.h"
#include "raft/print.h"
#include "sim/finding.h"
#include "sim/frame_types.h"

namespace scheduled::sim {
namespace {

// Votes and acknowledgements are smaller; larger frames are appends.
constexpr size_t kSmallFrameBytes = 256;
constexpr uint64_t kFullRecountEvery = 256;

}  // namespace

RaftChecks::RaftChecks(World* world)
    : world_(*world),
      logs_(world->size()),
      reloads_(world->size()),
      truth_(1),
      seen_(world->size()) {
  world_.network().SetObserver(
      [this](int from, int to, FrameClass frame_class, const std::string& frame) {
        world_.Digest(frame);
        world_.Digest(static_cast<uint64_t>(from * 16 + to));
        OnFrame(from, frame_class, frame);
      });
  for (int i = 0; i < world_.size(); ++i) {
    Machine& machine = world_.machine(i);
    machine.log->SetObserver([this, &machine](const LogWrite& write) { OnWrite(machine, write); });
  }
}

void RaftChecks::OnBoot(Machine& machine) {
  seen_[machine.number] = {};
  logs_.OnBoot(machine, InspectCore(machine.member->raft()));
  AfterRaft(machine);
}

// Rule 2 for a crash: what is committed stays on the disks of a majority.
void RaftChecks::OnCrash(Machine& machine) {
  logs_.OnCrash(machine);
  Require(quorum_for_.index == LogIndex() || IsQuorum(quorum_, quorum_for_.index, quorum_for_.term),
          [&] {
            return fmt::format("committed entry {} is on no majority of disks after a crash",
                               quorum_for_.index.value);
          });
}

void RaftChecks::AfterRaft(Machine& machine) {
  const raft::Core& core = InspectCore(machine.member->raft());
  Seen& seen = seen_[machine.number];
  // What was committed at the last look cannot have changed since, so most of the time what stands
  // behind it is recounted, and now and then everything.
  const uint64_t behind = core.last().value - std::min(seen.commit, core.last()).value;
  core.CheckInvariants(++seen.looks % kFullRecountEvery == 1 ? UINT64_MAX : behind + 1);
  Require(core.commit() >= seen.commit, "the commit index goes back");
  Require(core.applied() >= seen.applied, "the applied index goes back");
  LookAtLeading(machine, core);
  if (core.commit() > seen.commit && core.role() == raft::Role::kLeader) {
    CheckQuorum(machine, core);
  }
  seen.commit = core.commit();
  seen.applied = core.applied();
  if (core.role() == raft::Role::kLeader) {
    if (seen.configuration != core.configuration()) seen.configuration = core.configuration();
    CheckLeader(machine, core);
  }
  CheckCommitted(machine, std::min(core.commit(), core.durable()));
  logs_.CheckConfiguration(machine, core);
  reloads_.AfterRaft(machine);
  if (expect_leases_) CheckLeases();
}

// What shows only in how the core stood before.
void RaftChecks::LookAtLeading(const Machine& machine, const raft::Core& core) {
  Seen& seen = seen_[machine.number];
  const bool leads = core.role() == raft::Role::kLeader;
  if (seen.leads && !leads) Probe("raft.stepped-down");
  if (leads && seen.leads && seen.led == core.term() && core.commit() > seen.commit) {
    if (core.TermAt(seen.commit.Next()) != core.term()) Probe("raft.old-term-committed");
    Require(core.TermAt(core.commit()) == core.term(),
            "a leader committed an entry of an earlier term that none of its own stands behind");
  }
  if (leads && core.configuration().IsJoint()) Probe("raft.led-joint");
  seen.leads = leads;
}

void RaftChecks::LookAtLease(const Machine& machine) {
  Seen& seen = seen_[machine.number];
  const bool lease = machine.member->raft().HasLease();
  if (seen.lease && !lease) {
    seen.lease_ended = world_.now();
    if (seen.leads) Probe("raft.lease-expired");
  }
  seen.lease = lease;
}

void RaftChecks::CheckLeader(Machine& machine, const raft::Core& core) {
  Seen& seen = seen_[machine.number];
  if (seen.led == core.term()) return;
  seen.led = core.term();
  Probe("raft.elected");
  if (world_.tracing()) {
    world_.Trace(machine.id.value, fmt::format("leads term {}", core.term().value));
  }
  const bool fresh = leaders_.try_emplace(core.term(), machine.number).second;
  Require(fresh, [&] { return fmt::format("two leaders of term {}", core.term().value); });
  const std::map<int, raft::DiskId>& voters = voters_[{core.term(), machine.id}];
  const auto voted = [&](const raft::Member& member) {
    const auto vote = voters.find(world_.NumberOf(member.id));
    if (vote == voters.end()) return member.id == machine.id;
    return member.disk == raft::DiskId() || member.disk == vote->second;
  };
  for (const auto* set : {&core.configuration().voters, &core.configuration().old_voters}) {
    const auto votes = static_cast<size_t>(std::count_if(set->begin(), set->end(), voted));
    Require(set->empty() || 2 * votes > set->size(), [&] {
      return fmt::format("{} of {} voted for the leader of term {}", votes, set->size(),
                         core.term().value);
    });
  }
  for (uint64_t i = 1; i < truth_.size(); ++i) {
    // A candidate whose votes come late may win a term that is over already.
    if (truth_[i].committed_in >= core.term()) break;
    const LogIndex index(i);
    const LogState* state = machine.log->State(kSimGroup);
    if (state != nullptr && index <= state->before_first.index) continue;
    const LogRecord* record = machine.log->Find(kSimGroup, index);
    Require(record != nullptr && record->term == truth_[i].term, [&] {
      return fmt::format("the leader of term {} lacks committed entry {}", core.term().value, i);
    });
  }
  // What its predecessor committed may not have come to any other's knowledge yet.
  const LogState* state = machine.log->State(kSimGroup);
  const bool cut = state != nullptr && quorum_for_.index <= state->before_first.index;
  Require(quorum_for_.index == LogIndex() || cut || quorum_in_ >= core.term() ||
              core.TermAt(quorum_for_.index) == quorum_for_.term,
          [&] {
            return fmt::format("the leader of term {} lacks entry {}, committed last before it",
                               core.term().value, quorum_for_.index.value);
          });
}

void RaftChecks::CheckCommitted(Machine& machine, LogIndex through) {
  Seen& seen = seen_[machine.number];
  while (seen.checked < through) {
    seen.checked = seen.checked.Next();
    const LogState* state = machine.log->State(kSimGroup);
    if (state != nullptr && seen.checked <= state->before_first.index) continue;
    const LogRecord* record = machine.log->Find(kSimGroup, seen.checked);
    Require(record != nullptr, "a committed and durable entry is not in the log");
    const Truth truth{record->term, LogChecks::HashOf(*record),
                      InspectCore(machine.member->raft()).term()};
    if (seen.checked.value < truth_.size()) {
      const Truth& known = truth_[seen.checked.value];
      Require(known.term == truth.term && known.hash == truth.hash, [&] {
        return fmt::format("{} committed another entry at {}: of term {}, not of {}",
                           machine.id.value, seen.checked.value, truth.term.value,
                           known.term.value);
      });
      continue;
    }
    truth_.push_back(truth);
    logs_.OnCommitted(*record);
  }
}

bool RaftChecks::IsDurableAt(const NodeId& id, LogIndex index, Term term) {
  const Machine& machine = world_.machine(world_.NumberOf(id));
  if (machine.wiped && index <= machine.lost_through) return true;
  const LogState* state = machine.log->State(kSimGroup);
  if (state != nullptr && index <= state->before_first.index) return true;
  const LogRecord* record = machine.log->FindDurable(kSimGroup, index);
  return record != nullptr && record->term == term;
}

bool RaftChecks::IsQuorum(const raft::Configuration& configuration, LogIndex index, Term term,
                          const NodeId& without) {
  for (const auto* set : {&configuration.voters, &configuration.old_voters}) {
    const auto have = static_cast<size_t>(
        std::count_if(set->begin(), set->end(), [&](const raft::Member& member) {
          return member.id != without && IsDurableAt(member.id, index, term);
        }));
    if (!set->empty() && 2 * have <= set->size()) return false;
  }
  return true;
}

// A leader has committed something. What stands before the newest is there where that is.
void RaftChecks::CheckQuorum(const Machine& machine, const raft::Core& core) {
  const Seen& seen = seen_[machine.number];
  const std::optional<Term> term = core.TermAt(core.commit());
  if (!term) return;
  quorum_for_ = {core.commit(), *term};
  quorum_in_ = core.term();
  quorum_ = core.configuration();
  if (IsQuorum(quorum_, core.commit(), *term)) return;
  // In the same step the members may have changed behind it.
  quorum_ = seen.configuration;
  Require(!quorum_.empty() && IsQuorum(quorum_, core.commit(), *term), [&] {
    return fmt::format("committed entry {} is on no majority of disks", core.commit().value);
  });
}

void RaftChecks::CheckLeases() {
  for (int i = 0; i < world_.size(); ++i) {
    const Machine& holder = world_.machine(i);
    if (!holder.up() || holder.paused()) continue;
    const raft::Core& core = InspectCore(holder.member->raft());
    if (core.role() != raft::Role::kLeader || !holder.member->raft().HasLease()) continue;
    for (int j = 0; j < world_.size(); ++j) {
      const Machine& other = world_.machine(j);
      if (j == i || !other.up()) continue;
      const raft::Core& rival = InspectCore(other.member->raft());
      Require(rival.role() != raft::Role::kLeader || rival.term() < core.term(), [&] {
        return fmt::format("{} leads term {} while {} holds a lease of term {}", other.id.value,
                           rival.term().value, holder.id.value, core.term().value);
      });
    }
  }
}

// Committed entries are truncated from no disk; but who still follows the leader of an earlier term
// may give its copy of one up, where a majority has another.
void RaftChecks::OnWrite(Machine& machine, const LogWrite& write) {
  if (write.group != kSimGroup) return;
  logs_.OnWrite(machine, write);
  reloads_.OnWrite(machine, write);
  for (const LogRecord& record : write.entries) {
    world_.Digest(record.index.value ^ (record.term.value << 32));
  }
  if (write.reset_to) Probe("raft.snapshot-installed");
  if (!write.truncate_from) return;
  Probe("raft.truncated");
  if (world_.tracing()) {
    world_.Trace(machine.id.value, fmt::format("truncates from {}", write.truncate_from->value));
  }
  for (uint64_t i = write.truncate_from->value; i < truth_.size(); ++i) {
    const LogRecord* record = machine.log->Find(kSimGroup, LogIndex(i));
    if (record == nullptr || record->term != truth_[i].term) continue;
    const bool early = !write.entries.empty() && write.entries[0].term < truth_[i].committed_in;
    Require(early && IsQuorum(quorum_, LogIndex(i), record->term, machine.id),
            [&] { return fmt::format("{} truncates committed entry {}", machine.id.value, i); });
  }
}

void RaftChecks::OnFrame(int from, FrameClass frame_class, const std::string& frame) {
  if (frame_class == FrameClass::kApplication && check_application_ != nullptr) {
    check_application_(world_.machine(from), frame);
  }
  if (frame_class != FrameClass::kConsensus) return;
  if (frame.size() > kSmallFrameBytes && !world_.tracing()) return;
  const std::optional<raft::Message> message = MessageIn(frame);
  if (!message) return;
  Machine& machine = world_.machine(from);
  if (world_.tracing()) world_.Trace(machine.id.value, "sends " + raft::ToString(*message));
  CheckPromise(machine, *message);
}

void RaftChecks::CheckPromise(Machine& from, const raft::Message& message) {
  if (const auto* vote = std::get_if<raft::VoteReply>(&message.body);
      vote != nullptr && vote->granted && !vote->pre) {
    const HardState& durable = from.log->DurableHardState(kSimGroup);
    Require(durable.term > vote->campaign_term ||
                (durable.term == vote->campaign_term && durable.vote == message.to),
            "a vote was sent before it was durable");
    const auto given = votes_.try_emplace({from.disk, vote->campaign_term}, message.to);
    Require(given.first->second == message.to, "two votes in one term");
    voters_[{vote->campaign_term, message.to}].insert_or_assign(from.number, from.disk);
  }
  if (const auto* request = std::get_if<raft::VoteRequest>(&message.body);
      request != nullptr && !request->pre) {
    const auto given = votes_.try_emplace({from.disk, request->campaign_term}, from.id);
    Require(given.first->second == from.id, "a candidate of a term in which it voted for another");
  }
  if (const auto* reply = std::get_if<raft::AppendReply>(&message.body);
      reply != nullptr && reply->taken && reply->match > LogIndex()) {
    const LogState* state = from.log->State(kSimGroup);
    const bool cut = state != nullptr && reply->match <= state->before_first.index;
    Require(cut || from.log->FindDurable(kSimGroup, reply->match) != nullptr ||
                from.log->DurableHardState(kSimGroup).term > message.term,
            "an entry was acknowledged before it was durable");
  }
}

const Machine& RaftChecks::FirstOfCore() const {
  int first = 0;
  while (!world_.IsInCore(first)) ++first;
  return world_.machine(first);
}

bool RaftChecks::AreEqual() {
  const Machine& first = FirstOfCore();
  for (int i = 0; i < world_.size(); ++i) {
    const Machine& machine = world_.machine(i);
    if (!world_.IsInCore(i)) continue;
    if (!machine.up() || machine.tables->applied() != first.tables->applied()) return false;
    if (machine.tables->applied() < LogIndex(committed())) return false;
    const raft::Core& core = InspectCore(machine.member->raft());
    if (core.last() != first.tables->applied()) return false;
  }
  return true;
}

void RaftChecks::CheckEqual() {
  const Machine& first = FirstOfCore();
  for (int i = 0; i < world_.size(); ++i) {
    const Machine& other = world_.machine(i);
    if (!world_.IsInCore(i)) continue;
    const auto& rows = first.tables->rows();
    const auto parting = std::mismatch(rows.begin(), rows.end(), other.tables->rows().begin(),
                                       other.tables->rows().end());
    const auto at = parting.first;
    const bool equal = at == rows.end() && parting.second == other.tables->rows().end();
    Require(equal, [&] {
      return fmt::format("the tables of {} and {} differ, first at key '{}'", first.id.value,
                         other.id.value, at == rows.end() ? "" : absl::CHexEscape(at->first));
    });
  }
}

// What a node has that it would not have at rest; nothing if it is.
std::string RaftChecks::InHandAtRest(const Machine& machine) {
  const raft::Status core = InspectCore(machine.member->raft()).status();
  const InHand in_hand = InspectInHand(machine.member->raft());
  if (in_hand != InHand()) {
    return fmt::format("{} bytes, {} proposals, {} reads, {} transfers, {} sends", in_hand.bytes,
                       in_hand.proposals, in_hand.reads, in_hand.transfers, in_hand.sends);
  }
  if (core.unapplied_bytes > 0 || core.pending_reads > 0 || core.transferring) {
    return fmt::format("{} bytes to apply, {} reads in the core", core.unapplied_bytes,
                       core.pending_reads);
  }
  for (const raft::PeerStatus& peer : core.peers) {
    if (peer.inflight_messages == 0 && peer.inflight_bytes == 0) continue;
    return fmt::format("{} messages on their way to {}", peer.inflight_messages, peer.id.value);
  }
  return "";
}

void RaftChecks::AwaitRest() {
  const MonoTime limit = world_.now() + kRestsWithin;
  for (int i = 0; i < world_.size(); ++i) {
    Machine& machine = world_.machine(i);
    while (machine.up()) {
      const std::string in_hand = InHandAtRest(machine);
      if (in_hand.empty()) break;
      Require(world_.now() < limit,
              [&] { return fmt::format("{} has {} for ever", machine.id.value, in_hand); });
      world_.loop().RunUntil(world_.now() + kLookForRest);
    }
    while (machine.up() && !ReloadChecks::IsAllWritten(machine)) {
      Require(world_.now() < limit,
              [&] { return fmt::format("{} never has all on its disk", machine.id.value); });
      world_.loop().RunUntil(world_.now() + kLookForRest);
    }
    if (machine.up()) ReloadChecks::Check(machine);
  }
}

}  // namespace scheduled::sim
