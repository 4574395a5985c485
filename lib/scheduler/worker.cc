// See worker.h: the session, the channel's receiving end and what follows an executor's answer.
#include "scheduler/worker.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/planted.h"
#include "executor/retry_policy.h"
#include "jobs/job_model.h"

namespace scheduled {
namespace {

// A Start for an executor that is not here: the leader learns by the next heartbeat.
constexpr absl::Duration kUnknownExecutorWait = absl::Seconds(1);
// Unanswered heartbeats that are remembered; more than fit into the time that one counts.
constexpr size_t kMaxBeats = 64;

DeliveryId IdOf(const RunKey& key) { return {key.run, key.token}; }

RunResult TimedOut(absl::Duration timeout) {
  RunResult result(absl::DeadlineExceededError(
      absl::StrCat("ran longer than its timeout of ", absl::FormatDuration(timeout))));
  result.error_type = "timeout";
  return result;
}

RunResult HandedBack() {
  RunResult result = RunResult::Snooze(absl::ZeroDuration(), "the node was stopped");
  result.error_type = "drained";
  return result;
}

}  // namespace

Worker::Worker(WorkerOptions options, WorkerParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      outbox_(std::make_shared<RunOutbox>(parts_.runtime, parts_.dispatch,
                                          options_.external_executors, [this] { DrainOutbox(); })) {
}

Worker::~Worker() {
  outbox_->Close();
  for (auto& [id, running] : runs_) running.control->Cancel();
  // Executors end before the maps that their last answers might look at.
  executors_.clear();
}

absl::Status Worker::Register(std::string_view name, std::unique_ptr<Executor> executor) {
  if (absl::Status valid = jobs::ValidateExecutorName(name); !valid.ok()) return valid;
  if (executor == nullptr) return absl::InvalidArgumentError("an executor is needed, not null");
  {
    std::lock_guard lock(executors_mutex_);
    if (!executors_.try_emplace(std::string(name), std::move(executor)).second) {
      return absl::AlreadyExistsError(absl::StrCat("an executor named \"",
                                                   absl::string_view(name.data(), name.size()),
                                                   "\" is registered already"));
    }
  }
  parts_.dispatch->Post([this] { Beat(); });
  return absl::OkStatus();
}

Executor* Worker::Find(const std::string& name) const {
  std::lock_guard lock(executors_mutex_);
  const auto it = executors_.find(name);
  return it == executors_.end() ? nullptr : it->second.get();
}

std::vector<ExecutorRoom> Worker::Rooms() const {
  std::vector<ExecutorRoom> rooms;
  {
    std::lock_guard lock(executors_mutex_);
    rooms.reserve(executors_.size());
    for (const auto& [name, executor] : executors_) {
      rooms.push_back({name, std::clamp(executor->capacity(), 0, 4096)});
    }
  }
  for (const auto& [id, name] : stray_) {
    const auto it = std::find_if(rooms.begin(), rooms.end(),
                                 [&n = name](const ExecutorRoom& r) { return r.executor == n; });
    if (it != rooms.end() && it->runs > 0) --it->runs;
  }
  return rooms;
}

// --- The session --------------------------------------------------------------------------------

void Worker::SetLeader(const NodeId& leader, Term term) {
  raft_term_ = std::max(raft_term_, term);
  if (leader == leader_) return;
  leader_ = leader;
  Beat();
}

void Worker::Beat() {
  parts_.dispatch->Cancel(beat_timer_);
  beat_timer_ = {};
  if (leader_.empty()) return;
  const bool closed = session_ == SessionId() && closed_session_ != SessionId();
  if (IsPlanted(Bug::kSessionNeverReopens) && closed) return;
  const MonoTime now = parts_.runtime->clock().MonoNow();
  HeartbeatMessage beat;
  beat.boot = options_.boot;
  beat.session = session_;
  beat.sequence = ++sequence_;
  beat.wall = parts_.runtime->clock().WallNow();
  beat.term = term_;
  beat.taken = taken_;
  beat.rooms = Rooms();
  beat.draining = draining_;
  beat.level = options_.level;
  beats_.emplace_back(sequence_, now);
  if (beats_.size() > kMaxBeats) beats_.pop_front();
  parts_.send(leader_, std::move(beat));

  std::vector<OutcomeMessage> again;
  for (auto& [id, kept] : outcomes_) {
    if (now - kept.sent < kOutcomeResend) continue;
    kept.sent = now;
    again.push_back(kept.outcome);
  }
  if (!again.empty()) Report(leader_, false, std::move(again));
  ArmBeat();
}

void Worker::ArmBeat() {
  const bool settled = acknowledged_ && outcomes_.empty();
  if (leader_.empty() || (options_.alone && settled) || beat_timer_ != TimerId()) return;
  beat_timer_ =
      parts_.dispatch->PostAt(parts_.runtime->clock().MonoNow() + kHeartbeatInterval, [this] {
        beat_timer_ = {};
        Beat();
      });
}

bool Worker::CanTake() const {
  if (session_ == SessionId() || !acknowledged_) return false;
  return options_.alone ||
         parts_.runtime->clock().MonoNow() - alive_since_ < options_.times.alive_for;
}

void Worker::OnHeartbeatAnswer(const NodeId& from, const HeartbeatAnswerMessage& answer) {
  if (from != leader_ || answer.boot != options_.boot || answer.term < term_) return;
  switch (answer.verdict) {
    case HeartbeatAnswerMessage::Verdict::kOpened:
      if (session_ == SessionId() && answer.session > closed_session_) AdoptSession(answer.session);
      return;
    case HeartbeatAnswerMessage::Verdict::kClosed:
      if (answer.session != session_ || session_ == SessionId()) return;
      parts_.log.Warn(
          "session was closed",
          {{"session", session_.value}, {"leader", from.value}, {"runs", runs_.size()}});
      LoseSession();
      Beat();
      return;
    case HeartbeatAnswerMessage::Verdict::kAcknowledged:
      if (answer.session != session_) return;
      while (!beats_.empty() && beats_.front().first <= answer.sequence) {
        if (beats_.front().first == answer.sequence) {
          acknowledged_ = true;
          alive_since_ = std::max(alive_since_, beats_.front().second);
        }
        beats_.pop_front();
      }
      return;
  }
}

void Worker::AdoptSession(SessionId session) {
  SCHEDULED_ASSERT(runs_.empty() && outcomes_.empty(), "a new session begins without runs");
  session_ = session;
  taken_ = 0;
  acknowledged_ = false;
  beats_.clear();  // what was sent before says nothing about this session
  parts_.log.Info("session opened", {{"session", session_.value}});
  Beat();
}

void Worker::LoseSession() {
  Probe("worker.session-lost");
  for (const DeliveryId& id : RunningIds()) {
    Running& running = runs_.find(id)->second;
    running.control->Cancel();
    stray_.emplace(id, std::move(running.executor));
  }
  runs_.clear();
  deadlines_.clear();
  // Closing put every run of the session back: what they ended as is stale by now.
  outcomes_.clear();
  closed_session_ = session_;
  session_ = {};
  acknowledged_ = false;
}

// --- The channel --------------------------------------------------------------------------------

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
  // Before anything is answered: from here on an older leader's Start is refused.
  const Term before = std::exchange(term_, messages.term);
  if (new_term) taken_ = 0;
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
  if (IsPlanted(Bug::kReconciledBeforeTermRaised))
    parts_.dispatch->Post([this, term = std::exchange(term_, before)] { term_ = term; });
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

// --- The end of runs ----------------------------------------------------------------------------

void Worker::DrainOutbox() {
  std::vector<OutcomeMessage> fresh;
  bool room_came_back = false;
  for (RunAnswer& answer : outbox_->Take()) {
    const auto it = runs_.find(answer.id);
    if (it == runs_.end()) {
      Probe("worker.answer-late");
      room_came_back |= stray_.erase(answer.id) > 0;
      continue;
    }
    OutcomeMessage outcome = Conclude(it->second, std::move(answer.result), answer.end);
    Forget(answer.id);
    Keep(&fresh, std::move(outcome));
  }
  SendFresh(std::move(fresh));
  if (room_came_back) Beat();
}

OutcomeMessage Worker::Conclude(const Running& running, RunResult result, absl::Time end) const {
  OutcomeMessage outcome;
  outcome.key = running.start.key;
  outcome.retryable = IsRetryable(result);
  outcome.retry_after = result.retry_after;
  outcome.uncounted = result.uncounted;
  const bool told_to_stop = running.control && running.control->cancelled();
  if (result.status.ok()) {
    outcome.status = JobStatus::kCompleted;
  } else if (absl::IsDeadlineExceeded(result.status)) {
    outcome.status = JobStatus::kTimeout;
  } else if (told_to_stop && absl::IsCancelled(result.status)) {
    outcome.status = JobStatus::kCancelled;
  } else {
    outcome.status = JobStatus::kFailed;
  }
  pb::RunRow& record = outcome.record;
  record.set_due_us(absl::ToUnixMicros(running.start.due));
  record.set_start_us(absl::ToUnixMicros(running.started));
  record.set_end_us(absl::ToUnixMicros(std::max(end, running.started)));
  record.set_node_id(options_.self.value);
  record.set_status(static_cast<int>(outcome.status));
  record.set_missed(running.start.missed);
  record.set_http_status(result.http_status);
  if (!result.status.ok()) {
    record.set_error_type(
        result.error_type.empty()
            ? absl::AsciiStrToLower(absl::StatusCodeToString(result.status.code()))
            : std::move(result.error_type));
    record.set_error_message(std::string(result.status.message()));
  }
  record.set_response(std::move(result.response));
  CutTexts(&record);
  return outcome;
}

void Worker::Keep(std::vector<OutcomeMessage>* fresh, OutcomeMessage outcome) {
  const DeliveryId id = IdOf(outcome.key);
  parts_.statistics->Executed(outcome.status, absl::FromUnixMicros(outcome.record.end_us()));
  fresh->push_back(outcome);
  if (IsPlanted(Bug::kOutcomeForgotten)) return;
  outcomes_.insert_or_assign(id, Kept{std::move(outcome), parts_.runtime->clock().MonoNow()});
}

void Worker::SendFresh(std::vector<OutcomeMessage> fresh) {
  if (fresh.empty()) return;
  Report(leader_, false, std::move(fresh));
  ArmBeat();
}

std::vector<DeliveryId> Worker::RunningIds() const {
  std::vector<DeliveryId> ids;
  for (const auto& [id, running] : runs_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

void Worker::Forget(DeliveryId id) {
  const auto it = runs_.find(id);
  deadlines_.erase({it->second.deadline, id});
  runs_.erase(it);
}

void Worker::ArmDeadline() {
  const MonoTime first = deadlines_.empty() ? MonoTime::Infinite() : deadlines_.begin()->first;
  if (first >= deadline_armed_) return;
  parts_.dispatch->Cancel(deadline_timer_);
  deadline_armed_ = first;
  deadline_timer_ = parts_.dispatch->PostAt(first, [this] { OnDeadline(); });
}

void Worker::OnDeadline() {
  deadline_armed_ = MonoTime::Infinite();
  const MonoTime now = parts_.runtime->clock().MonoNow();
  std::vector<OutcomeMessage> fresh;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const DeliveryId id = deadlines_.begin()->second;
    Running& running = runs_.find(id)->second;
    deadlines_.erase(deadlines_.begin());
    if (!running.control->ExpireIfDue(now)) {
      running.deadline = running.control->deadline();
      deadlines_.emplace(running.deadline, id);
      continue;
    }
    Probe("worker.timed-out");
    OutcomeMessage outcome =
        Conclude(running, TimedOut(running.start.job->timeout), parts_.runtime->clock().WallNow());
    stray_.emplace(id, std::move(running.executor));
    runs_.erase(id);
    Keep(&fresh, std::move(outcome));
  }
  // That the executor is still busy has to be known before the run's room is given away.
  if (!fresh.empty()) Beat();
  SendFresh(std::move(fresh));
  ArmDeadline();
}

// --- The end of the node ------------------------------------------------------------------------

void Worker::BeginDrain() {
  draining_ = true;
  Beat();
}

void Worker::HandBack() {
  std::vector<OutcomeMessage> fresh;
  for (const DeliveryId& id : RunningIds()) {
    Running& running = runs_.find(id)->second;
    OutcomeMessage outcome = Conclude(running, HandedBack(), parts_.runtime->clock().WallNow());
    running.control->Cancel();
    stray_.emplace(id, running.executor);
    Forget(id);
    Keep(&fresh, std::move(outcome));
  }
  SendFresh(std::move(fresh));
}

void Worker::DrainExecutors() {
  std::vector<Executor*> executors;
  {
    std::lock_guard lock(executors_mutex_);
    for (const auto& [name, executor] : executors_) executors.push_back(executor.get());
  }
  for (Executor* executor : executors) executor->Drain(absl::ZeroDuration());
}

void Worker::CheckInvariants() const {
  SCHEDULED_ASSERT(deadlines_.size() == runs_.size(), "every run has one deadline");
  for (const auto& [id, running] : runs_) {
    SCHEDULED_ASSERT(!outcomes_.contains(id) && !stray_.contains(id), "a run is in one place");
    SCHEDULED_ASSERT(deadlines_.contains({running.deadline, id}), "a run's deadline is known");
  }
  SCHEDULED_ASSERT(session_ != SessionId() || runs_.empty(), "without a session nothing runs");
  SCHEDULED_ASSERT(session_ == SessionId() || session_ > closed_session_,
                   "a session that was closed is not taken up again");
}

}  // namespace scheduled
