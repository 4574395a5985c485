// See operator.h.
#include "sim/operator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "consensus/inspect.h"

namespace scheduled::sim {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);
// A leader that was asked and has died since answers nothing.
constexpr absl::Duration kAnswerPatience = absl::Seconds(2);

bool IsIn(const std::vector<raft::Member>& members, const NodeId& id) {
  return std::any_of(members.begin(), members.end(),
                     [&](const raft::Member& member) { return member.id == id; });
}

const raft::Learner* LearnerIn(const raft::Configuration& configuration, const NodeId& id) {
  for (const raft::Learner& learner : configuration.learners) {
    if (learner.member.id == id) return &learner;
  }
  return nullptr;
}

}  // namespace

Operator::Operator(World* world, Random random)
    : world_(*world),
      random_(random),
      care_(world->size()),
      are_voters_(world->size(), true),
      disk_known_(world->size(), false) {}

void Operator::Begin() {
  if (world_.size() == 1) return;  // a node alone stays so
  world_.After(kBetweenLooks, [this] {
    Look();
    Begin();
  });
}

void Operator::Want(int machine, Wish wish) {
  care_[machine].wish = wish;
  at_rest_ = false;
}

void Operator::WantAllVoters() {
  for (Care& care : care_) care.wish = Wish::kVoter;
}

bool Operator::MayWipe(int machine) const {
  // Who has never been heard counts for nothing yet: without it, too, a majority must be left.
  int left = 0;
  for (int i = 0; i < world_.size(); ++i) {
    left += i != machine && disk_known_[i] && !world_.machine(i).wiped;
  }
  return at_rest_ && disk_known_[machine] && !world_.machine(machine).wiped &&
         2 * left > world_.size();
}

bool Operator::MayDoWithout(int machine) const {
  int voters = 0;
  for (int i = 0; i < world_.size(); ++i) {
    if (world_.machine(i).wiped) return false;
    voters += i != machine && are_voters_[i] && care_[i].wish == Wish::kVoter;
  }
  return voters > 0;
}

bool Operator::HaveWishes() const {
  for (int i = 0; i < world_.size(); ++i) {
    if (!are_voters_[i] || world_.machine(i).wiped || care_[i].wish != Wish::kVoter) return false;
  }
  return true;
}

bool Operator::IsSettled() const {
  const bool all_known =
      std::find(disk_known_.begin(), disk_known_.end(), false) == disk_known_.end();
  // Not while a change that was asked for may be on some disks.
  return world_.size() == 1 || (at_rest_ && HaveWishes() && all_known);
}

void Operator::Look() {
  const int leader = world_.Leader();
  // One without a lease may have been followed by another, and know nothing of what was changed.
  if (leader < 0 || !world_.machine(leader).member->raft().HasLease()) return;
  const raft::Status status = InspectCore(world_.machine(leader).member->raft()).status();
  const bool committed =
      status.configuration_index <= status.commit && status.term_start <= status.commit;
  if (!committed || status.configuration.IsJoint()) return;
  const raft::Configuration& now = status.configuration;
  for (int i = 0; i < world_.size(); ++i) {
    Machine& machine = world_.machine(i);
    const bool votes = IsIn(now.voters, machine.id);
    if (machine.wiped && now.Find(machine.id) == nullptr) care_[i].removed = true;
    if (machine.wiped && votes && care_[i].removed) {
      machine.wiped = care_[i].removed = false;
      Probe("sim.lost-disk-replaced");
    }
    are_voters_[i] = votes && !machine.wiped;
    disk_known_[i] = are_voters_[i] && now.Find(machine.id)->disk == machine.disk;
  }
  // What was asked of a leader that is paused may be done yet.
  if (waits_until_ && world_.now() < *waits_until_) return;
  at_rest_ = HaveWishes();
  std::vector<MemberChange> changes;
  for (int i = 0; i < world_.size(); ++i) {
    std::optional<MemberChange> step = Step(i, now);
    if (!step) continue;
    // Now and then several in one step.
    if (!changes.empty() && !random_.Chance(1, 4)) continue;
    changes.push_back(*std::move(step));
  }
  if (!changes.empty()) Ask(leader, std::move(changes));
}

std::optional<MemberChange> Operator::Step(int number, const raft::Configuration& now) {
  const Machine& machine = world_.machine(number);
  const Care& care = care_[number];
  const raft::Learner* learner = LearnerIn(now, machine.id);
  const bool votes = IsIn(now.voters, machine.id);
  const bool member = votes || learner != nullptr;
  MemberChange change;
  change.id = machine.id;
  change.address = world_.peers().at(machine.id);
  if ((machine.wiped && !care.removed) || care.wish == Wish::kAbsent) {
    if (!member) return std::nullopt;
    change.kind = MemberChangeKind::kRemove;
    return change;
  }
  if (care.wish == Wish::kLearner) {
    if (learner != nullptr && !learner->promote) return std::nullopt;
    change.kind = MemberChangeKind::kAddLearner;
    return change;
  }
  if (votes || (learner != nullptr && learner->promote)) return std::nullopt;
  change.kind = MemberChangeKind::kAddVoter;
  // In the place of one that is to go.
  for (int i = 0; i < world_.size() && random_.Chance(1, 2); ++i) {
    const NodeId& other = world_.machine(i).id;
    if (care_[i].wish != Wish::kAbsent || !IsIn(now.voters, other)) continue;
    change.kind = MemberChangeKind::kReplace;
    change.replaces = other;
    break;
  }
  return change;
}

void Operator::Ask(int leader, std::vector<MemberChange> changes) {
  if (world_.tracing()) {
    for (const MemberChange& change : changes) {
      world_.Trace(
          "operator",
          fmt::format("asks for change {} of {}{}", static_cast<int>(change.kind), change.id.value,
                      change.replaces.empty() ? "" : " in the place of " + change.replaces.value));
    }
  }
  at_rest_ = false;
  const uint64_t number = ++asked_;
  waits_until_ = world_.now() + kAnswerPatience;
  world_.machine(leader).member->raft().ChangeMembers(
      std::move(changes), [this, number](absl::Status done) {
        Probe(done.ok() ? "sim.members-changed" : "sim.members-refused");
        world_.Digest(number * 32 + static_cast<uint64_t>(done.code()));
        if (number == asked_) waits_until_.reset();
      });
}

}  // namespace scheduled::sim
