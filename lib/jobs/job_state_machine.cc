// See job_state_machine.h. What each command does is in the files apply_*.cc.
#include "jobs/job_state_machine.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "jobs/apply.h"
#include "jobs/apply_context.h"
#include "jobs/check_tables.h"
#include "jobs/hot_windows.h"
#include "jobs/limits.h"
#include "storage/applied_row.h"

namespace scheduled::jobs {
namespace {

// The job that a command of a client names, other than a create; the withdrawn runs it comes with.
struct Target {
  std::string_view job_id;
  const RunRefs* withdrawn = nullptr;
};

std::optional<Target> TargetOf(const pb::Command& command) {
  switch (command.body_case()) {
    case pb::Command::kReplace:
      return Target{command.replace().job_id(), &command.replace().withdrawn()};
    case pb::Command::kDeleteJob:
      return Target{command.delete_job().job_id(), &command.delete_job().withdrawn()};
    case pb::Command::kCancel:
      return Target{command.cancel().job_id(), &command.cancel().withdrawn()};
    case pb::Command::kPause:
      return Target{command.pause().job_id(), &command.pause().withdrawn()};
    case pb::Command::kResume:
      return Target{command.resume().job_id(), nullptr};
    case pb::Command::kTrigger:
      return Target{command.trigger().job_id(), nullptr};
    case pb::Command::kRedrive:
      return Target{command.redrive().job_id(), nullptr};
    default:
      return std::nullopt;
  }
}

void Run(ApplyContext& ctx, pb::Command* command, pb::Answer* answer) {
  switch (command->body_case()) {
    case pb::Command::kCreate:
      return ApplyCreate(ctx, command->request_id(), command->mutable_create(), answer);
    case pb::Command::kReplace:
      return ApplyReplace(ctx, command->mutable_replace(), answer);
    case pb::Command::kDeleteJob:
      return ApplyDelete(ctx, command->delete_job(), answer);
    case pb::Command::kCancel:
      return ApplyCancel(ctx, command->cancel(), answer);
    case pb::Command::kPause:
      return ApplyPause(ctx, command->pause(), answer);
    case pb::Command::kResume:
      return ApplyResume(ctx, command->resume(), answer);
    case pb::Command::kTrigger:
      return ApplyTrigger(ctx, command->trigger(), answer);
    case pb::Command::kRedrive:
      return ApplyRedrive(ctx, command->redrive(), answer);
    case pb::Command::kClaims:
      return ApplyClaims(ctx, command->claims(), answer);
    case pb::Command::kFinishes:
      return ApplyFinishes(ctx, command->mutable_finishes(), answer);
    case pb::Command::kOpenSession:
      return ApplyOpenSession(ctx, command->open_session(), answer);
    case pb::Command::kCloseSession:
      return ApplyCloseSession(ctx, command->close_session(), answer);
    case pb::Command::kPutBack:
      return ApplyPutBack(ctx, command->put_back(), answer);
    case pb::Command::kRetain:
      return ApplyRetain(ctx, command->retain(), answer);
    case pb::Command::kSweepDedup:
      return ApplySweepDedup(ctx, command->sweep_dedup(), answer);
    case pb::Command::kSetGroup:
      return ApplySetGroup(ctx, command->set_group(), answer);
    case pb::Command::BODY_NOT_SET:
      break;
  }
  RefuseInvalid(answer, "the command says nothing that this version knows");
}

// A write that came before is answered as it was then; what is in flight is told as it is now.
bool AnswerFromMemory(ApplyContext& ctx, const pb::Command& command, const Target& target,
                      pb::Answer* answer) {
  const pb::DedupRow* row =
      ctx.ReadDedup({.kind = DedupKind::kRequest, .key = command.request_id()});
  if (row == nullptr || row->expires_us() <= command.stamp_us()) return false;
  if (IsPlanted(Bug::kDedupForgotten)) return false;
  Probe("jobs: a write is answered from memory");
  if (!answer->ParseFromString(row->answer())) {
    ctx.Corrupt("a remembered answer does not parse", command.request_id());
    return true;
  }
  answer->set_remembered(true);
  if (!IsKeyName(target.job_id)) return true;
  const bool too_many = target.withdrawn != nullptr && target.withdrawn->size() > kMaxItems;
  AnswerInflight(ctx, target.job_id, ctx.ReadSchedule(target.job_id),
                 too_many ? nullptr : target.withdrawn, answer);
  return true;
}

void Remember(ApplyContext& ctx, const pb::Command& command, const Target& target,
              const pb::Answer& answer) {
  pb::Answer* kept = ctx.New<pb::Answer>();
  kept->CopyFrom(answer);
  kept->clear_inflight();
  pb::DedupRow* row = ctx.New<pb::DedupRow>();
  row->set_expires_us(command.stamp_us() + kRequestMemoryUs);
  row->set_job_id(std::string(target.job_id));
  row->set_answer(kept->SerializeAsString());
  ctx.PutDedup({.kind = DedupKind::kRequest, .key = command.request_id()}, *row);
}

}  // namespace

class JobStateMachine::Impl {
 public:
  Impl(TableStore& store, const JobStateMachineOptions& options)
      : store_(store), options_(options), ctx_(store, options.last_level) {}

