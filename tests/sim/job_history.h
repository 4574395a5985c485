// What the client and the executors of one simulation have seen of each job, and what must hold of
// it. Nothing in it was read from a node's tables: the client knows what it asked and what was
// acknowledged, an executor knows what it was given and what it answered.
//
// Checked at each start of a run:
//   1. The job was created, was not refused, and the payload is one that it was given.
//   2. It is not early by the clock of the node that starts it, nor before a retry's wait is over.
//   3. Its cancel, delete, pause or replace was not acknowledged before it was due.
//   4. One run id for all deliveries of an occurrence, one occurrence for a run id, a token for
//      each delivery of its own, larger for each later claim.
//   5. A run starts again only after its attempt failed or was sent back, or where its node may
//      have died or been cut off. Attempts count up by one, and so do the deliveries of one.
//   6. By whatever tables have applied most, its claim still stands: it was neither put back nor
//      given to another before the start; and where the run had been started before and neither
//      failed nor overstayed, that one's session is closed. (These alone look at what is stored.)
//   7. Its node leads, under a lease.
//   8. An occurrence does not begin while the same leader knows of an earlier one that runs, or
//      that waits after an attempt which does not count.
// Checked when a stop is acknowledged:
//   9. Every claim of the job that an earlier leader made, and that is stored still, has been
//      started: none waits for somebody to say so.
// Checked at the end:
//  10. Every acknowledged job that nobody stopped has run, and stands as its last attempt ended.
//  11. Every due occurrence of a recurring job has run once, or is covered by a misfire or by an
//      overlap.
//  12. In a calm simulation nothing was late, and nothing ran twice.
#ifndef SCHEDULED_TESTS_SIM_JOB_HISTORY_H_
#define SCHEDULED_TESTS_SIM_JOB_HISTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scheduled/executor.h"
#include "sim/job_plan.h"
#include "sim/world.h"

namespace scheduled::sim {

// One start that an executor saw.
struct Delivery {
  std::string run_id;
  int machine = 0;
  uint64_t boot = 0;
  int attempt = 0;
  int delivery = 0;
  int missed = 0;
  uint64_t token = 0;
  uint64_t session = 0;  // of its claim; 0: not known
  uint64_t terms = 0;    // that had been led before
  absl::Time due;
  MonoTime start;                       // true time
  MonoTime end = MonoTime::Infinite();  // answered; infinite: not yet, or never
  MonoTime time_up;                     // of the attempt
  absl::Status result;                  // once ended
  bool uncounted = false;
  int version = 0;
};

// How the client knows a job to stand. kUnsure: an answer never came, so that nothing about its
// state can be held against the nodes any more.
enum class Known : uint8_t { kAsked, kPending, kPaused, kCancelled, kDeleted, kRefused, kUnsure };

// Completed, failed, timed out or cancelled.
bool HasEnded(JobStatus status);

struct JobRecord {
  Job job;  // as last acknowledged
  JobPlan plan;
  Known known = Known::kAsked;
  bool acknowledged = false;  // at some time; then never lost
  bool delete_asked = false;
  bool disturbed = false;  // paused, replaced, triggered: occurrences may move
  bool triggered = false;
  int under_way = 0;        // commands of clients
  int changes = 0;          // acknowledged ones
  bool ended = false;       // seen so once all was healed; looked at again at the very end
  MonoTime created;         // true time of the acknowledgement
  MonoTime asked;           // of the first request
  absl::Time stopped_wall;  // since this was the largest reading of any clock ...
  MonoTime stopped;         // ... nothing that was due later may start, after this true time
  int newest_version = 1;   // asked for
  int least_version = 1;    // what was due after replaced_wall has at least this one
  absl::Time replaced_wall;
  MonoTime replaced;
  std::vector<Delivery> deliveries;  // in the order of their starts
};

class JobHistory {
 public:
  explicit JobHistory(World* world, bool calm) : world_(*world), calm_(calm) {}

  JobRecord& Add(const JobId& id);
  JobRecord* Find(const JobId& id);
  std::map<std::string, JobRecord>& jobs() { return jobs_; }

  // An executor begins a run; the number names it afterwards.
  size_t Started(Machine& machine, const RunContext& run);
  int DeliveriesOf(const JobId& job, const std::string& run_id);
  void Ended(const JobId& id, size_t delivery, const RunResult& result);

  // The job's stop was acknowledged.
  void NoteStopped(JobRecord* job);
  // Nothing of it that was claimed before is still to be decided.
  void CheckNothingOpen(const JobRecord& job) const;
  void NoteReplaced(JobRecord* job, int version);
  // How the job stands at the end, or nothing if there is none.
  void CheckEnd(const JobRecord& job, std::optional<JobStatus> status, bool died_with_its_node);

  uint64_t starts() const { return starts_; }
  uint64_t restarts() const { return restarts_; }

 private:
  void CheckWho(const JobRecord& job, const Delivery& now) const;
  void CheckTime(const JobRecord& job, const Delivery& now, const Machine& machine) const;
  void CheckWait(const JobRecord& job, const Delivery& now) const;
  void CheckStopped(const JobRecord& job, const Delivery& now) const;
  void CheckTokens(const JobRecord& job, const Delivery& now);
  void CheckClaim(const JobRecord& job, Delivery* now) const;
  const SimTableStore& NewestTables() const;
  bool IsOpen(uint64_t session) const;
  void CheckAgain(const JobRecord& job, const Delivery& now);
  void CheckOverlap(const JobRecord& job, const Delivery& now) const;
  void CheckOnceEnd(const JobRecord& job, JobStatus status) const;
  void CheckOccurrences(const JobRecord& job) const;
  std::string Name(const JobRecord& job, const Delivery& delivery) const;

  World& world_;
  const bool calm_;
  std::map<std::string, JobRecord> jobs_;
  std::map<std::string, std::pair<std::string, absl::Time>> runs_;  // run id -> job, due
  std::map<std::pair<std::string, uint64_t>, std::string> tokens_;  // of a job -> run id
  uint64_t starts_ = 0;
  uint64_t restarts_ = 0;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_JOB_HISTORY_H_
