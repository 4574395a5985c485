// See job_model.h, and the builders and names of scheduled/job.h.
#include "jobs/job_model.h"

#include <array>
#include <utility>

#include "base/codec.h"
#include "base/sha256.h"

namespace scheduled {
namespace {

constexpr std::array<std::pair<JobStatus, std::string_view>, 8> kStatusNames = {{
    {JobStatus::kPending, "pending"},
    {JobStatus::kInProgress, "in_progress"},
    {JobStatus::kCompleted, "completed"},
    {JobStatus::kFailed, "failed"},
    {JobStatus::kTimeout, "timeout"},
    {JobStatus::kCancelled, "cancelled"},
    {JobStatus::kPaused, "paused"},
    {JobStatus::kSkipped, "skipped"},
}};

}  // namespace

std::string_view JobStatusName(JobStatus status) {
  for (const auto& [value, name] : kStatusNames) {
    if (value == status) return name;
  }
  return "unknown";
}

std::optional<JobStatus> ParseJobStatus(std::string_view name) {
  for (const auto& [value, text] : kStatusNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

Job Job::At(absl::Time time) {
  Job job;
  job.timestamp = time;
  return job;
}

Job Job::In(absl::Duration delay) {
  Job job;
  job.delay = delay;
  return job;
}

Job Job::Cron(std::string expression, std::string timezone) {
  Job job;
  job.type = JobType::kRecurring;
  job.cron_expression = std::move(expression);
  job.timezone = std::move(timezone);
  return job;
}

Job Job::Every(absl::Duration interval) {
  Job job;
  job.type = JobType::kRecurring;
  job.interval = interval;
  return job;
}

namespace jobs {
namespace {

void SetWebhook(const WebhookTarget& webhook, pb::Definition* definition) {
  definition->set_webhook_url(webhook.url);
  definition->set_method(webhook.method);
  for (const auto& [name, value] : webhook.headers) {
    pb::Header* header = definition->add_headers();
    header->set_name(name);
    header->set_value(value);
  }
  definition->set_secret(webhook.secret);
  definition->set_bearer_token(webhook.bearer_token);
}

WebhookTarget GetWebhook(const pb::Definition& definition) {
  WebhookTarget webhook;
  webhook.url = definition.webhook_url();
  webhook.method = definition.method();
  for (const pb::Header& header : definition.headers()) {
    webhook.headers[header.name()] = header.value();
  }
  webhook.secret = definition.secret();
  webhook.bearer_token = definition.bearer_token();
  return webhook;
}

}  // namespace

std::string_view EffectiveExecutor(const Job& job) {
  if (!job.executor.empty()) return job.executor;
  return job.webhook.url.empty() ? kNoopExecutor : kWebhookExecutor;
}

pb::Definition MakeDefinition(const Job& job) {
  pb::Definition definition;
  definition.set_type(static_cast<int>(job.type));
  if (job.timestamp.has_value()) definition.set_timestamp_us(absl::ToUnixMicros(*job.timestamp));
  if (job.delay.has_value()) definition.set_delay_us(absl::ToInt64Microseconds(*job.delay));
  definition.set_cron_expression(job.cron_expression);
  definition.set_timezone(job.timezone);
  if (job.interval.has_value()) {
    definition.set_interval_us(absl::ToInt64Microseconds(*job.interval));
  }
  if (job.last_date.has_value()) definition.set_last_date_us(absl::ToUnixMicros(*job.last_date));
  definition.set_executor(std::string(EffectiveExecutor(job)));
  definition.set_queue(definition.executor());
  definition.set_payload(job.payload);
  SetWebhook(job.webhook, &definition);
  definition.set_timeout_us(absl::ToInt64Microseconds(job.timeout));
  pb::Retry* retry = definition.mutable_retry();
  retry->set_max_attempts(job.retry.max_attempts);
  retry->set_initial_us(absl::ToInt64Microseconds(job.retry.initial));
  retry->set_maximum_us(absl::ToInt64Microseconds(job.retry.maximum));
  retry->set_factor(job.retry.factor);
  retry->set_jitter(job.retry.jitter);
  definition.set_misfire(static_cast<int>(job.misfire));
  definition.set_overlap(static_cast<int>(job.overlap));
  definition.set_dst(static_cast<int>(job.dst));
  definition.set_idempotency_key(job.idempotency_key);
  return definition;
}

Job MakeJob(std::string_view id, const pb::Definition& definition) {
  Job job;
  job.id = JobId(id);
  job.type = static_cast<JobType>(definition.type());
  if (definition.has_timestamp_us()) {
    job.timestamp = absl::FromUnixMicros(definition.timestamp_us());
  }
  if (definition.has_delay_us()) job.delay = absl::Microseconds(definition.delay_us());
  job.cron_expression = definition.cron_expression();
  job.timezone = definition.timezone();
  if (definition.interval_us() != 0) job.interval = absl::Microseconds(definition.interval_us());
  if (definition.has_last_date_us()) {
    job.last_date = absl::FromUnixMicros(definition.last_date_us());
  }
  job.executor = definition.executor();
  job.payload = definition.payload();
  job.webhook = GetWebhook(definition);
  job.timeout = absl::Microseconds(definition.timeout_us());
  job.retry = {.max_attempts = definition.retry().max_attempts(),
               .initial = absl::Microseconds(definition.retry().initial_us()),
               .maximum = absl::Microseconds(definition.retry().maximum_us()),
               .factor = definition.retry().factor(),
               .jitter = definition.retry().jitter()};
  job.misfire = static_cast<Misfire>(definition.misfire());
  job.overlap = static_cast<Overlap>(definition.overlap());
  job.dst = static_cast<Dst>(definition.dst());
  job.idempotency_key = definition.idempotency_key();
  return job;
}

Job MakePublicJob(std::string_view id, const pb::Definition& definition) {
  Job job = MakeJob(id, definition);
  job.webhook.secret.clear();
  job.webhook.bearer_token.clear();
  return job;
}

std::string FingerprintOf(const Job& job) {
  if (!job.fingerprint.empty()) return job.fingerprint;
  // A definition has no maps and a fixed order of fields, so that one value has one encoding.
  std::string canonical;
  AppendVarint(&canonical, job.id.value.size());
  canonical += job.id.value;
  MakeDefinition(job).AppendToString(&canonical);
  return Sha256(canonical);
}

}  // namespace jobs
}  // namespace scheduled
