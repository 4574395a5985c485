// The scheduler: durable one-time and recurring jobs inside your process, replicated once it has
// peers. Open one, register executors, schedule jobs.
//
//   auto scheduler = Scheduler::Open({.data_dir = "/var/lib/app/jobs"});
//   if (!scheduler.ok()) ...
//   (*scheduler)->Register("email", CallbackExecutor(SendEmail));
//   (*scheduler)->Schedule(Job::In(absl::Minutes(5)).Executor("email").Payload("..."));
//
// What is promised: a job that was acknowledged is on disk on a majority; no run starts before its
// due time; each due occurrence runs at least once, and twice only if its node died or was cut off
// between start and recorded finish, or its handler failed and is retried.
//
// Errors are absl::Status, chosen by what the caller does next: kInvalidArgument (change the
// request), kNotFound, kAlreadyExists (same id or key, other content), kAborted (revision
// mismatch), kFailedPrecondition (the job's state does not allow it), kResourceExhausted (back
// off), kUnavailable (not applied: retry), kUnknown (may have been applied: read, or retry with the
// same id). No exception leaves the library.
//
// Threads: all methods are thread-safe. The overloads with a Completion never block; the others
// wait for them, and must not be called from a completion (it would wait for itself), nor from an
// executor whose only thread the wait would hold.
#ifndef SCHEDULED_SCHEDULER_H_
#define SCHEDULED_SCHEDULER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/clock.h"
#include "scheduled/cluster.h"
#include "scheduled/completion.h"
#include "scheduled/executor.h"
#include "scheduled/job.h"
#include "scheduled/log.h"
#include "scheduled/transport.h"
#include "scheduled/types.h"

namespace scheduled {

// Threads: over the system's clock a Scheduler has seven of its own, which sleep while there is
// nothing to do, and RocksDB three that all Schedulers of the process share; under a ManualClock
// there are none. What is handed in brings its own: a WebhookExecutor one, a CallbackExecutor its
// pool, a GrpcTransport one, and gRPC itself about a dozen for the whole process.
struct Options {
  // --- What it does ---------------------------------------------------------------------------

  // Where everything is kept; created if missing. Empty only together with a ManualClock: then
  // nothing outlives the Scheduler.
  std::string data_dir;
  // This node's name within its group. Kept in the data directory: a directory of another node is
  // refused.
  NodeId node_id{"n1"};
  // The group: every voter's name and peer address, this node's own may be among them. Empty: a
  // group of one. A group of one does not grow into three yet: that is refused.
  std::map<NodeId, std::string> peers;
  // How peers are reached. Needed with peers: GrpcTransport(...) of grpc_transport.h, or
  // InprocNetwork of inproc_transport.h.
  std::unique_ptr<Transport> transport;
  // Null: the system's clock.
  std::shared_ptr<Clock> clock;
  // How long finished jobs, their attempts and skipped runs are kept; at least 0. The leader's
  // value counts.
  absl::Duration history_retention = absl::Hours(24 * 7);
  // Creates beyond this many jobs (finished ones that are retained included) are refused; at
  // least 1. The leader's value counts.
  uint64_t max_jobs = 10'000'000;
  // A leader with peers claims nothing before a majority's clocks agree with its own within this;
  // 10 ms to 24 h.
  absl::Duration max_clock_skew = absl::Milliseconds(500);
  // Where log lines go; null: nowhere.
  LogSink log;

  // --- How fast it does it --------------------------------------------------------------------

  // Due rows are claimed this long ahead of their time: must cover one commit. 10 ms to 1 s.
  absl::Duration claim_ahead = absl::Milliseconds(50);
  // Of the group's leader; 10 ms to election_timeout / 3.
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  // An election begins between one and two of these after the last heartbeat; the leader's lease is
  // 5/6 of it, so that it ends before. 300 ms to 1 min. Longer where the network is slow; failover
  // is too.
  absl::Duration election_timeout = absl::Milliseconds(300);
  // Upper bound on what the destructor waits for runs to end; what still runs then is handed back.
  // 0 to 24 h.
  absl::Duration drain_timeout = absl::Seconds(30);
  // With peers: a log that is longer is cut, whoever lags behind it, and they get a snapshot; up to
  // there they need none. Costs as much disk. 1 MiB to 2 GiB.
  uint64_t compact_log_bytes = uint64_t{512} << 20;
  // Of a snapshot to one peer. More brings a peer back sooner, and takes disk and network from what
  // else goes on. At least 64 KiB; null is as fast as it goes.
  std::optional<uint64_t> snapshot_bytes_per_second = uint64_t{64} << 20;

