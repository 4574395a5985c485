// The I/O thread's loop, and what it does with each event. Time is read here and handed down.
#include "executor/webhook/webhook_executor.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "executor/executor_rules.h"
#include "executor/webhook/request.h"
#include "executor/webhook/response.h"

namespace scheduled::webhook {
namespace {

constexpr absl::Duration kFullWait = absl::Milliseconds(100);

RunResult Cancelled(bool sent) {
  RunResult result(absl::CancelledError(sent ? "cancelled while the request was under way"
                                             : "cancelled before it was sent"));
  result.uncounted = !sent;
  return result;
}

RunResult TimeIsUp() {
  RunResult result(absl::DeadlineExceededError("no answer in time"));
  result.error_type = "timeout";
  result.retryable = true;
  return result;
}

RunResult NotNow(const Hosts::Returned& returned) {
  return RunResult::Snooze(returned.wait, returned.paused
                                              ? "the host is paused, since it keeps failing"
                                              : "the host had no room in time");
}

// A write to a connection that the peer closed must not end the process.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

WebhookDelivery::WebhookDelivery(const WebhookOptions& options, AddressGuard guard)
    : capacity_(options.capacity),
      inbox_(std::make_shared<Inbox>()),
      engine_(std::move(guard), {.max_connections = options.capacity, .ca_file = options.ca_file},
              inbox_->wake()),
      hosts_({.in_flight = options.connections_per_host,
              .breaker = {.failures = options.breaker_failures, .pause = options.breaker_pause}}),
      thread_([this] { Loop(); }) {}

WebhookDelivery::~WebhookDelivery() {
  inbox_->Stop();
  thread_.join();
}

void WebhookDelivery::Run(std::shared_ptr<const RunContext> run, Done done) {
  if (taken_.fetch_add(1) >= capacity_) {
    taken_.fetch_sub(1);
    return done(RunResult::Snooze(kFullWait, "the executor is full"));
  }
  {
    std::lock_guard lock(mutex_);
    ++unanswered_;
  }
  inbox_->Submit({std::move(run), std::move(done)});
}

void WebhookDelivery::Drain(absl::Duration patience) {
  std::unique_lock lock(mutex_);
  AwaitQuiet(quiet_, lock, patience, [this] { return unanswered_ == 0; });
}

void WebhookDelivery::Loop() {
  BlockSignals();
  Inbox::Batch batch;
  while (true) {
    inbox_->Take(&batch);
    if (batch.stop) break;
    for (Inbox::Submission& submission : batch.runs) Admit(std::move(submission));
    for (const DeliveryId id : batch.cancels) Cancel(id);
    hosts_.Expire(clock_.MonoNow(), &work_);
    EndOverdue();
    CarryOut();
    const MonoTime next = std::min(hosts_.NextExpiry(), NextDeadline());
    const absl::Duration wait =
        next == MonoTime::Infinite() ? absl::InfiniteDuration() : next - clock_.MonoNow();
    for (CurlEngine::Ended& ended : engine_.Poll(wait)) End(std::move(ended));
  }
  AnswerAll(std::move(batch.runs));
}

void WebhookDelivery::Admit(Inbox::Submission submission) {
  const RunContext& run = *submission.run;
  if (run.cancelled()) return AnswerTaken(std::move(submission.done), Cancelled(false));
  absl::StatusOr<std::string> host = engine_.HostOf(run.job->webhook.url);
  if (!host.ok()) return AnswerTaken(std::move(submission.done), host.status());

  const MonoTime now = clock_.MonoNow();
  // A run that waited must have time left to be answered in.
  const absl::Duration patience = std::clamp((run.CurrentDeadline() - clock_.WallNow()) / 2,
                                             absl::ZeroDuration(), Hosts::kTurnWait);
  const DeliveryId id = last_id_ = last_id_.Next();
  deliveries_.emplace(id, Delivery{submission.run, std::move(submission.done), false});
  hosts_.Offer(*host, {id, now + patience}, now, &work_);
  CarryOut();
  if (!deliveries_.contains(id)) return;
  // May call back at once, from this thread: so it only leaves a note.
  submission.run->OnCancel([inbox = inbox_, id] { inbox->Cancel(id); });
}

void WebhookDelivery::Cancel(DeliveryId id) {
  const auto found = deliveries_.find(id);
  if (found == deliveries_.end()) return;
  const Delivery& delivery = found->second;
  if (!delivery.sent) {
    hosts_.Withdraw(id);
    return Answer(id, Cancelled(false));
  }
  // The library may look at its watch before this does; a host that hangs is a failure either way.
  const bool time_is_up = clock_.WallNow() >= delivery.run->CurrentDeadline();
  CutOff(id, time_is_up ? Verdict::kFailure : Verdict::kNone,
         time_is_up ? TimeIsUp() : Cancelled(true));
  CarryOut();
}

MonoTime WebhookDelivery::DeadlineOf(const Delivery& delivery) {
  return delivery.deadline + (delivery.run->CurrentDeadline() - delivery.run->deadline);
}

MonoTime WebhookDelivery::NextDeadline() const {
  return deadlines_.empty() ? MonoTime::Infinite() : deadlines_.begin()->first;
}

// Time is kept here and not by libcurl, whose limit cannot be moved once a transfer is under way.
void WebhookDelivery::EndOverdue() {
  const MonoTime now = clock_.MonoNow();
  while (NextDeadline() <= now) {
    const DeliveryId id = deadlines_.begin()->second;
    Delivery& delivery = deliveries_.find(id)->second;
    if (const MonoTime moved = DeadlineOf(delivery); moved > now) {
      deadlines_.erase(deadlines_.begin());
      delivery.next_look = moved;
      deadlines_.emplace(moved, id);
    } else {
      CutOff(id, Verdict::kFailure, TimeIsUp());
    }
  }
}

void WebhookDelivery::CutOff(DeliveryId id, Verdict verdict, RunResult result) {
  engine_.Abort(id);
  hosts_.Finish(id, verdict, clock_.MonoNow(), &work_);
  Answer(id, std::move(result));
}

// Does what hosts_ asked for, and what it asks for meanwhile.
void WebhookDelivery::CarryOut() {
  while (!work_.empty()) {
    const Hosts::Work work = std::exchange(work_, {});
    for (const Hosts::Returned& returned : work.returns) Answer(returned.id, NotNow(returned));
    for (const DeliveryId id : work.starts) Send(id);
  }
}

void WebhookDelivery::Send(DeliveryId id) {
  Delivery& delivery = deliveries_.find(id)->second;
  const RunContext& run = *delivery.run;
  if (run.cancelled()) {
    // While it waited for its turn. The note that it left still lies in the inbox, and finds
    // nothing.
    hosts_.Finish(id, Verdict::kNone, clock_.MonoNow(), &work_);
    return Answer(id, Cancelled(false));
  }
  const absl::Time now = clock_.WallNow();
  absl::StatusOr<Request> request = BuildRequest(run, now, signer_);
  if (!request.ok()) {
    hosts_.Finish(id, Verdict::kNone, clock_.MonoNow(), &work_);
    return Answer(id, request.status());
  }
  delivery.sent = true;
  delivery.deadline = clock_.MonoNow() + (run.deadline - now);
  delivery.next_look = DeadlineOf(delivery);
  deadlines_.emplace(delivery.next_look, id);
  engine_.Start(id, *std::move(request));
}

void WebhookDelivery::End(CurlEngine::Ended ended) {
  Outcome outcome = Interpret(ended.transfer, clock_.WallNow());
  hosts_.Finish(ended.id, outcome.verdict, clock_.MonoNow(), &work_);
  Answer(ended.id, std::move(outcome.result));
  CarryOut();
}

void WebhookDelivery::AnswerAll(std::vector<Inbox::Submission> submissions) {
  constexpr std::string_view kWhy = "the executor was stopped";
  for (auto& [id, delivery] : std::exchange(deliveries_, {})) {
    if (delivery.sent) engine_.Abort(id);
    AnswerTaken(std::move(delivery.done), RunResult::Snooze(absl::ZeroDuration(), kWhy));
  }
  for (Inbox::Submission& submission : submissions) {
    AnswerTaken(std::move(submission.done), RunResult::Snooze(absl::ZeroDuration(), kWhy));
  }
}

void WebhookDelivery::Answer(DeliveryId id, RunResult result) {
  const auto found = deliveries_.find(id);
  SCHEDULED_ASSERT(found != deliveries_.end(), "a delivery is answered once");
  // The run lives until its Done was called.
  Delivery delivery = std::move(found->second);
  deliveries_.erase(found);
  if (delivery.sent) deadlines_.erase({delivery.next_look, id});
  AnswerTaken(std::move(delivery.done), std::move(result));
}

void WebhookDelivery::AnswerTaken(Done done, RunResult result) {
  taken_.fetch_sub(1);
  done(std::move(result));
  std::lock_guard lock(mutex_);
  if (--unanswered_ == 0) quiet_.notify_all();
}

}  // namespace scheduled::webhook

namespace scheduled {
namespace {

absl::Status Validate(const WebhookOptions& options) {
  for (const absl::Status& status :
       {CheckWithin("capacity", options.capacity, 1, kMaxCapacity),
        CheckWithin("connections_per_host", options.connections_per_host, 1, kMaxCapacity)}) {
    if (!status.ok()) return status;
  }
  if (options.breaker_failures < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("breaker_failures is ", options.breaker_failures, "; it cannot be negative"));
  }
  if (options.breaker_pause <= absl::ZeroDuration() || options.breaker_pause > absl::Hours(24)) {
    return absl::InvalidArgumentError(absl::StrCat("breaker_pause is ",
                                                   absl::FormatDuration(options.breaker_pause),
                                                   "; it needs to be more than 0 and at most 24h"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> WebhookExecutor(WebhookOptions options) {
  if (absl::Status status = Validate(options); !status.ok()) return status;
  absl::StatusOr<webhook::AddressGuard> guard =
      webhook::AddressGuard::Create({options.allow, options.deny});
  if (!guard.ok()) return guard.status();
  // Counts its calls; in libcurl before 7.84 two first calls at once would race.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) {
    return absl::InternalError(absl::StrCat("libcurl: ", curl_easy_strerror(initialised)));
  }
  return std::make_unique<webhook::WebhookDelivery>(options, *std::move(guard));
}

}  // namespace scheduled