  absl::Status Load();
  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through);
  void OnLeading(bool leader, Term term);
  absl::StatusOr<Due> TakeDue(Term term, int64_t until_us, std::span<const QueueRoom> rooms,
                              size_t max);
  absl::StatusOr<std::vector<QueueHead>> ReturnDue(Term term, std::span<const SlotKey> rows);
  absl::StatusOr<std::vector<QueueHead>> Heads();
  void CheckInvariants() const;

  TableStore& store() { return store_; }
  AppliedPosition applied() const { return applied_; }
  void SetObserver(DispatchObserver* observer) { observer_ = observer; }

 private:
  std::string ApplyOne(const Command& command);
  void Answer(pb::Command* command, pb::Answer* answer);
  absl::Status TellWindows();
  void BuildWindows();

  TableStore& store_;
  const JobStateMachineOptions options_;
  ApplyContext ctx_;
  AppliedPosition applied_;
  DispatchObserver* observer_ = nullptr;
  std::optional<HotWindows> windows_;  // while leading
  Term windows_of_;                    // the term that they were built for
};

absl::Status JobStateMachine::Impl::Load() {
  const absl::StatusOr<LogPosition> applied = ReadApplied(store_);
  if (!applied.ok()) return applied.status();
  applied_ = {.index = applied->index, .term = applied->term};
  return ctx_.Load();
}

absl::StatusOr<std::vector<std::string>> JobStateMachine::Impl::Apply(
    std::span<const Command> commands, AppliedPosition through) {
  SCHEDULED_ASSERT(through >= applied_, "the applied position does not fall");
  ctx_.BeginBatch(/*collect_slot_events=*/windows_.has_value());
  std::vector<std::string> answers;
  answers.reserve(commands.size());
  for (const Command& command : commands) {
    SCHEDULED_ASSERT(command.index > applied_.index && command.index <= through.index,
                     "a command is applied once, and within its call");
    answers.push_back(ApplyOne(command));
  }
  if (absl::Status status = ctx_.Commit(through); !status.ok()) return status;
  applied_ = through;
  if (absl::Status status = TellWindows(); !status.ok()) return status;
  return answers;
}

std::string JobStateMachine::Impl::ApplyOne(const Command& command) {
  auto* parsed = ctx_.New<pb::Command>();
  auto* answer = ctx_.New<pb::Answer>();
  if (!parsed->ParseFromArray(command.bytes.data(), static_cast<int>(command.bytes.size()))) {
    RefuseInvalid(answer, "the command does not parse");
  } else {
    ctx_.BeginCommand({.index = command.index,
                       .ordinal = command.ordinal,
                       .us = std::max(parsed->stamp_us(), kMinStampUs)});
    Answer(parsed, answer);
  }
  return answer->SerializeAsString();
}

void JobStateMachine::Impl::Answer(pb::Command* command, pb::Answer* answer) {
  const bool has_id = !command->request_id().empty();
  if (has_id && command->request_id().size() != kRequestIdBytes) {
    return RefuseInvalid(answer, "a request id has 16 bytes");
  }
  if (command->stamp_us() < 0 || command->stamp_us() > kMaxStampUs) {
    return RefuseInvalid(answer, "the stamp is no time between 1970 and 9999");
  }
  const std::optional<Target> target = TargetOf(*command);
  const bool remembers = has_id && target.has_value();
  if (remembers && AnswerFromMemory(ctx_, *command, *target, answer)) return;
  Run(ctx_, command, answer);
  if (remembers && answer->code() == 0) Remember(ctx_, *command, *target, *answer);
}

absl::Status JobStateMachine::Impl::TellWindows() {
  if (!windows_.has_value()) return absl::OkStatus();
  const absl::StatusOr<std::vector<HotWindows::Change>> changes =
      windows_->Apply(ctx_.slot_events());
  if (!changes.ok()) return changes.status();
  if (observer_ == nullptr) return absl::OkStatus();
  for (const HotWindows::Change& change : *changes) {
    observer_->OnQueueHead(change.queue, change.ready_us);
  }
  return absl::OkStatus();
}

