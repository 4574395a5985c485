// What clients do to jobs that exist: one command at a time on each job, so that what the answers
// say about its state is certain, many of them right around the time when it is due. See
// jobs_workload.h.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "consensus/inspect.h"
#include "sim/finding.h"
#include "sim/jobs_workload.h"

namespace scheduled::sim {
namespace {

bool Stops(JobVerb verb) {
  return verb == JobVerb::kCancel || verb == JobVerb::kDelete || verb == JobVerb::kPause;
}

// 0: nobody leads.
Term LeaderTerm(World& world) {
  const int leader = world.Leader();
  return leader < 0 ? Term() : InspectCore(world.machine(leader).member->raft()).term();
}

}  // namespace

void JobsWorkload::PlanChanges(World& world, const JobId& id) {
  if (!random_.Chance(changed_percent_, 100)) {
    if (random_.Chance(1, 10)) Read(world, id, 0);
    return;
  }
  const int changes = static_cast<int>(1 + random_.Uniform(4));
  const JobRecord& job = *history_->Find(id);
  absl::Duration wait = random_.Between(absl::ZeroDuration(), horizon_);
  if (job.job.timestamp && random_.Chance(1, 2)) {
    // Around its due time, where claims, starts and commands meet.
    wait = *job.job.timestamp - world.loop().WallNow() +
           random_.Between(absl::Milliseconds(-120), absl::Milliseconds(60));
  }
  world.After(std::max(wait, absl::ZeroDuration()),
              [this, &world, id, changes] { Change(world, id, changes); });
}

// The leader dies, and with it what it held: claimed, and not started. Commands on these jobs meet
// the claims of an earlier leader, until it is known what has become of those.
void JobsWorkload::StopHeld(World& world) {
  if (quiet_) return;
  const absl::Time now = world.loop().WallNow();
  for (const auto& [name, job] : history_->jobs()) {
    if (job.known != Known::kPending || !job.job.timestamp) continue;
    const absl::Duration ahead = *job.job.timestamp - now;
    if (ahead < -absl::Milliseconds(20) || ahead > absl::Milliseconds(60)) continue;
    if (random_.Chance(1, 3)) continue;
    Probe("jobs.stopped-after-its-leader");
    const JobVerb verb = random_.Chance(1, 2) ? JobVerb::kCancel : JobVerb::kPause;
    world.After(random_.Between(absl::Milliseconds(200), absl::Seconds(2)),
                [this, &world, id = JobId(name), verb] {
                  const JobRecord& then = *history_->Find(id);
                  if (quiet_ || then.known != Known::kPending || then.under_way > 0) return;
                  Send(world, id, verb, 1);
                });
  }
}

void JobsWorkload::After(World& world, const JobId& id, int left) {
  if (left <= 0 || quiet_) return;
  const absl::Duration most = random_.Chance(1, 2) ? absl::Milliseconds(100) : absl::Seconds(3);
  world.After(random_.Between(absl::ZeroDuration(), most),
              [this, &world, id, left] { Change(world, id, left); });
}

void JobsWorkload::Change(World& world, const JobId& id, int left) {
  if (quiet_) return;
  if (history_->Find(id)->under_way > 0) return After(world, id, left);
  const Known known = history_->Find(id)->known;
  if (known == Known::kCancelled || known == Known::kDeleted || random_.Chance(1, 5)) {
    return Read(world, id, left - 1);
  }
  if (known == Known::kPaused && random_.Chance(1, 2)) {
    return Send(world, id, JobVerb::kResume, left - 1);
  }
  switch (random_.Uniform(6)) {
    case 0:
      return Send(world, id, JobVerb::kCancel, left - 1);
    case 1:
      return Send(world, id, JobVerb::kDelete, left - 1);
    case 2:
      return Send(world, id, JobVerb::kTrigger, left - 1);
    case 3:
      return random_.Chance(1, 3) ? ReplaceStale(world, id, left - 1)
                                  : Replace(world, id, left - 1);
    default:
      return Send(world, id, JobVerb::kPause, left - 1);
  }
}

// Known to be pending, and due by nobody's clock for a while: nothing may refuse a command on it.
bool JobsWorkload::IsCertainlyPending(World& world, const JobRecord& job) const {
  if (job.known != Known::kPending || job.disturbed || !job.job.timestamp) return false;
  for (int i = 0; i < world.size(); ++i) {
    if (world.EverShown(world.machine(i)) >= *job.job.timestamp) return false;
  }
  return true;
}

void JobsWorkload::Send(World& world, const JobId& id, JobVerb verb, int left) {
  JobRecord& job = *history_->Find(id);
  if (verb != JobVerb::kCancel && verb != JobVerb::kDelete) job.disturbed = true;
  if (verb == JobVerb::kTrigger) job.triggered = true;
  if (verb == JobVerb::kDelete) job.delete_asked = true;
  // From the asking on it may be applied, whatever was acknowledged before.
  const bool resumes = verb == JobVerb::kResume && job.known == Known::kPaused;
  if (resumes) job.known = Known::kPending;
  absl::StatusOr<pb::Command> command = MakeVerb(verb, id, "simulated");
  Require(command.ok(), "a command that cannot be made");
  if (world.tracing()) {
    world.Trace("client", fmt::format("verb {} on {}", static_cast<int>(verb), id.value));
  }
  ++job.under_way;
  client_->Write(*std::move(command), kTries,
                 [this, &world, id, verb, left, resumes, changes = job.changes,
                  term = LeaderTerm(world)](const WriteResult& result) {
                   JobRecord& answered = *history_->Find(id);
                   --answered.under_way;
                   // A resume that was not carried out leaves it paused, if it was not cancelled
                   // meanwhile by who tidies up at the end.
                   const absl::Status status = StatusOf(result);
                   if (resumes && answered.known == Known::kPending && !status.ok() &&
                       !absl::IsUnknown(status)) {
                     answered.known = Known::kPaused;
                   }
                   // Which of two that were under way together came first, nobody knows.
                   if (status.ok() && answered.changes++ != changes)
                     answered.known = Known::kUnsure;
                   OnVerb(world, id, verb, result);
                   // Where another leads since, what the one before had sent is for that one to
                   // find out.
                   const bool sure = status.ok() && answered.known != Known::kUnsure &&
                                     term != Term() && term == LeaderTerm(world);
                   if (sure && Stops(verb)) history_->CheckNothingOpen(answered);
                   After(world, id, left);
                 });
}

void JobsWorkload::OnVerb(World& world, const JobId& id, JobVerb verb, const WriteResult& result) {
  JobRecord& job = *history_->Find(id);
  const absl::Status status = StatusOf(result);
  if (world.tracing()) {
    world.Trace("client", fmt::format("verb {} on {}: {}", static_cast<int>(verb), id.value,
                                      status.ToString()));
  }
  if (absl::IsUnknown(status)) {
    job.known = Known::kUnsure;
    return;
  }
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) {
    // Certainly not applied: for the job it was never asked.
    return;
  }
  if (!status.ok()) {
    Require(!IsCertainlyPending(world, job), [&] {
      return fmt::format("a pending job {} refuses verb {}: {}", id.value, static_cast<int>(verb),
                         status.ToString());
    });
    Require(!absl::IsNotFound(status) || job.delete_asked || job.known == Known::kUnsure,
            [&] { return fmt::format("job {} is lost: {}", id.value, status.ToString()); });
    return;
  }
  if (job.known == Known::kUnsure) return;
  switch (verb) {
    case JobVerb::kCancel:
      if (!job.deliveries.empty() && job.deliveries.back().end == MonoTime::Infinite()) {
        Probe("jobs.cancelled-while-running");
      }
      job.known = Known::kCancelled;
      return history_->NoteStopped(&job);
    case JobVerb::kDelete:
      job.known = Known::kDeleted;
      return history_->NoteStopped(&job);
    case JobVerb::kPause:
      job.known = Known::kPaused;
      return history_->NoteStopped(&job);
    case JobVerb::kResume:
      job.known = Known::kPending;
      return;
    default:
      return;
  }
}

