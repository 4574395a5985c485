// See jobs_workload.h: which jobs there are, and their end. What clients do to them afterwards is
// in jobs_changes.cc.
#include "sim/jobs_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/finding.h"
#include "sim/raft_checks.h"
#include "sim/session_checks.h"

namespace scheduled::sim {
namespace {

// How often what hinders a job's end is taken out of its way.
constexpr absl::Duration kNudge = absl::Seconds(1);

}  // namespace

JobsWorkload::JobsWorkload(Random random, bool calm) : random_(random), calm_(calm) {
  every_ = random_.Between(absl::Milliseconds(20), absl::Milliseconds(400));
  horizon_ = random_.Between(absl::Seconds(1), absl::Seconds(20));
  changed_percent_ = random_.Chance(1, 4) ? 0 : static_cast<uint32_t>(random_.Uniform(100));
  if (calm_) settings_.capacity = 4096;  // then nothing waits for room
  if (!calm_ && random_.Chance(1, 6)) settings_.capacity = static_cast<int>(1 + random_.Uniform(4));
  deadly_ = !calm_ && random_.Chance(1, 4);
  settings_.blocks = !calm_ && random_.Chance(1, 8);
  // Half of the seeds cut their logs so short that whoever is away for a while needs a snapshot.
  if (random_.Chance(1, 2)) settings_.log_bytes = (16 << 10) + random_.Uniform(200 << 10);
}

absl::StatusOr<std::unique_ptr<Member>> JobsWorkload::Boot(World& world, Machine& machine) {
  Prepare(world);
  return NodeMember::Open(&world, &machine, history_.get(), levels_.get(), settings_);
}

void JobsWorkload::Prepare(World& world) {
  if (history_ != nullptr) return;
  history_ = std::make_unique<JobHistory>(&world, calm_);
  client_ = std::make_unique<JobClient>(&world, random_.Fork());
  levels_ = std::make_unique<LevelChecks>(&world);
}

void JobsWorkload::Begin(World& world) {
  Prepare(world);
  world.checks().CheckApplication(CheckSessionFrame);
  Next(world);
}

void JobsWorkload::Next(World& world) {
  world.After(random_.Between(absl::Microseconds(1), 2 * every_), [this, &world] {
    if (quiet_) return;
    Create(world);
    Next(world);
  });
}

void JobsWorkload::OnCrash(World& world, Machine& machine) {
  if (client_ == nullptr) return;
  client_->OnCrash(machine);
  if (machine.up() && world.Leader() == machine.number) StopHeld(world);
}

void JobsWorkload::Quiet(World&) { quiet_ = true; }

// ---- What there is to do

JobPlan JobsWorkload::MakePlan(const Job& job) {
  JobPlan plan;
  const bool small = settings_.capacity < 10;
  absl::Duration most = small ? absl::Milliseconds(5) : absl::Milliseconds(50);
  if (!small && random_.Chance(1, 5)) most = absl::Seconds(3);
  plan.takes = random_.Between(absl::ZeroDuration(), std::min(most, job.timeout / 2));
  if (random_.Chance(1, 5)) plan.failures = static_cast<int>(random_.Uniform(4));
  if (random_.Chance(1, 12)) plan.snoozes = static_cast<int>(random_.Uniform(3));
  if (plan.snoozes > 0 && random_.Chance(1, 2)) {
    plan.snooze = random_.Between(absl::Milliseconds(1), absl::Seconds(4));
  }
  if (random_.Chance(1, 15)) plan.end = JobEnd::kRefuse;
  if (!small && random_.Chance(1, 25) && job.timeout < absl::Seconds(2)) {
    plan.end = JobEnd::kOverstay;
  }
  if (deadly_ && random_.Chance(1, 100)) plan.deaths = static_cast<int>(1 + random_.Uniform(7));
  return plan;
}

Job JobsWorkload::MakeJob(World& world, JobRecord* record) {
  Job job;
  job.executor = kExecutor;
  job.retry.max_attempts = static_cast<int>(1 + random_.Uniform(4));
  job.retry.initial = random_.Between(absl::Milliseconds(10), absl::Milliseconds(400));
  job.retry.factor = static_cast<double>(1 + random_.Uniform(3));
  job.timeout = random_.Chance(1, 3) ? absl::Milliseconds(200) : absl::Seconds(20);
  // In microseconds, as jobs hold them.
  const absl::Time now = absl::FromUnixMicros(absl::ToUnixMicros(world.loop().WallNow()));
  const absl::Duration ahead =
      absl::Microseconds(random_.Between(int64_t{0}, absl::ToInt64Microseconds(horizon_)));
  if (random_.Chance(1, 5)) {
    job.type = JobType::kRecurring;
    if (random_.Chance(1, 4)) {
      job.cron_expression = random_.Chance(1, 2) ? "*/2 * * * * *" : "@every 3s";
      job.last_date = now + ahead + absl::Seconds(4);
    } else {
      job.interval = absl::Milliseconds(1000 + 500 * static_cast<int64_t>(random_.Uniform(4)));
      job.timestamp = now + absl::Trunc(ahead / 4, absl::Microseconds(1));
      job.last_date = *job.timestamp + ahead;
    }
    if (random_.Chance(1, 10)) job.last_date.reset();
  } else if (random_.Chance(1, 5)) {
    job.delay = ahead;
  } else {
    job.timestamp = now + ahead - (random_.Chance(1, 10) ? absl::Seconds(2) : absl::ZeroDuration());
    // Now and then many at one instant.
    if (random_.Chance(1, 4)) {
      job.timestamp = absl::FromUnixSeconds(absl::ToUnixSeconds(*job.timestamp) + 1);
    }
  }
  record->plan = MakePlan(job);
  job.payload = record->plan.ToPayload();
  return job;
}

void JobsWorkload::Create(World& world) {
  const int count = random_.Chance(1, 8) ? static_cast<int>(2 + random_.Uniform(30)) : 1;
  std::vector<Job> jobs;
  for (int i = 0; i < count; ++i) {
    const JobId id(fmt::format("j{}", ++last_job_));
    JobRecord& record = history_->Add(id);
    Job job = MakeJob(world, &record);
    job.id = id;
    record.job = job;
    jobs.push_back(std::move(job));
  }
  Submit(world, std::move(jobs));
}

// Jobs that the history knows.
void JobsWorkload::Submit(World& world, std::vector<Job> jobs) {
  std::vector<JobId> ids;
  for (const Job& job : jobs) {
    ids.push_back(job.id);
    history_->Find(job.id)->asked = world.now();
  }
  absl::StatusOr<pb::Command> command = MakeCreate(jobs, [] { return std::string(); });
  Require(command.ok(), "a create that cannot be made: " + command.status().ToString());
  client_->Write(*std::move(command), kTries,
                 [this, &world, ids](const WriteResult& result) { OnCreated(world, ids, result); });
}

absl::Status JobsWorkload::StatusOf(const WriteResult& result) const {
  if (!result.ok()) return result.status();
  return ToStatus(*result);
}

void JobsWorkload::Refuse(JobRecord* job, const absl::Status& why) {
  job->known = absl::IsUnknown(why) ? Known::kUnsure : Known::kRefused;
  Require(job->known == Known::kUnsure || job->deliveries.empty(),
          fmt::format("job {} was refused and has run: {}", job->job.id.value, why.ToString()));
}

void JobsWorkload::OnCreated(World& world, const std::vector<JobId>& ids,
                             const WriteResult& result) {
  const absl::Status status = StatusOf(result);
  // A recurring job without an occurrence up to its last date is refused with its whole batch.
  Require(status.ok() || absl::IsUnknown(status) || absl::IsUnavailable(status) ||
              absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status),
          "a create was answered " + status.ToString());
  for (size_t i = 0; i < ids.size(); ++i) {
    JobRecord& job = *history_->Find(ids[i]);
    if (!status.ok()) {
      Refuse(&job, status);
      continue;
    }
    const pb::JobAnswer& answer = result->jobs(static_cast<int>(i));
    Require(answer.job_id() == ids[i].value, "answers of a batch are in its order");
    // An answer that comes late may find the job cancelled, by who tidies up at the end.
    if (job.known == Known::kAsked) job.known = Known::kPending;
    job.acknowledged = true;
    job.created = world.now();
    PlanChanges(world, ids[i]);
  }
}

