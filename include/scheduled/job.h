// A job as a value: what to do, when, and how often to try. Build one with the sentence-like
// builder, hand it to Scheduler::Schedule, and read it back as a JobInfo.
//
//   Job::At(absl::Now() + absl::Minutes(5)).Executor("email").Payload(bytes)
//   Job::Cron("0 9 * * MON-FRI", "Europe/Madrid").Webhook("https://example.com/hook")
//
// The builder's calls take over the job that they are called on: write them in one expression, or
// set the fields, which are public, one by one.
//
// All instants are held in microseconds; what is finer is cut off.
#ifndef SCHEDULED_JOB_H_
#define SCHEDULED_JOB_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

enum class JobType : uint8_t { kOnce = 1, kRecurring = 2 };

// What happens to occurrences whose time passed while nobody could run them.
enum class Misfire : uint8_t {
  kFireOnce = 1,  // one run for all that were missed, with the last one's nominal time
};

// What happens when an occurrence is due while the one before it still runs, or waits to be tried
// again.
enum class Overlap : uint8_t {
  kSkip = 1,  // it is recorded as skipped
};

// What a cron expression means where clocks change.
enum class Dst : uint8_t {
  kVixie = 1,  // a time in a gap runs right after it, one in a repeated hour runs once
  kSkip = 2,   // a time in a gap is skipped, one in a repeated hour runs twice
};

// A job's state: a view of where its runs stand.
//
//   pending --due--> in_progress --ok--> completed      (recurring: back to pending, or completed
//      ^                |   |                             once there is no next occurrence)
//      +----retry-------+   +--attempts used up--> failed
//      |                +--------over its time--> timeout   (retried as a failure is)
//      +--pause--> paused --resume--> pending
//      +--cancel--> cancelled                           (from in_progress and paused too)
enum class JobStatus : uint8_t {
  kPending = 1,
  kInProgress = 2,
  kCompleted = 3,
  kFailed = 4,
  kTimeout = 5,
  kCancelled = 6,
  kPaused = 7,
  kSkipped = 8,  // of a run: recorded and not executed
};
// "pending", "in_progress", ...: the words of the HTTP API.
std::string_view JobStatusName(JobStatus status);
std::optional<JobStatus> ParseJobStatus(std::string_view name);

// When an attempt that failed is tried again: attempt k waits initial * factor^(k-1), at most
// `maximum`, with plus or minus `jitter` of it.
struct RetryPolicy {
  int max_attempts = 3;                       // 1 to 1,000, the first attempt included
  absl::Duration initial = absl::Seconds(1);  // 1 ms to 30 days
  absl::Duration maximum = absl::Minutes(5);  // initial to 30 days
  double factor = 2.0;                        // 1 to 100
  double jitter = 0.1;                        // 0 to 1, a share of the wait
  bool operator==(const RetryPolicy&) const = default;
};

// Where and how a webhook is delivered. Used by the executor named "webhook", which a host
// registers like any other: Register("webhook", WebhookExecutor()), see webhook.h. Without it a job
// that has a URL waits.
struct WebhookTarget {
  std::string url;              // http or https, at most 2,048 bytes
  std::string method = "POST";  // POST, PUT, PATCH, GET or DELETE
  // At most 64, 8 KiB in all; none that the library sends itself (Host, Content-Type,
  // webhook-id...).
  std::map<std::string, std::string> headers;
  std::string secret;        // signs the request (Standard Webhooks); never read back
  std::string bearer_token;  // Authorization; never read back
  bool operator==(const WebhookTarget&) const = default;
};

