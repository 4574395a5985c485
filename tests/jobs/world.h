// A small world for tests of the state machine: one group's tables in memory, a leader's clock, and
// verbs that build commands as the dispatcher would. Every verb applies one command as an entry of
// its own, and then checks all invariants.
#ifndef SCHEDULED_TESTS_JOBS_WORLD_H_
#define SCHEDULED_TESTS_JOBS_WORLD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/dispatch_view.h"
#include "jobs/job_state_machine.h"
#include "jobs/queries.h"
#include "proto/commands.pb.h"
#include "scheduled/job.h"
#include "storage/memory_table_store.h"

namespace scheduled::jobs {

// Codes of answers.
inline constexpr auto kNotFound = static_cast<int>(absl::StatusCode::kNotFound);
inline constexpr auto kPrecondition = static_cast<int>(absl::StatusCode::kFailedPrecondition);
inline constexpr auto kAborted = static_cast<int>(absl::StatusCode::kAborted);

constexpr int64_t kSecond = 1'000'000;

class World {
 public:
  World();

  // --- The leader's clock -----------------------------------------------------------------------
  int64_t now = int64_t{1'750'000'000} * kSecond;
  void Advance(int64_t micros) { now += micros; }

  // --- Commands ---------------------------------------------------------------------------------
  pb::Answer Apply(pb::Command command);
  // One entry with several commands.
  std::vector<pb::Answer> ApplyTogether(std::vector<pb::Command> commands);
  pb::Command Stamped() const;

  struct JobOptions {
    int64_t due_in = 60 * kSecond;
    std::string queue = "noop";
    int priority = 0;
    JobType type = JobType::kOnce;
    std::string content = "content";  // decides the fingerprint
    std::string idempotency_key;
    std::string request_id;
    uint64_t max_jobs = 0;
  };
  pb::Command CreateCommand(const std::string& id, const JobOptions& options) const;
  pb::Answer Create(const std::string& id, const JobOptions& options);
  pb::Answer Create(const std::string& id) { return Create(id, JobOptions()); }
  pb::Answer CreateRecurring(const std::string& id, int64_t due_in = 60 * kSecond) {
    return Create(id, {.due_in = due_in, .type = JobType::kRecurring});
  }

  // The claim of the job's first waiting run, due or not; its next occurrence is `next_in` after
  // its due time (recurring jobs).
  struct ClaimOptions {
    int64_t next_in = 60 * kSecond;
    bool skip = false;
    int missed = 0;
    int64_t later_by = 0;  // the nominal time moves on by this
    std::string node = "n1";
    std::optional<uint64_t> session;  // else the open one of the node
  };
  pb::ClaimItem ClaimItemFor(const std::string& id, const ClaimOptions& options) const;
  pb::ClaimAnswer Claim(const std::string& id, const ClaimOptions& options);
  pb::ClaimAnswer Claim(const std::string& id) { return Claim(id, ClaimOptions()); }
  pb::ClaimAnswer ClaimExactly(const pb::ClaimItem& item, const std::string& node = "n1");

  // The finish of the job's oldest run in flight.
  struct FinishOptions {
    JobStatus status = JobStatus::kCompleted;
    int64_t retry_in = 0;
    bool uncounted = false;
  };
  pb::FinishAnswer Finish(const std::string& id, const FinishOptions& options);
  pb::FinishAnswer Finish(const std::string& id) { return Finish(id, FinishOptions()); }
  pb::FinishAnswer FinishRun(const pb::RunRef& run, const FinishOptions& options);
  // Claims and finishes in one breath.
  void RunOnce(const std::string& id, JobStatus status = JobStatus::kCompleted);

  struct Control {
    std::vector<pb::RunRef> withdrawn;
    std::string request_id;
  };
  pb::Answer Cancel(const std::string& id, const Control& control);
  pb::Answer Cancel(const std::string& id) { return Cancel(id, Control()); }
  pb::Answer Pause(const std::string& id, const Control& control);
  pb::Answer Pause(const std::string& id) { return Pause(id, Control()); }
  pb::Answer Resume(const std::string& id);
  pb::Answer Trigger(const std::string& id, const std::string& request_id = "");
  pb::Answer Redrive(const std::string& id);
  pb::Answer Delete(const std::string& id, const Control& control);
  pb::Answer Delete(const std::string& id) { return Delete(id, Control()); }

  struct ReplaceOptions {
    bool keeps_schedule = false;
    int64_t due_in = 120 * kSecond;
    std::string queue = "noop";
    int priority = 0;
    JobType type = JobType::kOnce;
    std::optional<uint64_t> if_match;
    std::optional<uint64_t> seen_revision;  // else the present one
    std::vector<pb::RunRef> withdrawn;
    std::string request_id;
  };
  pb::Answer Replace(const std::string& id, const ReplaceOptions& options);

  uint64_t OpenSession(const std::string& node = "n1", uint64_t boot = 1,
                       const std::vector<pb::RunRef>& taken = {});
  struct CloseOptions {
    std::vector<pb::RunRef> taken;
    bool taken_unknown = false;
    int max_deliveries = 5;
  };
  pb::Answer CloseSession(const std::string& node, const CloseOptions& options);
  pb::Answer PutBack(const std::vector<pb::RunRef>& runs);
  pb::Answer Retain(int64_t before, int limit = 1000);
  pb::Answer SweepDedup(int64_t before, int limit = 1000);
  pb::Answer SetGroup(uint32_t level, uint32_t epoch);

  // --- What is there ----------------------------------------------------------------------------
  std::optional<JobRecord> Record(const std::string& id) const;
  JobStatus Status(const std::string& id) const;  // fails the test if there is no such job
  bool Exists(const std::string& id) const { return Record(id).has_value(); }
  pb::CountersRow Counters() const;
  // The job's runs in flight, oldest first.
  std::vector<pb::RunRef> InFlight(const std::string& id) const;
  // Every waiting run, in the order of the table.
  std::vector<SlotKey> Slots() const;
  std::vector<DoneKey> Done() const;
  std::vector<Attempt> Attempts(const std::string& id) const;
  size_t RowsIn(char tag) const;
  std::optional<pb::SessionRow> Session(const std::string& node) const;

  MemoryTableStore store;
  std::unique_ptr<JobStateMachine> machine;
  LogIndex last_index{0};
  Term term{1};
};

// A world in which the node n1 has a session.
class OpenWorld : public World {
 public:
  OpenWorld() { OpenSession(); }
};

// 16 bytes that begin with `text`.
std::string RequestId(const std::string& text);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_TESTS_JOBS_WORLD_H_
