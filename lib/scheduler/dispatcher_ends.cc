// The dispatcher's second half: from outcomes to finishes, and what becomes of claims that an
// earlier leader made (dispatch.md, rules 6, 9 and 14). See dispatcher.h.
#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.h"
#include "executor/retry_policy.h"
#include "scheduler/dispatcher.h"
#include "scheduler/peer_codec.h"

namespace scheduled {
namespace {

// Of the finishes in one command; one alone has at most kMaxOutcomeBytes and some numbers. A
// quarter of what an entry may hold.
constexpr size_t kMaxFinishBytes = size_t{1} << 20;

}  // namespace

// --- Outcomes -----------------------------------------------------------------------------------

void Dispatcher::OnOutcome(SessionId session, OutcomeMessage outcome) {
  if (RunEntry* entry = book_.Find(outcome.key)) {
    if (entry->session != session) {
      Probe("dispatch.outcome-of-another");
      return;
    }
    if (entry->state == RunState::kEnding) return;  // it came again
    if (entry->state != RunState::kSent && entry->state != RunState::kUnresolved) {
      Probe("dispatch.outcome-not-sent");
      return;
    }
    entry->state = RunState::kEnding;
    // Its session may be closed before the finish is proposed, and then it is a delivery.
    entry->known_taken = true;
    Resolved(outcome.key.job_id);
  } else if (!unknown_.insert(outcome.key).second) {
    return;
  }
  const TurnKey turn = Turns::KeyOf(outcome.key.job_id.value);
  turns_.Take(turn, term_.Guard([this, session, outcome = std::move(outcome)] {
    AddFinish(session, outcome);
  }));
}

void Dispatcher::AddFinish(SessionId session, const OutcomeMessage& outcome) {
  Finish finish{outcome.key, session, {}};
  finish.item.set_job_id(outcome.key.job_id.value);
  finish.item.set_run(outcome.key.run.value);
  finish.item.set_token(outcome.key.token.value);
  finish.item.set_status(static_cast<int>(outcome.status));
  finish.item.set_uncounted(outcome.uncounted);
  *finish.item.mutable_record() = outcome.record;
  CutTexts(finish.item.mutable_record());
  if (const RunEntry* entry = book_.Find(outcome.key)) {
    DecideRetry(*entry, outcome, &finish.item);
  }
  finishes_.push_back(std::move(finish));
  FlushSoon();
}

void Dispatcher::DecideRetry(const RunEntry& entry, const OutcomeMessage& outcome,
                             pb::FinishItem* item) {
  if (outcome.status == JobStatus::kCompleted || !entry.start.job) return;
  const RetryPolicy& policy = entry.start.job->retry;
  if (!outcome.uncounted && (!outcome.retryable || entry.start.attempt >= policy.max_attempts)) {
    return;
  }
  RunResult result;
  result.retry_after = outcome.retry_after;
  result.uncounted = outcome.uncounted;
  const absl::Duration wait = NextAttemptWait(
      policy, {std::max(1, entry.start.attempt), term_.parts().runtime->Random()}, result);
  item->set_retry_us(absl::ToUnixMicros(term_.WallNow() + wait));
}

void Dispatcher::FlushSoon() {
  if (flush_posted_) return;
  flush_posted_ = true;
  // Behind everything that waits on the lane already, so that what comes in together goes out
  // together.
  term_.parts().dispatch->Post(term_.Guard([this] { Flush(); }));
}

void Dispatcher::Flush() {
  flush_posted_ = false;
  while (!finishes_.empty()) {
    size_t count = 0;
    for (size_t bytes = 0; count < std::min<size_t>(finishes_.size(), kMaxItems); ++count) {
      bytes += finishes_[count].item.ByteSizeLong();
      if (count > 0 && bytes > kMaxFinishBytes) break;
    }
    const auto end = finishes_.begin() + static_cast<ptrdiff_t>(count);
    std::vector<Finish> batch(std::make_move_iterator(finishes_.begin()),
                              std::make_move_iterator(end));
    finishes_.erase(finishes_.begin(), end);
    ProposeFinishes(std::move(batch));
  }
  while (!put_backs_.empty()) {
    const size_t count = std::min<size_t>(put_backs_.size(), kMaxItems);
    const auto end = put_backs_.begin() + static_cast<ptrdiff_t>(count);
    std::vector<RunKey> batch(put_backs_.begin(), end);
    put_backs_.erase(put_backs_.begin(), end);
    ProposePutBacks(std::move(batch));
  }
}

void Dispatcher::ProposeFinishes(std::vector<Finish> finishes) {
  pb::Command command;
  for (Finish& finish : finishes) {
    *command.mutable_finishes()->add_items() = std::move(finish.item);
  }
  term_.Propose(
      &command,
      term_.Guard([this, finishes = std::move(finishes)](TermContext::Outcome outcome) mutable {
        OnFinishAnswer(std::move(finishes), std::move(outcome));
      }));
}

void Dispatcher::OnFinishAnswer(std::vector<Finish> finishes, TermContext::Outcome outcome) {
  if (absl::IsUnknown(outcome.answer.status())) return;  // the term is over
  const bool answered =
      outcome.answer.ok() && outcome.answer->finishes_size() == static_cast<int>(finishes.size());
  for (size_t i = 0; i < finishes.size(); ++i) {
    if (answered) {
      const pb::FinishAnswer& answer = outcome.answer->finishes(static_cast<int>(i));
      EndOne(finishes[i], answer.outcome() == pb::FinishAnswer::APPLIED);
    } else if (RunEntry* entry = book_.Find(finishes[i].key)) {
      // Not applied. The node sends the outcome again.
      Probe("dispatch.finish-again");
      entry->state = RunState::kSent;
      entry->known_taken = true;
    }
    unknown_.erase(finishes[i].key);
  }
  sessions_->Flush();
  for (const Finish& finish : finishes) turns_.Pass(Turns::KeyOf(finish.key.job_id.value));
  Pump();
}

void Dispatcher::EndOne(const Finish& finish, bool applied) {
  if (!applied) Probe("dispatch.finish-stale");
  if (book_.Find(finish.key) != nullptr) book_.Erase(finish.key.run);
  claimer_->OnFinished(finish.key.job_id);
  sessions_->Tell(finish.session, OutcomeToldRequest{finish.key, applied});
}

// --- Claims of earlier leaders, and what goes back ----------------------------------------------

void Dispatcher::OnReconciled(SessionId session, const std::vector<RunKey>& runs,
                              const std::vector<OutcomeMessage>& outcomes) {
  const absl::flat_hash_set<std::pair<RunNumber, FencingToken>> taken = [&runs] {
    absl::flat_hash_set<std::pair<RunNumber, FencingToken>> keys;
    for (const RunKey& key : runs) keys.emplace(key.run, key.token);
    return keys;
  }();
  for (const OutcomeMessage& outcome : outcomes) OnOutcome(session, outcome);
  for (RunEntry* entry : book_.OfSession(session)) {
    if (entry->state != RunState::kUnresolved) continue;
    const RunKey& key = entry->start.key;
    if (taken.contains({key.run, key.token})) {
      Probe("dispatch.old-claim-started");
      entry->state = RunState::kSent;
      entry->known_taken = true;
      // Whether the earlier leader told it so is not known.
      if (entry->stops) TellToStop(*entry);
      Resolved(key.job_id);
    } else {
      Probe("dispatch.old-claim-put-back");
      PutBack(*entry);
    }
  }
  sessions_->Flush();
  Pump();
}

// Takes the job's turn, and then, unless something else became of the run, gives it back. An
// unresolved run stays one until then, so that a command on its job goes on waiting.
void Dispatcher::PutBack(RunEntry& entry) {
  const RunKey key = entry.start.key;
  const RunState state = entry.state;
  turns_.Take(Turns::KeyOf(key.job_id.value), term_.Guard([this, key, state] {
    RunEntry* found = book_.Find(key);
    if (found == nullptr || found->state != state || found->withdrawn_by_session) {
      turns_.Pass(Turns::KeyOf(key.job_id.value));
      return;
    }
    if (state == RunState::kHeld) {
      book_.Update(*found, [](RunEntry& run) { run.state = RunState::kReturning; });
    }
    put_backs_.push_back(key);
    FlushSoon();
  }));
}

void Dispatcher::ProposePutBacks(std::vector<RunKey> runs) {
  pb::Command command;
  for (const RunKey& key : runs) *command.mutable_put_back()->add_runs() = ToRunRef(key);
  term_.Propose(&command,
                term_.Guard([this, runs = std::move(runs)](TermContext::Outcome outcome) mutable {
                  OnPutBackAnswer(std::move(runs), std::move(outcome));
                }));
}

void Dispatcher::OnPutBackAnswer(std::vector<RunKey> runs, TermContext::Outcome outcome) {
  if (absl::IsUnknown(outcome.answer.status())) return;  // the term is over
  if (!outcome.answer.ok()) return OnPutBackRefused(std::move(runs));
  for (const RunKey& key : runs) {
    if (book_.Find(key) != nullptr) book_.Erase(key.run);
    Resolved(key.job_id);
  }
  for (const RunKey& key : runs) turns_.Pass(Turns::KeyOf(key.job_id.value));
  Pump();
}

// Not applied, and for as long as the log is full no other one will be. Commands on these jobs do
// not wait for that: what was held is held again, and the turns go on.
void Dispatcher::OnPutBackRefused(std::vector<RunKey> runs) {
  Probe("dispatch.put-back-again");
  for (const RunKey& key : runs) {
    RunEntry* entry = book_.Find(key);
    if (entry == nullptr || entry->state != RunState::kReturning) continue;
    book_.Update(*entry, [](RunEntry& run) { run.state = RunState::kHeld; });
  }
  for (const RunKey& key : runs) turns_.Pass(Turns::KeyOf(key.job_id.value));
  term_.parts().dispatch->PostAt(
      term_.MonoNow() + kLookAgain,
      term_.Guard([this, runs = std::move(runs)] { PutBackAgain(runs); }));
  Pump();
}

// Those that still have to go back. What was held too far ahead of its time is found by the next
// stray check.
void Dispatcher::PutBackAgain(const std::vector<RunKey>& runs) {
  for (const RunKey& key : runs) {
    RunEntry* entry = book_.Find(key);
    if (entry == nullptr) continue;
    const bool is_left_by_drain = draining_ && entry->startable();
    if (entry->state == RunState::kUnresolved || is_left_by_drain) PutBack(*entry);
  }
  ArmStrayCheck();
}

}  // namespace scheduled