// ---- The end

// By whoever has applied most: one that is behind shows as ended what has been brought back since.
std::optional<JobInfo> JobsWorkload::LookAt(World& world, const JobId& id) {
  const Node* newest = nullptr;
  LogIndex applied;
  for (int i = 0; i < world.size(); ++i) {
    const Node* node = JobClient::NodeOf(world.machine(i));
    if (node == nullptr || node->queries() == nullptr || !world.IsInCore(i)) continue;
    const SimTableStore& tables = *world.machine(i).tables;
    if (tables.failed() || (newest != nullptr && tables.applied() <= applied)) continue;
    newest = node;
    applied = tables.applied();
  }
  if (newest == nullptr) return std::nullopt;
  absl::StatusOr<JobInfo> info = newest->queries()->Get(id.value);
  if (info.ok()) return *std::move(info);
  Require(absl::IsNotFound(info.status()), "a read fails: " + info.status().ToString());
  return std::nullopt;
}

// True if the job has ended or is gone.
bool JobsWorkload::Settle(World& world, const JobId& id, JobRecord* job) {
  if (job->ended) return true;
  const std::optional<JobInfo> info = LookAt(world, id);
  // What is not there may come yet: a create that nobody knows the end of.
  if (!info) return true;
  const bool ended = HasEnded(info->status);
  // What is still to be answered, or nobody knows the end of, may bring it back.
  job->ended = ended && job->under_way == 0 && job->known != Known::kUnsure;
  if (ended) return true;
  if (unsettled_.size() < 5) {
    unsettled_.push_back(fmt::format("{} is {}", id.value, JobStatusName(info->status)));
  }
  if (world.now() < nudged_ + kNudge) return false;
  asked_to_settle_ = true;
  // Which of the two comes last, nobody will know.
  if (job->under_way > 0) job->known = Known::kUnsure;
  if (info->status == JobStatus::kPaused) {
    job->disturbed = true;
    Send(world, id, JobVerb::kResume, 0);
  } else if (info->job.type == JobType::kRecurring && !info->job.last_date) {
    job->disturbed = true;
    Send(world, id, JobVerb::kCancel, 0);
  }
  return false;
}