struct Job {
  JobId id;  // empty: a UUIDv7 is chosen where the job enters the cluster
  JobType type = JobType::kOnce;
  // Once: when it is due; a time that is past runs at once, marked late. Recurring: the first run,
  // or the start that `interval` counts from; the present if not given.
  std::optional<absl::Time> timestamp;
  // Relative due time, resolved by the leader's clock when the job is created. Not with timestamp.
  std::optional<absl::Duration> delay;
  std::string cron_expression;             // recurring: this or `interval`
  std::string timezone = "UTC";            // IANA name, for cron_expression alone
  std::optional<absl::Duration> interval;  // recurring: at least 1 s
  std::optional<absl::Time> last_date;     // recurring: no occurrence after it
  std::string executor;                    // empty: "webhook" if there is a URL, else "noop"
  // At most 1 MiB; delivered byte for byte. Of a webhook it has to be UTF-8: within the body it
  // stands as it is where it is JSON, else as a string of JSON.
  std::string payload;
  WebhookTarget webhook;
  absl::Duration timeout = absl::Seconds(30);  // of one attempt; 1 ms to 24 h
  RetryPolicy retry;
  Misfire misfire = Misfire::kFireOnce;
  Overlap overlap = Overlap::kSkip;
  Dst dst = Dst::kVixie;        // for cron_expression alone
  std::string idempotency_key;  // of the create; at most 255 bytes; remembered for 24 hours
  // What "the same create" means when an id or key comes again: SHA-256 of the request as it was
  // received. Empty: taken from the fields above.
  std::string fingerprint;

  static Job At(absl::Time time);
  static Job In(absl::Duration delay);
  static Job Cron(std::string expression, std::string timezone = "UTC");
  static Job Every(absl::Duration interval);

  Job&& Id(std::string id) && { return this->id = JobId(std::move(id)), std::move(*this); }
  Job&& Executor(std::string name) && { return executor = std::move(name), std::move(*this); }
  Job&& Payload(std::string bytes) && { return payload = std::move(bytes), std::move(*this); }
  Job&& Webhook(std::string url) && { return webhook.url = std::move(url), std::move(*this); }
  Job&& Webhook(WebhookTarget target) && { return webhook = std::move(target), std::move(*this); }
  Job&& Retry(RetryPolicy policy) && { return retry = policy, std::move(*this); }
  Job&& Timeout(absl::Duration limit) && { return timeout = limit, std::move(*this); }
  Job&& StartingAt(absl::Time first) && { return timestamp = first, std::move(*this); }
  Job&& Until(absl::Time last) && { return last_date = last, std::move(*this); }
  Job&& OnMisfire(Misfire policy) && { return misfire = policy, std::move(*this); }
  Job&& OnOverlap(Overlap policy) && { return overlap = policy, std::move(*this); }
  Job&& OnClockChange(Dst policy) && { return dst = policy, std::move(*this); }
  Job&& IdempotencyKey(std::string key) && {
    return idempotency_key = std::move(key), std::move(*this);
  }

  bool operator==(const Job&) const = default;
};

// Says what is wrong with a job, in a sentence that names the field, its value and the bound;
// kInvalidArgument. A field that would have no effect is wrong too: a secret without a URL, a time
// zone without a cron expression, a payload for a GET. What Schedule and Replace refuse, this
// refuses too, except what depends on the state of the cluster.
absl::Status ValidateJob(const Job& job);

// A job as it stands. `job.webhook.secret` and `.bearer_token` are always empty here.
struct JobInfo {
  Job job;
  Revision revision;  // changes with each create and replace; for If-Match
  JobStatus status = JobStatus::kPending;
  absl::Time created_at;
  std::optional<absl::Time> next_run_at;  // while pending or in_progress with another to come
  int attempt_count = 0;                  // of the current or last run
  std::optional<absl::Time> first_attempt_at;
  std::optional<absl::Time> last_attempt_at;
  std::optional<absl::Time> completed_at;  // when it ended, however it ended
  std::optional<absl::Time> cancelled_at;
  std::string cancellation_reason;
  NodeId executing_node;  // while in_progress
};

// One delivery of one run, as it was recorded.
struct Attempt {
  std::string run_id;  // a UUID: equal for all deliveries of one occurrence
  int attempt = 1;     // counts what the retry policy counts
  int delivery = 1;    // counts redeliveries after a node died
  absl::Time due;      // nominal time of the occurrence
  std::optional<absl::Time> start;
  std::optional<absl::Time> end;
  NodeId node;
  JobStatus status = JobStatus::kInProgress;  // completed, failed, timeout, cancelled or skipped
  int http_status = 0;
  std::string error_type;  // "timeout", "connection_error", "node_lost", "overlap", ...
  std::string error_message;
  std::string response;  // the first 1 KiB of a webhook's answer
};

}  // namespace scheduled

#endif  // SCHEDULED_JOB_H_