  // Names field, value and bound of the first thing that is wrong; kInvalidArgument.
  absl::Status Validate() const;
};

enum class Consistency : uint8_t {
  kLinearizable = 1,  // sees every write that was acknowledged before the call
  kStale = 2,         // this node's own tables, without asking anybody
};

struct JobFilter {
  std::optional<JobStatus> status;
  std::string executor;
  std::optional<absl::Time> due_before;
};

// Where the next page begins; opaque, printable, valid as long as the cluster. Empty: the start.
struct PageToken {
  std::string value;
  int limit = 100;  // rows a page, 1 to 1,000
};

struct JobPage {
  std::vector<JobInfo> jobs;
  std::optional<uint64_t> total;  // only without a filter, or where status is the sole one
  std::string next;               // empty: this was the last page
};

// How many jobs stand where; kept as counters, read in constant time.
struct Counts {
  uint64_t jobs = 0;  // all that exist, finished ones included
  uint64_t pending = 0;
  uint64_t in_progress = 0;
  uint64_t paused = 0;
  uint64_t completed = 0;
  uint64_t failed = 0;
  uint64_t timeout = 0;
  uint64_t cancelled = 0;
};

// Numbers since the start of this process, for metrics.
struct Statistics {
  uint64_t created = 0;
  uint64_t deleted = 0;
  uint64_t executed_completed = 0;
  uint64_t executed_failed = 0;
  uint64_t executed_timeout = 0;
  uint64_t executed_cancelled = 0;
  uint64_t skipped = 0;
  uint64_t redelivered = 0;
  uint64_t elections = 0;
  std::optional<absl::Time> last_executed_at;
  // Lateness of runs started on this node: counts in buckets with upper bounds in seconds.
  static constexpr double kLatenessBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                               0.025,  0.05,    0.1,    0.5,   1,      5};
  std::vector<uint64_t> lateness_buckets;  // one more than bounds; not cumulative
  double lateness_sum = 0;                 // seconds
};

class Scheduler {
 public:
  // Opens or creates the data directory (in a parent that exists) and starts. kInvalidArgument:
  // options; kFailedPrecondition: the directory is locked, on a read-only file system, somebody
  // else's, of another node or other members, or newer than this library; kDataLoss: it is damaged;
  // kUnavailable: the peer address is in use, or an I/O error; kPermissionDenied,
  // kResourceExhausted: as the disk says. May return before the group has a leader: calls wait for
  // one, and cluster().caught_up tells.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Open(Options options);

  // Drains: claims nothing more, waits for what runs (at most options.drain_timeout), hands back
  // the rest and the leadership, and closes. Calls in flight get kUnavailable or kUnknown.
  ~Scheduler();

  // Makes an executor known under a name of 1 to 128 letters, digits, '.', '_', '-' or ':'; once a
  // name, best right after Open. Runs for a name that no node knows wait, they do not fail. The
  // scheduler drains the executor and destroys it when it closes itself: what its callbacks use has
  // to live longer. "noop" is always there; kAlreadyExists: so is this one. An executor that could
  // not be made is refused with what stood in its way; kInvalidArgument: it is null, or the name.
  absl::Status Register(std::string_view name, absl::StatusOr<std::unique_ptr<Executor>> executor);

  // Returns when the job is durable on a majority. kAlreadyExists: the id or idempotency key stands
  // for other content; with the same content the existing job is returned, and one that has been
  // deleted since then, as it was made. kResourceExhausted: the limit of jobs is reached, or too
  // much is under way (StatusReason tells them apart, reason.h).
  absl::StatusOr<JobInfo> Schedule(Job job);
  void Schedule(Job job, Completion<absl::StatusOr<JobInfo>> done);
  // All or nothing; answers in order. Ids and idempotency keys in one batch are distinct, or equal
  // in content. kResourceExhausted: more than 10,000 jobs, or larger than one entry (4 MiB).
  absl::StatusOr<std::vector<JobInfo>> ScheduleBatch(std::vector<Job> jobs);
  void ScheduleBatch(std::vector<Job> jobs, Completion<absl::StatusOr<std::vector<JobInfo>>> done);

