// See worker.h: the session, and what follows an executor's answer. How runs begin is in
// worker_channel.cc.
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

// Unanswered heartbeats that are remembered; more than fit into the time that one counts.
constexpr size_t kMaxBeats = 64;

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
  // What has been answered in time may wait behind this timer.
  DrainOutbox();
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
  DrainOutbox();  // what has ended is not handed back
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
