// The raft lane's task: takes all that has arrived, steps the core for each of it, drains it once,
// and has the effects carried out.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "consensus/host.h"

namespace scheduled {
namespace {

// So many writes may be under way before commands wait for the next entry: one that is being
// synced, and one that goes with the next sync. More would make entries smaller and no command
// sooner durable. An entry that is full does not wait.
constexpr uint64_t kWritesUnderWay = 2;

raft::MemberChangeKind ToCore(MemberChangeKind kind) {
  switch (kind) {
    case MemberChangeKind::kAddVoter:
      return raft::MemberChangeKind::kAddVoter;
    case MemberChangeKind::kAddLearner:
      return raft::MemberChangeKind::kAddLearner;
    case MemberChangeKind::kRemove:
      return raft::MemberChangeKind::kRemove;
    case MemberChangeKind::kReplace:
      return raft::MemberChangeKind::kReplace;
  }
  return raft::MemberChangeKind::kRemove;
}

}  // namespace

void Host::Pump() {
  if (failed_) {
    ShutDown();
    return;
  }
  taken_ = Inbox();
  {
    std::lock_guard lock(inbox_mutex_);
    std::swap(taken_, inbox_);
  }
  const MonoTime now = clock_.MonoNow();
  if (taken_.founded) Founded(now);
  if (!taken_.cluster_id.empty()) Adopt(std::move(taken_.cluster_id));
  for (Asked& asked : taken_.asked) OnAsked(std::move(asked));
  GoOnInstalling(now);
  raft::Effects* effects = StepCore(now);
  Do(*effects);
  WorkSnapshots();
  MaybeCut(now);
  applier_.Kick();
}

raft::Effects* Host::StepCore(MonoTime now) {
  std::lock_guard lock(core_mutex_);
  StepArrivals(now);
  StepBarriers(now);
  StepTransfers(now);
  StepMembers(now);
  StepProposals(now);
  if (now >= deadline_) core_->Step(now, raft::Deadline{});
  return &core_->Drain();
}

void Host::StepArrivals(MonoTime now) {
  if (taken_.persisted > persisted_) {
    persisted_ = taken_.persisted;
    core_->Step(now, raft::PersistDone{persisted_});
  }
  if (taken_.applied != LogIndex()) core_->Step(now, raft::ApplyDone{taken_.applied});
  if (taken_.flushed != LogIndex()) flushed_ = std::max(flushed_, taken_.flushed);
  if (taken_.cut != LogIndex()) {
    sizes_.CutThrough(taken_.cut);
    core_->Step(now, raft::LogCut{taken_.cut});
  }
  if (!founding_) {
    StepMessages(now);
    StepOffers(now);
  }
  for (raft::EntriesRead& read : taken_.reads) core_->Step(now, std::move(read));
  for (raft::Event& event : taken_.events) {
    if (const auto* received = std::get_if<raft::SnapshotReceived>(&event)) {
      // Another may have been begun since.
      if (!snapshots_.IsAwaiting(received->transfer)) continue;
      asked_core_to_install_ = true;
    }
    core_->Step(now, std::move(event));
  }
}

void Host::StepMessages(MonoTime now) {
  for (raft::Message& message : taken_.messages) {
    // What is committed is kept in memory until it is applied: a node that applies slowly takes no
    // more, and learns of commits alone, until it has. The leader finds out where to go on. What is
    // not committed does not count, its leader bounds it: this node may have to take more of it
    // before any of it can be committed.
    if (auto* append = std::get_if<raft::AppendRequest>(&message.body);
        append != nullptr && !append->entries.empty() &&
        core_->bytes_to_apply() > options_.max_unapplied_bytes) {
      Probe("consensus.applies-slowly");
      append->entries.clear();
      append->quiet = true;
    }
    core_->Step(now, std::move(message));
  }
}

void Host::StepProposals(MonoTime now) {
  const bool busy = handed_out_.value - persisted_.value >= kWritesUnderWay;
  if (busy && core_->role() == raft::Role::kLeader && !proposals_.HasFullEntry()) return;
  raft::Propose propose;
  PackedProposal stale;
  while (std::optional<PackedProposal> next = proposals_.Take(core_->term(), &stale)) {
    last_proposal_ = last_proposal_.Next();
    propose.batch.push_back({last_proposal_, next->entry});
    proposing_.emplace(last_proposal_, *std::move(next));
  }
  if (!propose.batch.empty()) core_->Step(now, std::move(propose));
  if (stale.waiting.empty()) return;
  Probe("consensus.proposal-of-another-term");
  std::vector<PackedProposal> refused;
  refused.push_back(std::move(stale));
  Refuse(std::move(refused), absl::UnavailableError("the term that it was meant for is over"));
}

// All that wait now need the same index: one read of the core for all of them.
void Host::StepBarriers(MonoTime now) {
  if (taken_.barriers.empty()) return;
  const raft::ReadId id(++last_read_);
  reading_.emplace(id, std::move(taken_.barriers));
  taken_.barriers.clear();
  core_->Step(now, raft::ReadBarrier{id});
}

void Host::StepTransfers(MonoTime now) {
  for (TransferRequest& request : taken_.transfers) {
    const raft::TransferId id(++last_transfer_);
    transferring_.emplace(id, std::move(request.done));
    core_->Step(now, raft::TransferTo{id, request.to.value_or(NodeId())});
  }
  taken_.transfers.clear();
}

// A change is answered like a command: once its entry is applied, or as what became of it.
void Host::StepMembers(MonoTime now) {
  for (MembersRequest& request : taken_.members) {
    const raft::Configuration current = core_->status().configuration;
    last_proposal_ = last_proposal_.Next();
    raft::ChangeMembers event{last_proposal_, {}};
    for (const MemberChange& change : request.changes) {
      raft::MemberChange& step = event.changes.emplace_back();
      step.kind = ToCore(change.kind);
      step.member = {change.id, change.address, raft::DiskId()};
      step.replaces = change.replaces;
      if (const raft::Member* known = current.Find(change.id)) step.member.disk = known->disk;
    }
    PackedProposal proposal;
    proposal.waiting.push_back(
        [done = std::move(request.done)](const absl::StatusOr<Applied>& applied) mutable {
          std::move(done)(applied.status());
        });
    proposing_.emplace(last_proposal_, std::move(proposal));
    core_->Step(now, std::move(event));
  }
  taken_.members.clear();
}

void Host::ArmTimer(MonoTime next) {
  deadline_ = next;
  // A timer that fires too soon arms the next; so it need not move with each heartbeat.
  if (next == MonoTime::Infinite() || timer_at_ <= next) return;
  if (timer_at_ != MonoTime::Infinite()) parts_.raft->Cancel(timer_);
  timer_at_ = next;
  timer_ = parts_.raft->PostAt(next, [this] {
    timer_at_ = MonoTime::Infinite();
    Pump();
  });
}

// After a failure: whatever waits is answered, and the core is stepped no more.
void Host::ShutDown() {
  const absl::Status why = [this] {
    std::lock_guard lock(state_mutex_);
    return absl::UnavailableError("this node has stopped: " + std::string(failure_.message()));
  }();
  {
    std::lock_guard lock(inbox_mutex_);
    std::swap(taken_, inbox_);
  }
  Refuse(proposals_.Close(why), why);
  Complete(taken_, why);
  taken_ = Inbox();
  for (auto& [id, waiting] : std::exchange(reading_, {})) {
    for (BarrierDone& done : waiting) Complete(std::move(done), why);
  }
  for (auto& [id, done] : std::exchange(transferring_, {})) Complete(std::move(done), why);
  if (std::exchange(shut_, true)) return;
  held_.clear();
  snapshots_.StopSending();
  applier_.Shut(why);
  applier_.Kick();
  TellRole({Role::kFollower, core_->term(), NodeId()});
}

}  // namespace scheduled