bool JobsWorkload::IsSettled(World& world) {
  unsettled_.clear();
  if (client_->open() > 0 || world.Leader() < 0) return false;
  const bool nudges = world.now() >= nudged_ + kNudge;
  bool settled = true;
  for (auto& [name, job] : history_->jobs()) {
    settled &= Settle(world, JobId(name), &job);
    if (!settled && !nudges) break;  // one is enough to know
  }
  if (std::exchange(asked_to_settle_, false)) nudged_ = world.now();
  if (!settled || client_->open() > 0 || !world.checks().AreEqual()) return false;
  for (int i = 0; i < world.size(); ++i) {
    if (!world.IsInCore(i)) return true;  // the others are still to come
  }
  return levels_->IsSettled() && IsTourOver(world);
}

// One after the other: is handed the leadership, gets a job, and that ends.
bool JobsWorkload::IsTourOver(World& world) {
  if (world.size() == 1 || tour_ == world.size()) return true;
  const int leader = world.Leader();
  if (tour_has_job_ && leader == tour_) {
    tour_has_job_ = false;
    if (history_->Find(tour_job_)->deliveries.empty()) return false;  // it gets another one
    ++tour_;
    return IsTourOver(world);
  }
  if (leader == tour_) {
    Probe("jobs.led-in-turn");
    tour_has_job_ = true;
    tour_job_ = JobId(fmt::format("tour{}", ++last_job_));
    JobRecord& record = history_->Add(tour_job_);
    record.job.id = tour_job_;
    record.job.executor = kExecutor;
    record.job.timestamp = absl::FromUnixMicros(absl::ToUnixMicros(world.loop().WallNow()));
    record.job.payload = record.plan.ToPayload();
    Submit(world, {record.job});
  } else if (world.now() >= tour_asked_ + kNudge) {
    tour_asked_ = world.now();
    world.machine(leader).member->raft().Transfer(world.machine(tour_).id, [](absl::Status) {});
  }
  return false;
}

std::string JobsWorkload::Unsettled(World& world) {
  std::string text = fmt::format(
      "{} calls are open, leader {}, nodes {}, feature level {}", client_->open(),
      world.Leader() + 1, world.checks().AreEqual() ? "equal" : "differ", levels_->reached());
  for (const std::string& one : unsettled_) text += ", " + one;
  return text;
}

// Every run that was ever taken has given its room back, on the leader as on its node.
void JobsWorkload::AwaitRest(World& world) {
  world.checks().AwaitRest();
  const MonoTime limit = world.now() + kRestsWithin;
  for (int i = 0; i < world.size(); ++i) {
    const auto held = [&]() -> std::pair<size_t, size_t> {
      Node& node = *JobClient::NodeOf(world.machine(i));
      Leader* leader = node.leader();
      const size_t rooms = leader == nullptr ? 0 : leader->dispatcher().rooms_taken();
      return {node.worker().running(), rooms};
    };
    while (held() != std::pair<size_t, size_t>()) {
      Require(world.now() < limit, [&] {
        return fmt::format("{} runs {} and has {} rooms taken for ever", world.machine(i).id.value,
                           held().first, held().second);
      });
      world.loop().RunUntil(world.now() + kLookForRest);
    }
  }
}

// As is recorded: of so many deliveries nobody was heard again that there was no other one.
bool JobsWorkload::HasDiedWithItsNode(World& world, const std::string& id) {
  const absl::StatusOr<std::vector<Attempt>> attempts =
      JobClient::NodeOf(world.machine(0))->queries()->Attempts(id);
  Require(attempts.ok(),
          [&] { return "attempts cannot be read: " + attempts.status().ToString(); });
  return !attempts->empty() && attempts->back().error_type == "node_lost";
}

void JobsWorkload::CheckEnd(World& world) {
  world.checks().CheckEqual();
  AwaitRest(world);
  for (int i = 0; i < world.size(); ++i) {
    JobClient::NodeOf(world.machine(i))->machine().CheckInvariants();
  }
  for (const auto& [name, job] : history_->jobs()) {
    const std::optional<JobInfo> info = LookAt(world, JobId(name));
    std::optional<JobStatus> status;
    if (info) status = info->status;
    history_->CheckEnd(job, status,
                       status == JobStatus::kFailed && HasDiedWithItsNode(world, name));
  }
  levels_->CheckEnd();
  world.Digest(history_->starts());
}

}  // namespace scheduled::sim
