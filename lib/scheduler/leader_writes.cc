// See leader_writes.h.
#include "scheduler/leader_writes.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "jobs/job_model.h"
#include "scheduler/peer_codec.h"

namespace scheduled {
namespace {

// Commands that take back what is held for the job, and so wait for what is unresolved.
bool Withdraws(const pb::Command& command) {
  switch (command.body_case()) {
    case pb::Command::kReplace:
    case pb::Command::kDeleteJob:
    case pb::Command::kCancel:
    case pb::Command::kPause:
      return true;
    default:
      return false;
  }
}

// Commands after which what runs is told to stop.
bool Stops(const pb::Command& command) {
  return command.body_case() == pb::Command::kCancel ||
         command.body_case() == pb::Command::kDeleteJob;
}

void NameWithdrawn(pb::Command* command, const std::vector<RunKey>& runs) {
  google::protobuf::RepeatedPtrField<pb::RunRef>* field = nullptr;
  switch (command->body_case()) {
    case pb::Command::kReplace:
      field = command->mutable_replace()->mutable_withdrawn();
      break;
    case pb::Command::kDeleteJob:
      field = command->mutable_delete_job()->mutable_withdrawn();
      break;
    case pb::Command::kCancel:
      field = command->mutable_cancel()->mutable_withdrawn();
      break;
    case pb::Command::kPause:
      field = command->mutable_pause()->mutable_withdrawn();
      break;
    default:
      return;
  }
  field->Clear();
  for (const RunKey& key : runs) *field->Add() = ToRunRef(key);
}

void CountCreated(const pb::Answer& answer, RunStatistics* statistics) {
  uint64_t created = 0;
  for (const pb::JobAnswer& job : answer.jobs()) created += !job.existed();
  if (answer.code() == 0 && created > 0) statistics->Created(created);
}

}  // namespace

const std::string& JobOf(const pb::Command& command) {
  switch (command.body_case()) {
    case pb::Command::kReplace:
      return command.replace().job_id();
    case pb::Command::kDeleteJob:
      return command.delete_job().job_id();
    case pb::Command::kCancel:
      return command.cancel().job_id();
    case pb::Command::kPause:
      return command.pause().job_id();
    case pb::Command::kResume:
      return command.resume().job_id();
    case pb::Command::kTrigger:
      return command.trigger().job_id();
    default:
      SCHEDULED_ASSERT(command.body_case() == pb::Command::kRedrive, "a client's command on a job");
      return command.redrive().job_id();
  }
}

LeaderWrites::LeaderWrites(TermContext* term, Turns* turns, Dispatcher* dispatcher,
                           const OnCallEnd* on_end)
    : term_(*term), turns_(*turns), dispatcher_(*dispatcher), on_end_(on_end) {}

void LeaderWrites::Execute(WriteCallPtr carried) {
  CarriedCall call(std::move(carried), on_end_);
  if (call->command.has_create()) return ExecuteCreate(std::move(call));
  Watch(call);
  const bool waits = Withdraws(call->command) && !IsPlanted(Bug::kCommandsDoNotWait);
  if (!waits) return TakeTurn(std::move(call));
  const std::string job = JobOf(call->command);
  dispatcher_.WhenResolved(
      job, term_.Guard([this, call = std::move(call)]() mutable { TakeTurn(std::move(call)); }));
}

void LeaderWrites::Watch(const CarriedCall& call) {
  watched_.push_back(call.state());
  if (look_timer_ != TimerId()) return;
  look_timer_ = term_.parts().dispatch->PostAt(term_.MonoNow() + kLook, term_.Guard([this] {
    look_timer_ = {};
    LookForOverdue();
  }));
}

void LeaderWrites::LookForOverdue() {
  const MonoTime now = term_.MonoNow();
  for (const auto& watched : std::exchange(watched_, {})) {
    const std::shared_ptr<CarriedCall::State> call = watched.lock();
    if (call == nullptr) continue;
    if (!call->IsOverdue(now)) {
      watched_.push_back(watched);
      continue;
    }
    Probe("writes.waited-too-long");
    call->End(absl::UnavailableError("the request waited too long for its job"));
  }
  if (watched_.empty()) return;
  look_timer_ = term_.parts().dispatch->PostAt(now + kLook, term_.Guard([this] {
    look_timer_ = {};
    LookForOverdue();
  }));
}

// --- Create -------------------------------------------------------------------------------------

void LeaderWrites::ExecuteCreate(CarriedCall call) {
  TurnKeys keys;
  keys.reserve(call->command.create().items_size());
  for (const pb::CreateItem& item : call->command.create().items()) {
    keys.push_back(Turns::KeyOf(item.job_id()));
  }
  // In one order everywhere, so that two batches never wait for each other.
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  TakeTurns(std::move(call), std::move(keys), 0);
}

void LeaderWrites::TakeTurns(CarriedCall call, TurnKeys keys, size_t next) {
  if (!call) {
    for (size_t i = 0; i < next; ++i) turns_.Pass(keys[i]);
    return;
  }
  while (next < keys.size() && turns_.TryTake(keys[next])) ++next;
  if (next == keys.size()) return ProposeCreate(std::move(call), std::move(keys));
  const TurnKey key = keys[next];
  Watch(call);
  turns_.Take(key,
              term_.Guard([this, call = std::move(call), keys = std::move(keys), next]() mutable {
                TakeTurns(std::move(call), std::move(keys), next + 1);
              }));
}

absl::Status LeaderWrites::FillCreate(pb::Create* create, absl::Time now) {
  create->set_max_jobs(term_.options().max_jobs);
  create->set_dedup_expires_us(absl::ToUnixMicros(now + term_.options().idempotency_window));
  for (pb::CreateItem& item : *create->mutable_items()) {
    pb::Definition definition;
    if (!definition.ParseFromString(item.definition())) {
      return absl::InvalidArgumentError("the definition does not parse");
    }
    absl::StatusOr<jobs::JobSchedule> schedule = schedules_.Get(definition);
    if (!schedule.ok()) return schedule.status();
    const absl::StatusOr<absl::Time> first = schedule->FirstDue(now);
    item.clear_first_due_us();
    item.clear_refusal();
    if (first.ok()) {
      item.set_first_due_us(absl::ToUnixMicros(*first));
    } else {
      item.set_refusal(std::string(first.status().message()));
    }
  }
  return absl::OkStatus();
}

void LeaderWrites::ProposeCreate(CarriedCall call, TurnKeys keys) {
  const auto pass_all = [this](const TurnKeys& taken) {
    for (TurnKey key : taken) turns_.Pass(key);
  };
  if (absl::Status filled = FillCreate(call->command.mutable_create(), term_.WallNow());
      !filled.ok()) {
    pass_all(keys);
    return call.End(std::move(filled));
  }
  pb::Command* const command = &call->command;  // the call stays where it is
  call.MarkProposed();
  auto pass = term_.Guard([keys = std::move(keys), pass_all]() { pass_all(keys); });
  term_.Propose(command, [pass = std::move(pass), statistics = term_.parts().statistics,
                          call = std::move(call)](TermContext::Outcome outcome) mutable {
    pass();
    if (outcome.answer.ok()) CountCreated(*outcome.answer, statistics);
    call.End(std::move(outcome.answer));
  });
}

// --- Everything else is about one job -----------------------------------------------------------

void LeaderWrites::TakeTurn(CarriedCall call) {
  if (!call) return;  // its time was over before
  const TurnKey key = Turns::KeyOf(JobOf(call->command));
  turns_.Take(key, term_.Guard([this, key, call = std::move(call)]() mutable {
    if (!call) return turns_.Pass(key);
    WithTurn(std::move(call));
  }));
}

void LeaderWrites::WithTurn(CarriedCall call) {
  if (call->command.has_replace()) return ReadForReplace(std::move(call));
  if (call->command.has_delete_job()) {
    call->command.mutable_delete_job()->set_dedup_expires_us(
        absl::ToUnixMicros(term_.WallNow() + term_.options().request_window));
  }
  Propose(std::move(call));
}

void LeaderWrites::ReadForReplace(CarriedCall call) {
  const std::string job = JobOf(call->command);
  term_.Ask(
      term_.parts().read,
      [tables = term_.parts().tables, job] {
        return jobs::ReadJob(*tables, job, jobs::JobDetail::kWithoutInFlight);
      },
      [this, key = Turns::KeyOf(job),
       call = std::move(call)](absl::StatusOr<std::optional<jobs::JobRecord>> record) mutable {
        if (!call) return turns_.Pass(key);
        absl::Status filled;
        if (!record.ok()) {
          term_.parts().failed("the job that a replace names", record.status());
          filled = absl::UnavailableError("this node cannot read its tables");
        } else {
          filled = FillReplace(call->command.mutable_replace(), *record, term_.WallNow());
        }
        if (filled.ok()) return Propose(std::move(call));
        turns_.Pass(key);
        call.End(std::move(filled));
      });
}

absl::Status LeaderWrites::FillReplace(pb::Replace* replace,
                                       const std::optional<jobs::JobRecord>& old, absl::Time now) {
  // A job that is not there is for Apply to say, at this command's place in the log.
  if (!old) return absl::OkStatus();
  pb::Definition definition;
  if (!definition.ParseFromString(replace->definition())) {
    return absl::InvalidArgumentError("the definition does not parse");
  }
  replace->set_seen_revision(old->revision);
  replace->set_keeps_schedule(jobs::IsSameSchedule(old->definition, definition));
  if (replace->keeps_schedule()) return absl::OkStatus();
  absl::StatusOr<jobs::JobSchedule> schedule = schedules_.Get(definition);
  if (!schedule.ok()) return schedule.status();
  const absl::StatusOr<absl::Time> first = schedule->FirstDue(now);
  if (!first.ok()) return first.status();
  replace->set_first_due_us(absl::ToUnixMicros(*first));
  return absl::OkStatus();
}

void LeaderWrites::Propose(CarriedCall call) {
  // Proposing again begins with withdrawing again: what was given back may be held anew.
  if (Withdraws(call->command)) {
    NameWithdrawn(&call->command, dispatcher_.WithdrawJob(JobOf(call->command)));
  }
  pb::Command* const command = &call->command;  // the call stays where it is
  call.MarkProposed();
  const ProposeOptions how{.alone = command->has_delete_job()};
  // While it is under way the call belongs to the proposal, so that it is answered even if the term
  // ends before it.
  auto in_term = term_.Guard([this](CarriedCall* c, TermContext::Outcome* outcome) {
    OnAnswer(std::move(*c), std::move(*outcome));
  });
  term_.Propose(
      command,
      [in_term = std::move(in_term), call = std::move(call)](TermContext::Outcome outcome) mutable {
        in_term(&call, &outcome);
        if (call) call.End(std::move(outcome.answer));
      },
      how);
}

void LeaderWrites::OnAnswer(CarriedCall call, TermContext::Outcome outcome) {
  if (absl::IsUnknown(outcome.answer.status())) {
    // The term is as good as over: what was withdrawn stays so, and the turn is not passed.
    return call.End(std::move(outcome.answer));
  }
  const std::string job = JobOf(call->command);
  const TurnKey key = Turns::KeyOf(job);
  if (Withdraws(call->command)) {
    const bool stops = Stops(call->command) && outcome.answer.ok() && !outcome.answer->remembered();
    dispatcher_.AfterCommand(job, outcome.answer.ok() ? &*outcome.answer : nullptr, stops);
  }
  const bool stale = outcome.answer.ok() && outcome.answer->reason() == "stale";
  if (stale && call->recomputed < kMaxRecomputations) {
    Probe("writes.stale-again");
    ++call->recomputed;
    return WithTurn(std::move(call));
  }
  turns_.Pass(key);
  if (call->command.has_delete_job() && outcome.answer.ok() && outcome.answer->code() == 0) {
    term_.parts().statistics->Deleted();
  }
  call.End(std::move(outcome.answer));
}

}  // namespace scheduled
