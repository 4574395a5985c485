// The channel's receiving end: what a leader tells this node, in order and once, and what it is
// answered. See worker.h.
#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/planted.h"
#include "scheduler/worker.h"

namespace scheduled {
namespace {

// A Start for an executor that is not here: the leader learns by the next heartbeat.
constexpr absl::Duration kUnknownExecutorWait = absl::Seconds(1);

}  // namespace

void Worker::OnChannel(const NodeId& from, const ChannelMessages& messages) {
  if (IsPlanted(Bug::kTakesOldLeadersStart) && messages.session == session_ &&
      messages.term < term_) {
    for (const ChannelItem& item : messages.items) {
      const auto* start = std::get_if<StartRequest>(&item.body);
      if (start != nullptr && !runs_.contains(IdOf(start->key))) TakeStart(*start);
    }
  }
  // Whoever may speak is Raft's to say: a larger term that was believed would make this node deaf
  // to every leader to come. What came too early is sent again.
  const bool is_leaders = from == leader_ && messages.term <= raft_term_;
  if (!is_leaders || session_ == SessionId() || messages.session != session_ ||
      messages.term < term_) {
    Probe("worker.channel-refused");
    return;
  }
  const bool new_term = messages.term > term_;
  const Term before = term_;
  if (new_term) {
    // Before anything is answered: from here on an older leader's Start is refused.
    term_ = messages.term;
    taken_ = 0;
  }
  bool reconcile = false;
  for (const ChannelItem& item : messages.items) {
    if (item.number > taken_ + 1) break;
    if (item.number <= taken_) {
      // The answer to it was lost: what has been taken since belongs to the list as well.
      if (std::holds_alternative<ReconcileRequest>(item.body)) reconcile = true;
      const auto* again = std::get_if<StartRequest>(&item.body);
      if (IsPlanted(Bug::kTakesStartTwice) && again != nullptr &&
          !runs_.contains(IdOf(again->key))) {
        TakeStart(*again);
      }
      continue;
    }
    if ((item.number == 1) != std::holds_alternative<ReconcileRequest>(item.body)) break;
    if (!Take(item, &reconcile)) break;
    ++taken_;
  }
  std::vector<OutcomeMessage> outcomes;
  if (reconcile) {
    const MonoTime now = parts_.runtime->clock().MonoNow();
    for (auto& [id, kept] : outcomes_) {
      kept.sent = now;
      outcomes.push_back(kept.outcome);
    }
  }
  Report(from, reconcile, std::move(outcomes));
  if (IsPlanted(Bug::kReconciledBeforeTermRaised)) {
    parts_.dispatch->Post([this, term = std::exchange(term_, before)] { term_ = term; });
  }
  // A new leader waits for clock readings and for what there is room.
  if (new_term) Beat();
}

bool Worker::Take(const ChannelItem& item, bool* reconcile) {
  if (const auto* start = std::get_if<StartRequest>(&item.body)) return TakeStart(*start);
  if (const auto* cancel = std::get_if<CancelRequest>(&item.body)) {
    const auto it = runs_.find(IdOf(cancel->key));
    if (it != runs_.end()) it->second.control->Cancel();
  } else if (const auto* told = std::get_if<OutcomeToldRequest>(&item.body)) {
    outcomes_.erase(IdOf(told->key));
  } else {
    *reconcile = true;
  }
  return true;
}

bool Worker::TakeStart(const StartRequest& start) {
  if (!CanTake()) {
    Probe("worker.start-refused");
    return IsPlanted(Bug::kRefusalIsAnAnswer);
  }
  if (Executor* executor = Find(start.job->executor)) {
    RunIt(*executor, start);
    return true;
  }
  Probe("worker.executor-unknown");
  std::vector<OutcomeMessage> fresh;
  Running never{start, "", nullptr, parts_.runtime->clock().WallNow(), {}};
  RunResult result = RunResult::Snooze(
      kUnknownExecutorWait,
      absl::StrCat("no executor named \"", start.job->executor, "\" on this node"));
  result.error_type = "unknown_executor";
  Keep(&fresh, Conclude(never, std::move(result), never.started));
  SendFresh(std::move(fresh));
  return true;
}

void Worker::RunIt(Executor& executor, const StartRequest& start) {
  const Clock& clock = parts_.runtime->clock();
  const DeliveryId id = IdOf(start.key);
  const Job& job = *start.job;
  Running running{start, job.executor, nullptr, clock.WallNow(), clock.MonoNow() + job.timeout};
  running.control = std::make_shared<RunControl>(running.deadline);

  auto run = std::make_shared<RunContext>();
  run->job_id = start.key.job_id;
  run->run_id = parts_.run_id(start.key.run);
  run->attempt = start.attempt;
  run->delivery = start.delivery;
  run->due = start.due;
  run->late_by = std::max(absl::ZeroDuration(), running.started - start.ready);
  run->missed = start.missed;
  run->fencing_token = start.key.token;
  run->deadline = running.started + job.timeout;
  run->job = start.job;
  run->control = running.control;

  deadlines_.emplace(running.deadline, id);
  const bool fresh = runs_.emplace(id, std::move(running)).second;
  SCHEDULED_ASSERT(fresh, "a delivery is taken once");
  ArmDeadline();
  outbox_->Began();
  parts_.statistics->Started(clock.WallNow() - start.ready);
  executor.Run(std::move(run), Done([outbox = outbox_, id](RunResult result) {
                 outbox->Answer(id, std::move(result));
               }));
}

void Worker::Report(const NodeId& to, bool reconcile, std::vector<OutcomeMessage> outcomes) {
  if (to.empty()) return;
  ReportMessage report{term_, session_, taken_, reconcile, {}, {}};
  if (reconcile) {
    for (const auto& [id, running] : runs_) report.runs.push_back(running.start.key);
    for (const auto& [id, kept] : outcomes_) report.runs.push_back(kept.outcome.key);
    std::sort(report.runs.begin(), report.runs.end());
  }
  size_t bytes = 0;
  for (OutcomeMessage& outcome : outcomes) {
    const size_t more = outcome.key.job_id.value.size() + outcome.record.ByteSizeLong();
    const bool is_full = report.outcomes.size() == ReportMessage::kMaxOutcomes ||
                         bytes + more > ReportMessage::kMaxOutcomeBytes;
    if (is_full) {
      Probe("worker.report-in-parts");
      parts_.send(to, std::exchange(report, {term_, session_, taken_, false, {}, {}}));
      bytes = 0;
    }
    bytes += more;
    report.outcomes.push_back(std::move(outcome));
  }
  parts_.send(to, std::move(report));
}

}  // namespace scheduled
