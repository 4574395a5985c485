// What jobs mean, in the simplest way that can be written down: plain structs in a map, every
// status and every counter worked out anew when it is asked for. The twin of the state machine in
// model_test.cc. It knows no tables, keys or batches.
#ifndef SCHEDULED_TESTS_JOBS_MODEL_H_
#define SCHEDULED_TESTS_JOBS_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "scheduled/job.h"

namespace scheduled::jobs {

struct ModelRun {
  uint64_t number = 0;
  int64_t ready = 0;
  enum Where { kWaits, kHeld, kFlies } where = kWaits;
  uint64_t token = 0;
  std::string node;
  bool manual = false;
  bool claimed_once = false;
  bool told_to_stop = false;
  bool old_schedule = false;
  int deliveries = 0;
};

struct ModelJob {
  bool recurring = false;
  bool paused = false;
  bool cancelled = false;
  int64_t cursor = 0;
  uint64_t revision = 0;
  std::vector<ModelRun> runs;
  JobStatus last = JobStatus::kCompleted;

  bool Ended() const {
    return std::all_of(runs.begin(), runs.end(), [](const ModelRun& r) { return r.old_schedule; });
  }
  JobStatus Status() const {
    if (cancelled) return JobStatus::kCancelled;
    if (Ended()) return last;
    if (paused) return JobStatus::kPaused;
    for (const ModelRun& run : runs) {
      if (run.where == ModelRun::kFlies && !run.old_schedule) return JobStatus::kInProgress;
    }
    return JobStatus::kPending;
  }
};

// A run in flight without a job: its job was deleted.
struct ModelOrphan {
  std::string job;
  std::string node;
  uint64_t token = 0;
};

struct Model {
  std::map<std::string, ModelJob> jobs;
  std::map<uint64_t, ModelOrphan> orphans;  // by run number
  std::map<std::string, uint64_t> sessions;
  uint64_t next = 0;
  uint64_t created = 0, deleted = 0, dropped = 0, redelivered = 0;
  std::map<JobStatus, uint64_t> ended_runs;

  std::map<JobStatus, uint64_t> Counts() const {
    std::map<JobStatus, uint64_t> counts;
    for (const auto& [id, job] : jobs) ++counts[job.Status()];
    return counts;
  }

  void Enter(ModelJob& job, int64_t ready, bool manual) {
    job.runs.push_back({.number = ++next,
                        .ready = ready,
                        .where = job.paused ? ModelRun::kHeld : ModelRun::kWaits,
                        .manual = manual});
  }

  // A run comes to its end.
  void End(ModelJob& job, size_t i, JobStatus how) {
    const ModelRun run = job.runs[i];
    ++ended_runs[how];
    job.runs.erase(job.runs.begin() + static_cast<long>(i));
    if (run.old_schedule) return;
    if (job.cancelled) job.last = JobStatus::kCancelled;
    // A skipped one never says how the job ended.
    if (!job.cancelled && how != JobStatus::kSkipped) job.last = how;
  }

  // A run that has not ended comes back from flight.
  void ComeBack(ModelJob& job, size_t i, JobStatus if_cancelled = JobStatus::kCancelled) {
    ModelRun& run = job.runs[i];
    if (run.old_schedule) return End(job, i, JobStatus::kSkipped);
    if (job.cancelled) return End(job, i, if_cancelled);
    run.where = job.paused ? ModelRun::kHeld : ModelRun::kWaits;
  }
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_TESTS_JOBS_MODEL_H_