void JobsWorkload::Replace(World& world, const JobId& id, int left) {
  JobRecord& job = *history_->Find(id);
  job.disturbed = true;
  Job next = job.job;
  JobPlan plan = MakePlan(next);
  plan.version = ++job.newest_version;
  next.payload = plan.ToPayload();
  if (random_.Chance(1, 2) && next.timestamp) {
    const absl::Duration later = random_.Between(absl::ZeroDuration(), horizon_);
    next.timestamp = absl::FromUnixMicros(absl::ToUnixMicros(world.loop().WallNow() + later));
    if (next.last_date) next.last_date = *next.timestamp + absl::Seconds(5);
  }
  absl::StatusOr<pb::Command> command = MakeReplace(next, std::nullopt);
  Require(command.ok(),
          [&] { return "a replace that cannot be made: " + command.status().ToString(); });
  if (world.tracing()) world.Trace("client", fmt::format("replaces {}", id.value));
  ++job.under_way;
  client_->Write(
      *std::move(command), kTries,
      [this, &world, id, left, next, plan, changes = job.changes](const WriteResult& result) {
        JobRecord& replaced = *history_->Find(id);
        --replaced.under_way;
        const absl::Status status = StatusOf(result);
        if (world.tracing()) {
          world.Trace("client", fmt::format("replaced {}: {}", id.value, status.ToString()));
        }
        if (absl::IsUnknown(status)) {
          replaced.known = Known::kUnsure;
        } else if (status.ok()) {
          replaced.job = next;
          replaced.plan = plan;
          // As in Send. A replace also brings back what was cancelled.
          if (replaced.changes++ != changes) replaced.known = Known::kUnsure;
          history_->NoteReplaced(&replaced, plan.version);
        } else {
          Require(!absl::IsNotFound(status) || replaced.delete_asked,
                  [&] { return fmt::format("job {} is lost: {}", id.value, status.ToString()); });
        }
        After(world, id, left);
      });
}

