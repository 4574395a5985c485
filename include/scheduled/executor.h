// The callback interface that users implement: what a run is, and how its end is told.
//
// An executor is registered under a name (Scheduler::Register) and gets the runs of all jobs that
// name it, on the node where it is registered.
#ifndef SCHEDULED_EXECUTOR_H_
#define SCHEDULED_EXECUTOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/job.h"
#include "scheduled/types.h"

namespace scheduled {

// How a run ended.
struct RunResult {
  // OK: completed. Otherwise the attempt failed and is retried by the job's policy, unless the code
  // is kInvalidArgument, kFailedPrecondition, kPermissionDenied, kUnimplemented or kNotFound.
  // kDeadlineExceeded is recorded as `timeout`.
  absl::Status status;
  // Overrules what the code says about retrying.
  std::optional<bool> retryable;
  // The next attempt waits at least this long (an HTTP Retry-After, a snooze).
  std::optional<absl::Duration> retry_after;
  // "Not now": the attempt is not counted.
  bool uncounted = false;
  // Recorded with the attempt.
  std::string error_type;
  int http_status = 0;
  std::string response;

  RunResult() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): `return absl::OkStatus();` reads well.
  RunResult(absl::Status s) : status(std::move(s)) {}

  // "Not now, ask again in `wait`": uses up no attempt. kUnavailable, with `why` as its message.
  static RunResult Snooze(absl::Duration wait, std::string_view why = "not now");
};

// The one-time answer of a run. Movable; call it exactly once, from any thread, now or later: a
// second call, and one of an empty Done, stops the process. Destroying or overwriting it uncalled
// fails the attempt (kAborted, "dropped without an answer").
class Done {
 public:
  using Callback = absl::AnyInvocable<void(RunResult) &&>;

  Done() = default;
  explicit Done(Callback callback) : callback_(std::move(callback)) {}
  Done(Done&& other) noexcept : callback_(std::exchange(other.callback_, nullptr)) {}
  Done& operator=(Done&& other) noexcept;
  ~Done();

  void operator()(RunResult result);
  explicit operator bool() const { return callback_ != nullptr; }

 private:
  Callback callback_;
};

// What the library knows about one delivery of a run. Lives until its Done was called.
class RunContext {
 public:
  // The library's side of the two calls below.
  class Control {
   public:
    virtual ~Control() = default;
    virtual bool cancelled() const = 0;
    virtual absl::Status Extend(absl::Duration more) = 0;
    virtual absl::Duration extended() const = 0;  // by all calls of Extend; thread-safe
    virtual void OnCancel(std::function<void()> callback) = 0;
  };

  JobId job_id;
  std::string run_id;  // UUID: equal for each delivery of this occurrence; the receiver's dedup key
  int attempt = 1;
  int delivery = 1;
  absl::Time due;          // nominal time of the occurrence
  absl::Duration late_by;  // start less ready time, by the leader's clock; 0 when on time
  int missed = 0;          // occurrences before this one that it stands for (misfire fire_once)
  FencingToken fencing_token;
  absl::Time deadline;             // start + the job's timeout; Extend moves the real one, not this
  std::shared_ptr<const Job> job;  // the definition, secrets included
  std::shared_ptr<Control> control;

  std::string_view payload() const { return job->payload; }
  // True once the run should stop: its job was cancelled or deleted, its time is up, or this node
  // lost its session. The run's end is still recorded.
  bool cancelled() const { return control && control->cancelled(); }
  // Moves the deadline. kInvalidArgument: `more` is not positive. kFailedPrecondition: the run was
  // cancelled, or nothing keeps its time.
  absl::Status Extend(absl::Duration more) const;
  // `deadline` and what it was extended by. Where the wall clock is set meanwhile, the run's time
  // is up by the monotonic clock all the same.
  absl::Time CurrentDeadline() const;
  // Calls `callback` once when the run is cancelled, at once if it already is; from any thread. At
  // most one callback a run.
  void OnCancel(std::function<void()> callback) const {
    if (control) control->OnCancel(std::move(callback));
  }
};

// Owned by the scheduler that it is registered with, which destroys it after Drain, on the thread
// that destroys the scheduler.
class Executor {
 public:
  virtual ~Executor() = default;

  // Begins a run. Called on a library thread that other runs wait for: hand the work over and
  // return. `run` may be kept until `done` is called. After `done` the library is free to drop it.
  virtual void Run(std::shared_ptr<const RunContext> run, Done done) = 0;
  // Runs taken at once on this node; the leader sends no more. Read often; must be cheap. 1 to
  // 4,096.
  virtual int capacity() const { return 64; }
  // The scheduler drains: no Run follows. Return once all taken runs are done or `patience`, real
  // time, is over. The default does not wait.
  virtual void Drain(absl::Duration patience) { (void)patience; }
};

struct CallbackOptions {
  // The pool's size; the threads exist as long as the executor. 1 to 4,096. Callbacks that wait
  // (for a network, a database) want more; each costs a stack.
  int threads = 16;
  // Runs taken at once, running and queued, 1 to 4,096. 0: as many as threads, so that nothing
  // queues here. More keeps threads busy where callbacks are shorter than the way from the leader;
  // fewer leaves threads idle, so only that many are started.
  int capacity = 0;
};

// Runs `callback` on a pool of its own threads. Ownership is the caller's; hand it to Register.
// A callback may return an absl::Status or a whole RunResult. What it throws is caught, and fails
// the attempt (kInternal). A run that was cancelled while it was queued is not called (kCancelled,
// uncounted). The destructor waits for the callbacks that run, and answers the queued runs with
// "not now". kInvalidArgument: the callback is empty, or an option is out of its bounds; Register
// says so in its turn.
absl::StatusOr<std::unique_ptr<Executor>> CallbackExecutor(
    std::function<RunResult(const RunContext&)> callback, CallbackOptions options = {});

}  // namespace scheduled

#endif  // SCHEDULED_EXECUTOR_H_