  absl::StatusOr<JobInfo> Get(const JobId& id,
                              Consistency consistency = Consistency::kLinearizable) const;
  void Get(const JobId& id, Consistency consistency,
           Completion<absl::StatusOr<JobInfo>> done) const;
  // Completes once this node's own tables have every write that was acknowledged before the call,
  // so that what is read from then on with kStale has them too: a linearizable read that holds no
  // thread while it waits for a leader. kUnavailable: there was none to ask for 10 s.
  absl::Status Barrier() const;
  void Barrier(Completion<absl::Status> done) const;
  // In the order of their ids, or with a status in that of its index; a page may hold less than its
  // limit, even nothing, and go on. Stale unless asked for more, since a list is old when it is
  // read. kInvalidArgument: the filter, the limit, or a token of another filter.
  absl::StatusOr<JobPage> List(const JobFilter& filter, const PageToken& page,
                               Consistency consistency = Consistency::kStale) const;
  // All recorded deliveries of the job's runs that are retained, newest last (at most 1,000).
  absl::StatusOr<std::vector<Attempt>> Attempts(
      const JobId& id, Consistency consistency = Consistency::kLinearizable) const;

  // Replaces the whole definition: what is not given falls to its default, also secret and
  // bearer_token, which a JobInfo does not have. Cursor and pending runs stay if the schedule is
  // the same. idempotency_key has no meaning here. kNotFound; kAborted: `if_match` is not the job's
  // revision.
  absl::StatusOr<JobInfo> Replace(Job job, std::optional<Revision> if_match = std::nullopt);
  void Replace(Job job, std::optional<Revision> if_match, Completion<absl::StatusOr<JobInfo>> done);
  // Of the calls from here on kNotFound: there is no such job. Delete removes the job and its
  // history. What runs is told to stop.
  absl::Status Delete(const JobId& id);
  void Delete(const JobId& id, Completion<absl::Status> done);
  // kFailedPrecondition: it has already ended. What runs is told to stop and its end is recorded.
  absl::StatusOr<JobInfo> Cancel(const JobId& id, std::string_view reason = "");
  void Cancel(const JobId& id, std::string_view reason, Completion<absl::StatusOr<JobInfo>> done);
  // Nothing of it starts until Resume; what runs goes on. kFailedPrecondition: it has ended.
  absl::StatusOr<JobInfo> Pause(const JobId& id);
  void Pause(const JobId& id, Completion<absl::StatusOr<JobInfo>> done);
  absl::StatusOr<JobInfo> Resume(const JobId& id);
  void Resume(const JobId& id, Completion<absl::StatusOr<JobInfo>> done);
  // Runs it now: a pending one-time job's run moves to now (kFailedPrecondition while it runs); a
  // recurring job gets a run outside of its schedule.
  absl::StatusOr<JobInfo> Trigger(const JobId& id);
  void Trigger(const JobId& id, Completion<absl::StatusOr<JobInfo>> done);
  // Runs a failed or timed-out job again with fresh attempts. kFailedPrecondition: it is neither.
  absl::StatusOr<JobInfo> Retry(const JobId& id);
  void Retry(const JobId& id, Completion<absl::StatusOr<JobInfo>> done);

  // As this node's own tables have it, which may lag behind the leader's; never waits.
  Counts counts() const;
  ClusterStatus cluster() const;
  Statistics statistics() const;
  // Hands leadership to `to`, or to the most caught-up peer; returns once another leads.
  // kFailedPrecondition: not the leader, or `to` is no voter; kDeadlineExceeded: `to` did not catch
  // up in time, and this node still leads.
  absl::Status TransferLeadership(std::optional<NodeId> to = std::nullopt);

 private:
  class Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled

#endif  // SCHEDULED_SCHEDULER_H_
