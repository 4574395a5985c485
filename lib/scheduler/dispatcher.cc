// See dispatcher.h: starts, timers and what commands on a job take back. Outcomes and claims of
// earlier leaders are in dispatcher_ends.cc.
#include "scheduler/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"

namespace scheduled {
namespace {

StartRequest StartOf(const OldClaim& claim) {
  StartRequest start;
  start.key = {JobId(claim.entry.key.job_id), RunNumber(claim.entry.key.run),
               FencingToken(claim.entry.row.token())};
  start.attempt = claim.entry.row.attempt();
  start.due = absl::FromUnixMicros(claim.entry.row.due_us());
  start.ready = absl::FromUnixMicros(claim.entry.row.ready_us());
  start.job = claim.job;
  return start;
}

}  // namespace

Dispatcher::Dispatcher(TermContext* term, Turns* turns) : term_(*term), turns_(*turns) {}

void Dispatcher::Begin(SessionKeeper* sessions, const std::vector<OldClaim>& old_claims,
                       const std::vector<jobs::QueueHead>& heads) {
  sessions_ = sessions;
  const SessionId own = sessions_->SessionOf(term_.options().node_id);
  for (const OldClaim& claim : old_claims) {
    RunEntry entry;
    entry.start = StartOf(claim);
    entry.session = SessionId(claim.entry.row.session());
    entry.queue = claim.entry.row.queue();
    entry.state = RunState::kUnresolved;
    entry.placed_here = entry.session == own;
    entry.stops = claim.stops;
    book_.Add(std::move(entry));
  }
  claimer_ = std::make_unique<Claimer>(
      &term_, &turns_, &book_, sessions_, [this](RunEntry entry) { OnClaimed(std::move(entry)); },
      [this] { Pump(); });
  claimer_->SetHeads(heads);
}

void Dispatcher::OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us) {
  claimer_->SetHead(queue, ready_us);
  Pump();
}

void Dispatcher::OnRoom() { Pump(); }

bool Dispatcher::MayDispatch() const {
  const bool lease = term_.HasLease() || IsPlanted(Bug::kStartsWithoutLease);
  return lease && sessions_->LookAtClocks() == ClockAgreement::Verdict::kAgrees;
}

// --- Starting -----------------------------------------------------------------------------------

void Dispatcher::OnClaimed(RunEntry entry) {
  if (entry.start.delivery > 1) term_.parts().statistics->Redelivered();
  RunEntry& held = book_.Add(std::move(entry));
  if (draining_) PutBack(held);
  ArmStrayCheck();
}

bool Dispatcher::StartDue() {
  bool started = false;
  while (true) {
    absl::Time now = term_.WallNow();
    if (IsPlanted(Bug::kStartsEarly)) now += term_.options().claim_ahead;
    if (book_.FirstTime() > now) break;
    for (RunEntry* entry : book_.Due(now, Channel::kMaxMessages)) {
      // A failed look delays the start; the timer of Arm repeats it.
      if (!MayDispatch() || !sessions_->IsUsable(entry->session)) {
        Probe("dispatch.due-run-waits");
        if (started) sessions_->Flush();
        return false;
      }
      book_.Update(*entry, [this](RunEntry& run) {
        run.state = RunState::kSent;
        run.start_number = sessions_->Tell(run.session, run.start);
      });
      started = true;
    }
    sessions_->Flush();
  }
  return true;
}

void Dispatcher::Pump() {
  if (draining_) return term_.parts().on_drain_progress();
  const bool looked = StartDue();
  const bool may_take = looked && claimer_->NextTake() <= term_.WallNow() && MayDispatch();
  if (may_take) claimer_->TakeDue();
  Arm();
}

void Dispatcher::Arm() {
  const absl::Time now = term_.WallNow();
  absl::Time next = std::min(book_.FirstTime(), claimer_->NextTake());
  if (next <= now) {
    // Something is due and may not be touched yet: lease, clocks or a refusal stand before it.
    if (look_timer_ != TimerId()) return;
    look_timer_ = term_.parts().dispatch->PostAt(term_.MonoNow() + kLookAgain, term_.Guard([this] {
      look_timer_ = {};
      Pump();
    }));
    return;
  }
  if (next == due_armed_) return;
  term_.parts().dispatch->Cancel(due_timer_);
  due_timer_ = {};
  due_armed_ = next;
  if (next == absl::InfiniteFuture()) return;
  due_timer_ = term_.parts().dispatch->PostAtWall(next, term_.Guard([this] {
    due_timer_ = {};
    due_armed_ = absl::InfiniteFuture();
    Pump();
  }));
}

// After a step of the wall clock backwards, what is held may be due in an hour: it would take the
// room of what is due before it.
void Dispatcher::ArmStrayCheck() {
  if (stray_timer_ != TimerId() || book_.FirstTime() == absl::InfiniteFuture()) return;
  stray_timer_ = term_.parts().dispatch->PostAt(term_.MonoNow() + kStrayCheck, term_.Guard([this] {
    stray_timer_ = {};
    PutBackStrays();
    ArmStrayCheck();
  }));
}

