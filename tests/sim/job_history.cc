// See job_history.h; what is checked at the end is in job_history_end.cc.
#include "sim/job_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "consensus/inspect.h"
#include "jobs/tables.h"
#include "proto/rows.pb.h"
#include "sim/finding.h"
#include "sim/raft_checks.h"

namespace scheduled::sim {
namespace {

// A job's own jitter of its retries, and roundings.
constexpr int64_t kBackoffShare = 85;  // of 100
// Between two machines whose clocks nobody has moved.
constexpr absl::Duration kClocksApart = absl::Milliseconds(100);
constexpr absl::Duration kLongestLag = absl::Seconds(10);
// From the look at the lease to the executor, on one node.
constexpr absl::Duration kHandedOn = absl::Microseconds(100);
// Five deliveries count; a few more may have died before anybody was told that they were taken.
constexpr int kMostDeaths = 10;
// The log index of a claim, in its token.
constexpr uint64_t kTokenIndexMask = (uint64_t{1} << 48) - 1;

std::string At(absl::Time time) {
  return fmt::format("{:.6f}", absl::ToDoubleSeconds(time - absl::FromUnixSeconds(1'780'000'000)));
}

}  // namespace

JobRecord& JobHistory::Add(const JobId& id) { return jobs_[id.value]; }

JobRecord* JobHistory::Find(const JobId& id) {
  const auto job = jobs_.find(id.value);
  return job == jobs_.end() ? nullptr : &job->second;
}

std::string JobHistory::Name(const JobRecord& job, const Delivery& delivery) const {
  return fmt::format("job {} run {} attempt {} delivery {} due {} token {:x} on {}",
                     job.job.id.value, delivery.run_id, delivery.attempt, delivery.delivery,
                     At(delivery.due), delivery.token, world_.machine(delivery.machine).id.value);
}

size_t JobHistory::Started(Machine& machine, const RunContext& run) {
  ++starts_;
  JobRecord* job = Find(run.job_id);
  Require(job != nullptr,
          [&] { return fmt::format("a run of a job that nobody made: {}", run.job_id.value); });
  const std::optional<JobPlan> plan = JobPlan::FromPayload(run.payload());
  Require(plan.has_value(), "a payload that nobody made");
  Delivery now{.run_id = run.run_id,
               .machine = machine.number,
               .boot = machine.boots,
               .attempt = run.attempt,
               .delivery = run.delivery,
               .missed = run.missed,
               .token = run.fencing_token.value,
               .terms = world_.checks().elections(),
               .due = run.due,
               .start = world_.now(),
               .version = plan->version};
  now.time_up = now.start + run.job->timeout;
  if (world_.tracing()) world_.Trace(machine.id.value, "starts " + Name(*job, now));
  world_.Digest(now.run_id);
  world_.Digest(now.token * 64 + static_cast<uint64_t>(now.attempt));
  CheckWho(*job, now);
  CheckTime(*job, now, machine);
  CheckStopped(*job, now);
  CheckTokens(*job, now);
  CheckClaim(*job, &now);
  CheckAgain(*job, now);
  CheckOverlap(*job, now);
  job->deliveries.push_back(std::move(now));
  return job->deliveries.size() - 1;
}

int JobHistory::DeliveriesOf(const JobId& job, const std::string& run_id) {
  const std::vector<Delivery>& all = Find(job)->deliveries;
  return static_cast<int>(std::count_if(
      all.begin(), all.end(), [&](const Delivery& each) { return each.run_id == run_id; }));
}

void JobHistory::Ended(const JobId& id, size_t number, const RunResult& result) {
  Delivery& delivery = Find(id)->deliveries[number];
  delivery.end = world_.now();
  delivery.result = result.status;
  delivery.uncounted = result.uncounted;
  if (world_.tracing()) {
    world_.Trace(world_.machine(delivery.machine).id.value,
                 fmt::format("ends job {} run {} attempt {}: {}", id.value, delivery.run_id,
                             delivery.attempt, result.status.ToString()));
  }
}

void JobHistory::CheckWho(const JobRecord& job, const Delivery& now) const {
  Require(job.known != Known::kRefused,
          [&] { return "a job that was refused runs: " + Name(job, now); });
  Require(now.version <= job.newest_version,
          [&] { return "a payload that was never asked for: " + Name(job, now); });
}

void JobHistory::CheckTime(const JobRecord& job, const Delivery& now,
                           const Machine& machine) const {
  // A later start of a run that has begun is due by its retry's time, of whose clock it may be.
  const bool first = std::none_of(job.deliveries.begin(), job.deliveries.end(),
                                  [&](const auto& each) { return each.run_id == now.run_id; });
  if (!job.triggered && first) {
    Require(now.due <= world_.EverShown(machine), [&] {
      return fmt::format("early by {:.6f} s: {}",
                         absl::ToDoubleSeconds(now.due - world_.EverShown(machine)),
                         Name(job, now));
    });
    // What the client asked for, where nothing has moved it since.
    if (job.job.timestamp && job.newest_version == 1) {
      Require(*job.job.timestamp <= now.due,
              [&] { return "due before it was asked for: " + Name(job, now); });
    }
  }
  // A process that stood still between its look and the start is what tokens are for. And between
  // these two a transfer may give the lease up.
  const bool just_given_up = now.start <= world_.checks().LeaseEnded(machine.number) + kHandedOn;
  Require(
      machine.member->raft().HasLease() || just_given_up || world_.MayLag(now.start - kLongestLag),
      [&] { return "started by a node that has no lease: " + Name(job, now); });
  Require(world_.size() == 1 || world_.MajorityAgrees(machine.number),
          [&] { return "started by a clock that no majority agrees with: " + Name(job, now); });
  if (!world_.clocks_were_moved() && !job.triggered && now.attempt > 1) CheckWait(job, now);
}

// Of a retry.
void JobHistory::CheckWait(const JobRecord& job, const Delivery& now) const {
  for (const Delivery& before : job.deliveries) {
    if (before.run_id != now.run_id || before.attempt != now.attempt - 1 || before.uncounted) {
      continue;
    }
    // One that was given up, or died with its node, says nothing about the wait.
    const bool given_up =
        std::any_of(job.deliveries.begin(), job.deliveries.end(), [&](const Delivery& each) {
          return each.run_id == before.run_id && each.attempt == before.attempt &&
                 each.delivery > before.delivery;
        });
    const bool died = before.boot != world_.machine(before.machine).boots;
    const bool open = before.end == MonoTime::Infinite() && (died || now.start < before.time_up);
    if (given_up || open) continue;
    absl::Duration wait = job.job.retry.initial;
    for (int i = 2; i < now.attempt; ++i) wait *= job.job.retry.factor;
    wait = std::min(wait, job.job.retry.maximum) * kBackoffShare / 100;
    // Who decided when, and who starts it, may be two nodes with two clocks.
    if (world_.size() > 1) wait -= kClocksApart;
    const MonoTime ended = std::min(before.end, before.time_up);
    Require(now.start >= ended + wait || now.version != before.version, [&] {
      return fmt::format("retried {:.6f} s after its attempt ended, and not {:.6f} s: {}",
                         absl::ToDoubleSeconds(now.start - ended), absl::ToDoubleSeconds(wait),
                         Name(job, now));
    });
  }
}

void JobHistory::CheckStopped(const JobRecord& job, const Delivery& now) const {
  const bool stopped =
      job.known == Known::kCancelled || job.known == Known::kDeleted || job.known == Known::kPaused;
  Require(!stopped || now.due <= job.stopped_wall, [&] {
    return fmt::format("runs after its stop was acknowledged at {:.6f} (state {}): {}",
                       static_cast<double>(job.stopped.nanos) / 1e9, static_cast<int>(job.known),
                       Name(job, now));
  });
  Require(job.known == Known::kUnsure || now.version >= job.least_version ||
              now.due <= job.replaced_wall,
          [&] {
            return fmt::format("runs version {} after version {} was acknowledged at {:.6f}: {}",
                               now.version, job.least_version,
                               static_cast<double>(job.replaced.nanos) / 1e9, Name(job, now));
          });
}

void JobHistory::CheckTokens(const JobRecord& job, const Delivery& now) {
  const auto run = runs_.try_emplace(now.run_id, job.job.id.value, now.due).first;
  Require(run->second.first == job.job.id.value,
          [&] { return "one run id for two jobs: " + Name(job, now); });
  Require(run->second.second == now.due || job.triggered, [&] {
    return fmt::format("one run id for two occurrences, {} before: {}", At(run->second.second),
                       Name(job, now));
  });
  const bool fresh = tokens_.try_emplace({job.job.id.value, now.token}, now.run_id).second;
  Require(fresh, [&] { return "a token comes twice: " + Name(job, now); });
  for (const Delivery& before : job.deliveries) {
    if (!job.disturbed) {
      Require(before.due != now.due || before.run_id == now.run_id, [&] {
        return fmt::format("two runs of one occurrence, {} before: {}", before.run_id,
                           Name(job, now));
      });
    }
    if (before.run_id != now.run_id) continue;
    // A start that a paused process makes late is what tokens are for.
    const bool later = now.attempt > before.attempt || now.delivery > before.delivery;
    Require(!later || now.token > before.token,
            [&] { return "a later delivery has a smaller token: " + Name(job, now); });
    Require(now.token > before.token || world_.MayLag(before.start), [&] {
      return fmt::format("started with a smaller token than {:x}: {}", before.token,
                         Name(job, now));
    });
  }
}

const SimTableStore& JobHistory::NewestTables() const {
  const SimTableStore* newest = world_.machine(0).tables.get();
  for (int i = 1; i < world_.size(); ++i) {
    const SimTableStore* tables = world_.machine(i).tables.get();
    if (tables->applied() > newest->applied()) newest = tables;
  }
  return *newest;
}

bool JobHistory::IsOpen(uint64_t session) const {
  for (int i = 0; i < world_.size(); ++i) {
    const auto& rows = NewestTables().rows();
    const auto row = rows.find(jobs::EncodeSessionKey(world_.machine(i).id.value));
    if (row == rows.end()) continue;
    pb::SessionRow open;
    Require(open.ParseFromString(row->second), "a row that does not parse");
    if (open.session() == session) return true;
  }
  return false;
}

void JobHistory::CheckClaim(const JobRecord& job, Delivery* now) const {
  const auto& rows = NewestTables().rows();
  const std::string first = jobs::EncodeInflightKey(job.job.id.value, 0);
  const std::string_view prefix = std::string_view(first).substr(0, first.size() - 8);
  for (auto row = rows.lower_bound(first); row != rows.end() && row->first.starts_with(prefix);
       ++row) {
    pb::InflightRow claim;
    Require(claim.ParseFromString(row->second), "a row that does not parse");
    if (claim.token() == now->token) now->session = claim.session();
  }
  // A process that stood still in between is what tokens are for.
  Require(now->session != 0 || world_.MayLag(now->start - kLongestLag),
          [&] { return "started after its claim had been given up: " + Name(job, *now); });
}

void JobHistory::CheckAgain(const JobRecord& job, const Delivery& now) {
  const Delivery* before = nullptr;
  int attempts = 0;
  int deaths = 0;
  for (const Delivery& each : job.deliveries) {
    if (each.run_id != now.run_id) continue;
    before = &each;
    attempts = std::max(attempts, each.attempt);
    const bool died = each.boot != world_.machine(each.machine).boots;
    deaths += died && each.attempt == now.attempt && each.end == MonoTime::Infinite();
  }
  if (before == nullptr) return;
  Require(deaths <= kMostDeaths, [&] {
    return fmt::format("{} nodes have died with this attempt: {}", deaths, Name(job, now));
  });
  ++restarts_;
  if (now.delivery > before->delivery) Probe("jobs.redelivered");
  Require(now.attempt <= attempts + 1,
          [&] { return "an attempt was left out: " + Name(job, now); });
  Require(now.attempt > before->attempt || now.delivery > before->delivery || before->uncounted,
          [&] { return "a delivery that came to nothing was not counted: " + Name(job, now); });
  // By the node's own clock, which may be a little fast.
  const MonoTime up = before->time_up - (before->time_up - before->start) / 50;
  const bool failed_before = before->end < MonoTime::Infinite() && !before->result.ok();
  Require(failed_before || world_.now() >= up || before->session == 0 || !IsOpen(before->session),
          [&] { return "started again, and its session was never closed: " + Name(job, now); });
  if (world_.MayHaveLost(before->start)) return;
  const bool over = before->end < MonoTime::Infinite() || world_.now() >= before->time_up;
  Require(over, [&] {
    return "started again while it runs, and its node was always there: " + Name(job, now);
  });
  const bool failed = world_.now() >= before->time_up || !before->result.ok();
  Require(failed, [&] {
    return "started again after it had completed, and its node was always there: " + Name(job, now);
  });
  if (before->uncounted) {
    Require(now.attempt == before->attempt,
            [&] { return "an attempt that was sent back was counted: " + Name(job, now); });
  } else {
    Require(now.attempt == before->attempt + 1, [&] {
      return "started again without a new attempt, and its node was always there: " +
             Name(job, now);
    });
  }
}

// An occurrence begins only when those before it are over, as far as one and the same leader knows.
// That is decided when it is claimed first: one that starts late, after a newer one, was claimed by
// an earlier leader, and the newer one could not wait for what nobody knows to have started.
void JobHistory::CheckOverlap(const JobRecord& job, const Delivery& now) const {
  if (job.job.type != JobType::kRecurring || job.disturbed) return;
  std::map<std::string_view, const Delivery*> others;  // by run: the last delivery
  for (const Delivery& each : job.deliveries) {
    if (each.run_id == now.run_id) return;  // it has begun before
    others[each.run_id] = &each;
  }
  for (const auto& [run, last] : others) {
    if (last->terms != now.terms || now.due < last->due) continue;
    if (world_.MayHaveLost(last->start)) continue;
    const MonoTime up = last->time_up - (last->time_up - last->start) / 50;
    const bool runs = last->end == MonoTime::Infinite() && now.start < up;
    Require(!runs && !last->uncounted, [&] {
      return fmt::format("begins while run {} {}: {}", run,
                         runs ? "runs" : "waits for another attempt", Name(job, now));
    });
  }
}

void JobHistory::CheckNothingOpen(const JobRecord& job) const {
  const int leader = world_.Leader();
  if (job.triggered || leader < 0) return;  // such a run does not wait for anybody
  const raft::Core& core = InspectCore(world_.machine(leader).member->raft());
  const auto& rows = NewestTables().rows();
  const std::string first = jobs::EncodeInflightKey(job.job.id.value, 0);
  const std::string_view prefix = std::string_view(first).substr(0, first.size() - 8);
  for (auto row = rows.lower_bound(first); row != rows.end() && row->first.starts_with(prefix);
       ++row) {
    pb::InflightRow claim;
    Require(claim.ParseFromString(row->second), "a row that does not parse");
    // Of its own claims the leader knows what has become: what it has sent counts as started.
    const std::optional<Term> term = core.TermAt(LogIndex(claim.token() & kTokenIndexMask));
    if (!term || *term >= core.term()) continue;
    const bool started =
        std::any_of(job.deliveries.begin(), job.deliveries.end(),
                    [&](const Delivery& each) { return each.token == claim.token(); });
    Require(started || world_.MayLag(world_.now() - kLongestLag), [&] {
      return fmt::format(
          "the stop of job {} was acknowledged while claim {:x} was neither started "
          "nor taken back",
          job.job.id.value, claim.token());
    });
  }
}

void JobHistory::NoteStopped(JobRecord* job) {
  job->stopped = world_.now();
  job->stopped_wall = absl::InfinitePast();
  for (int i = 0; i < world_.size(); ++i) {
    job->stopped_wall = std::max(job->stopped_wall, world_.EverShown(world_.machine(i)));
  }
}

void JobHistory::NoteReplaced(JobRecord* job, int version) {
  job->replaced = world_.now();
  job->least_version = version;
  job->replaced_wall = absl::InfinitePast();
  for (int i = 0; i < world_.size(); ++i) {
    job->replaced_wall = std::max(job->replaced_wall, world_.EverShown(world_.machine(i)));
  }
}

}  // namespace scheduled::sim
