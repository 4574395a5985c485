// The workload of whole schedulers: clients create jobs of all kinds and change their minds about
// them, executors run them, and the history says whether it was right (job_history.h). Once all is
// healed every job must come to its end: what is paused is resumed, what would recur for ever is
// cancelled. Then each node is asked to lead, and must be able to run a job.
#ifndef SCHEDULED_TESTS_SIM_JOBS_WORKLOAD_H_
#define SCHEDULED_TESTS_SIM_JOBS_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/client_commands.h"
#include "sim/job_client.h"
#include "sim/job_history.h"
#include "sim/level_checks.h"
#include "sim/node_member.h"
#include "sim/workload.h"

namespace scheduled::sim {

class JobsWorkload final : public Workload {
 public:
  // `calm`: nothing goes wrong in this simulation.
  JobsWorkload(Random random, bool calm);

  absl::StatusOr<std::unique_ptr<Member>> Boot(World& world, Machine& machine) override;
  void Begin(World& world) override;
  void OnCrash(World& world, Machine& machine) override;
  void Quiet(World& world) override;
  bool IsSettled(World& world) override;
  std::string Unsettled(World& world) override;
  void CheckEnd(World& world) override;

 private:
  static void AwaitRest(World& world);
  static constexpr int kTries = 4;  // of a write, before its outcome is unknown

  void Prepare(World& world);
  void Next(World& world);
  void Create(World& world);
  void Submit(World& world, std::vector<Job> jobs);
  Job MakeJob(World& world, JobRecord* record);
  JobPlan MakePlan(const Job& job);
  void OnCreated(World& world, const std::vector<JobId>& ids, const WriteResult& result);
  void Refuse(JobRecord* job, const absl::Status& why);
  void PlanChanges(World& world, const JobId& id);

  void StopHeld(World& world);
  void Change(World& world, const JobId& id, int left);
  void Send(World& world, const JobId& id, JobVerb verb, int left);
  void Replace(World& world, const JobId& id, int left);
  void ReplaceStale(World& world, const JobId& id, int left);
  void Read(World& world, const JobId& id, int left);
  void After(World& world, const JobId& id, int left);
  void OnVerb(World& world, const JobId& id, JobVerb verb, const WriteResult& result);
  bool IsCertainlyPending(World& world, const JobRecord& job) const;
  absl::Status StatusOf(const WriteResult& result) const;

  std::optional<JobInfo> LookAt(World& world, const JobId& id);
  bool Settle(World& world, const JobId& id, JobRecord* job);
  bool IsTourOver(World& world);
  static bool HasDiedWithItsNode(World& world, const std::string& id);

  Random random_;
  const bool calm_;
  NodeSettings settings_;
  absl::Duration every_;      // at most between two creates
  absl::Duration horizon_;    // jobs are due within
  uint32_t changed_percent_;  // of jobs
  bool heavy_ = false;        // long payloads' times
  bool deadly_ = false;       // some jobs take their nodes down
  bool quiet_ = false;
  uint64_t last_job_ = 0;
  std::unique_ptr<JobHistory> history_;
  std::unique_ptr<JobClient> client_;
  std::unique_ptr<LevelChecks> levels_;
  std::vector<std::string> unsettled_;
  MonoTime nudged_;
  bool asked_to_settle_ = false;
  int tour_ = 0;  // whose turn it is to lead; all before have led and run a job
  bool tour_has_job_ = false;
  JobId tour_job_;
  MonoTime tour_asked_;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_JOBS_WORKLOAD_H_