void JobStateMachine::Impl::BuildWindows() {
  windows_.emplace(store_, HotWindows::Limits{.rows = options_.window, .load = options_.load});
  std::vector<std::pair<std::string, uint64_t>> queues;
  ctx_.ForEachQueue([&](const std::string& name, uint64_t slots) {
    if (slots > 0) queues.emplace_back(name, slots);
  });
  for (const auto& [name, slots] : queues) windows_->Add(name, slots);
}

void JobStateMachine::Impl::OnLeading(bool leader, Term term) {
  windows_.reset();
  windows_of_ = term;
  if (leader) BuildWindows();
  if (observer_ != nullptr) observer_->OnLeading(leader, term);
}

absl::StatusOr<JobStateMachine::Due> JobStateMachine::Impl::TakeDue(
    Term term, int64_t until_us, std::span<const QueueRoom> rooms, size_t max) {
  Due due;
  if (!windows_.has_value() || windows_of_ != term) return due;
  absl::StatusOr<std::vector<SlotKey>> rows = windows_->Take(until_us, rooms, max);
  if (!rows.ok()) return rows.status();
  due.rows = *std::move(rows);
  for (const QueueRoom& room : rooms) {
    absl::StatusOr<std::optional<QueueHead>> head = windows_->Head(room.queue);
    if (!head.ok()) return head.status();
    if (head->has_value()) due.next.push_back(**std::move(head));
  }
  return due;
}

absl::StatusOr<std::vector<QueueHead>> JobStateMachine::Impl::ReturnDue(
    Term term, std::span<const SlotKey> rows) {
  std::vector<QueueHead> heads;
  if (!windows_.has_value() || windows_of_ != term) return heads;
  windows_->Return(rows);
  std::vector<std::string_view> queues;
  for (const SlotKey& row : rows) {
    if (std::find(queues.begin(), queues.end(), row.queue) == queues.end()) {
      queues.push_back(row.queue);
    }
  }
  for (const std::string_view queue : queues) {
    absl::StatusOr<std::optional<QueueHead>> head = windows_->Head(queue);
    if (!head.ok()) return head.status();
    if (head->has_value()) heads.push_back(**std::move(head));
  }
  return heads;
}

absl::StatusOr<std::vector<QueueHead>> JobStateMachine::Impl::Heads() {
  if (!windows_.has_value()) return std::vector<QueueHead>();
  return windows_->Heads();
}

void JobStateMachine::Impl::CheckInvariants() const {
  CheckTables(store_);
  if (windows_.has_value()) windows_->CheckInvariants();
}

JobStateMachine::JobStateMachine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JobStateMachine::~JobStateMachine() = default;

absl::StatusOr<std::unique_ptr<JobStateMachine>> JobStateMachine::Open(
    TableStore& store, JobStateMachineOptions options) {
  SCHEDULED_ASSERT(options.window > 0 && options.load > 0, "a window has room for a row");
  auto impl = std::make_unique<Impl>(store, options);
  if (absl::Status status = impl->Load(); !status.ok()) return status;
  return std::unique_ptr<JobStateMachine>(new JobStateMachine(std::move(impl)));
}

void JobStateMachine::SetObserver(DispatchObserver* observer) { impl_->SetObserver(observer); }

absl::StatusOr<std::vector<std::string>> JobStateMachine::Apply(std::span<const Command> commands,
                                                                AppliedPosition through) {
  return impl_->Apply(commands, through);
}

AppliedPosition JobStateMachine::applied() const { return impl_->applied(); }
absl::StatusOr<LogIndex> JobStateMachine::Durable() const { return impl_->store().FlushedIndex(); }
absl::Status JobStateMachine::Flush() { return impl_->store().Flush(); }
void JobStateMachine::OnLeading(bool leader, Term term) { impl_->OnLeading(leader, term); }

absl::Status JobStateMachine::Checkpoint(const std::string& dir) {
  return impl_->store().Checkpoint(dir);
}

absl::Status JobStateMachine::Install(const std::string& dir, AppliedPosition at) {
  const LogPosition position{at.index, at.term};
  if (absl::Status status = impl_->store().InstallFrom(dir, position); !status.ok()) return status;
  return impl_->Load();
}

absl::StatusOr<JobStateMachine::Due> JobStateMachine::TakeDue(Term term, int64_t until_us,
                                                              std::span<const QueueRoom> rooms,
                                                              size_t max) {
  return impl_->TakeDue(term, until_us, rooms, max);
}

absl::StatusOr<std::vector<QueueHead>> JobStateMachine::ReturnDue(Term term,
                                                                  std::span<const SlotKey> rows) {
  return impl_->ReturnDue(term, rows);
}

absl::StatusOr<std::vector<QueueHead>> JobStateMachine::Heads() { return impl_->Heads(); }
void JobStateMachine::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace scheduled::jobs