// By somebody who has seen a revision that the job never had: refused, and nothing is changed, also
// of what the command has withdrawn.
void JobsWorkload::ReplaceStale(World& world, const JobId& id, int left) {
  JobRecord& job = *history_->Find(id);
  Job next = job.job;
  JobPlan plan = job.plan;
  plan.version = job.newest_version + 1;  // never asked for
  next.payload = plan.ToPayload();
  absl::StatusOr<pb::Command> command = MakeReplace(next, Revision(1'000'000'007));
  Require(command.ok(),
          [&] { return "a replace that cannot be made: " + command.status().ToString(); });
  if (world.tracing()) world.Trace("client", fmt::format("replaces {} as another one", id.value));
  ++job.under_way;
  client_->Write(*std::move(command), kTries, [this, &world, id, left](const WriteResult& result) {
    --history_->Find(id)->under_way;
    Require(!StatusOf(result).ok(), "a replace of a revision that never was is carried out");
    Probe("jobs.replace-refused");
    After(world, id, left);
  });
}

void JobsWorkload::Read(World& world, const JobId& id, int left) {
  const JobRecord asked = *history_->Find(id);
  client_->Read(id, [this, &world, id, left, asked](const absl::StatusOr<JobInfo>& info) {
    const JobRecord& now = *history_->Find(id);
    if (!absl::IsUnavailable(info.status())) {
      Require(info.ok() || absl::IsNotFound(info.status()),
              [&] { return "a read fails: " + info.status().ToString(); });
      Require(info.ok() || now.delete_asked,
              [&] { return fmt::format("a read does not see acknowledged job {}", id.value); });
      Require(!info.ok() || asked.known != Known::kDeleted,
              [&] { return fmt::format("a read sees deleted job {}", id.value); });
      if (info.ok() && asked.known != Known::kUnsure &&
          now.newest_version == asked.newest_version) {
        Require(
            info->job.payload == asked.job.payload || asked.newest_version != asked.least_version,
            [&] { return fmt::format("a read sees another version of job {}", id.value); });
      }
    }
    After(world, id, left);
  });
}

}  // namespace scheduled::sim