void Dispatcher::PutBackStrays() {
  const absl::Time horizon = term_.WallNow() + term_.options().claim_ahead + kStrayCheck;
  if (book_.LastTime() <= horizon) return;
  Probe("dispatch.put-back-after-step");
  for (RunEntry* entry : book_.Startable()) {
    if (entry->start.ready > horizon) PutBack(*entry);
  }
}

// --- Commands on a job --------------------------------------------------------------------------

void Dispatcher::WhenResolved(std::string_view job_id, Task then) {
  if (!book_.HasUnresolved(job_id)) return std::move(then)();
  Probe("dispatch.waits-for-resolution");
  waiting_[std::string(job_id)].push_back(std::move(then));
}

void Dispatcher::Resolved(const JobId& job) {
  if (waiting_.empty() || book_.HasUnresolved(job.value)) return;
  const auto it = waiting_.find(job.value);
  if (it == waiting_.end()) return;
  std::vector<Task> tasks = std::move(it->second);
  waiting_.erase(it);
  // Not at once: whoever resolved it may be in the middle of its list.
  for (Task& task : tasks) term_.parts().dispatch->Post(term_.Guard(std::move(task)));
}

std::vector<RunKey> Dispatcher::WithdrawJob(std::string_view job_id) {
  std::vector<RunKey> withdrawn;
  for (RunEntry* entry : book_.OfJob(job_id)) {
    if (entry->state != RunState::kHeld) continue;
    SCHEDULED_ASSERT(!entry->withdrawn_by_command, "one command at a time names a held run");
    book_.Update(*entry, [](RunEntry& run) { run.withdrawn_by_command = true; });
    Probe("dispatch.withdrawn");
    withdrawn.push_back(entry->start.key);
  }
  return withdrawn;
}

void Dispatcher::AfterCommand(std::string_view job_id, const pb::Answer* answer, bool stop) {
  absl::flat_hash_set<uint64_t> in_flight;
  if (answer != nullptr) {
    for (const pb::RunRef& ref : answer->inflight()) in_flight.insert(ref.run());
  }
  const bool done = answer != nullptr && answer->code() == 0;
  for (RunEntry* entry : book_.OfJob(job_id)) {
    if (entry->withdrawn_by_command) {
      const bool lost = IsPlanted(Bug::kWithdrawnNotGivenBack);
      if (answer != nullptr && (lost || !in_flight.contains(entry->start.key.run.value))) {
        book_.Erase(entry->start.key.run);
        continue;
      }
      Probe("dispatch.given-back");
      book_.Update(*entry, [](RunEntry& run) { run.withdrawn_by_command = false; });
    } else if (done && stop && !entry->told_to_stop && entry->state != RunState::kHeld) {
      TellToStop(*entry);
    }
  }
  sessions_->Flush();
  if (draining_) PutBackHeld();
  Pump();
}

void Dispatcher::TellToStop(RunEntry& entry) {
  entry.told_to_stop = true;
  sessions_->Tell(entry.session, CancelRequest{entry.start.key});
}

// --- Sessions -----------------------------------------------------------------------------------

std::vector<RunKey> Dispatcher::WithdrawSession(SessionId session) {
  const bool known = sessions_->IsReconciled(session);
  std::vector<RunKey> taken;
  for (RunEntry* entry : book_.OfSession(session)) {
    if (entry->state == RunState::kHeld) {
      book_.Update(*entry, [](RunEntry& run) { run.withdrawn_by_session = true; });
    } else if (entry->known_taken || !known || sessions_->WasTaken(session, entry->start_number)) {
      taken.push_back(entry->start.key);
    }
  }
  return taken;
}

void Dispatcher::RestoreSession(SessionId session) {
  for (RunEntry* entry : book_.OfSession(session)) {
    book_.Update(*entry, [](RunEntry& run) { run.withdrawn_by_session = false; });
  }
  if (draining_) PutBackHeld();
  Pump();
}

void Dispatcher::OnSessionClosed(SessionId session) {
  std::vector<JobId> jobs;
  for (RunEntry* entry : book_.OfSession(session)) {
    jobs.push_back(entry->start.key.job_id);
    book_.Erase(entry->start.key.run);
  }
  for (const JobId& job : jobs) Resolved(job);
  Pump();
}

// --- The end ------------------------------------------------------------------------------------

void Dispatcher::Drain() {
  if (draining_) return;
  draining_ = true;
  claimer_->Stop();
  PutBackHeld();
}

void Dispatcher::PutBackHeld() {
  for (RunEntry* entry : book_.Startable()) PutBack(*entry);
}

}  // namespace scheduled
