// What a job may be: the rules behind the public ValidateJob, field by field. Each refusal names
// the field, its value and the bound. Pure: what depends on the present, as a cron expression that
// has no occurrence in the next years, is refused where the first due time is computed
// (schedule.h).
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "base/webhook_rules.h"
#include "cron/quoted.h"
#include "cron/schedule.h"
#include "cron/time_text.h"
#include "cron/time_zone.h"
#include "jobs/job_model.h"
#include "jobs/tables.h"
#include "jobs/text_rules.h"

namespace scheduled {
namespace jobs {
namespace {

constexpr size_t kMaxIdBytes = kMaxKeyNameBytes;
constexpr size_t kMaxExecutorBytes = 128;  // it names a queue as well
static_assert(kMaxExecutorBytes <= kMaxKeyNameBytes);
constexpr size_t kMaxUrlBytes = 2048;
constexpr size_t kMaxSecretBytes = 4096;
constexpr size_t kMaxKeyBytes = kMaxKeyNameBytes;
constexpr size_t kMaxCronBytes = 1024;
constexpr std::string_view kUtc = "UTC";
constexpr absl::Duration kMaxDelay = absl::Hours(24 * 366 * 100);
constexpr std::array<std::string_view, 5> kMethods = {"POST", "PUT", "PATCH", "GET", "DELETE"};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Puts the field before what a layer below, which knows of none, says of its value.
absl::Status Of(const char* field, const absl::Status& status) {
  return status.ok() ? status : Invalid(field, ": ", status.message());
}

// The first status that is not OK.
absl::Status FirstError(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckTime(const char* field, const std::optional<absl::Time>& time) {
  if (!time.has_value() || (*time >= cron::kMinTime && *time <= cron::kMaxTime)) {
    return absl::OkStatus();
  }
  return Invalid(field, " is ", absl::FormatTime(*time, absl::UTCTimeZone()),
                 "; it needs to lie in the years 1970 to 9999");
}

absl::Status CheckDuration(const char* field, absl::Duration value, absl::Duration least,
                           absl::Duration most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Invalid(field, " is ", absl::FormatDuration(value), "; it needs to be ",
                 absl::FormatDuration(least), " to ", absl::FormatDuration(most));
}

absl::Status CheckSize(const char* field, std::string_view value, size_t most) {
  if (value.size() <= most) return absl::OkStatus();
  return Invalid(field, " has ", value.size(), " bytes; at most ", most, " are allowed");
}

absl::Status CheckPlainText(const char* field, std::string_view value, size_t most) {
  if (absl::Status status = CheckSize(field, value, most); !status.ok()) return status;
  if (IsPlainText(value)) return absl::OkStatus();
  return Invalid(field, " is ", cron::Quoted(value),
                 "; it needs to be UTF-8 without control characters");
}

absl::Status ValidateOnce(const Job& job) {
  if (!job.cron_expression.empty()) {
    return Invalid("cron_expression is ", cron::Quoted(job.cron_expression),
                   "; a one-time job has none: give timestamp or delay, or the type recurring");
  }
  if (job.interval.has_value()) {
    return Invalid("interval is ", absl::FormatDuration(*job.interval),
                   "; a one-time job has none: give timestamp or delay, or the type recurring");
  }
  if (job.last_date.has_value()) return Invalid("last_date is given; a one-time job has none");
  if (job.timestamp.has_value() && job.delay.has_value()) {
    return Invalid("timestamp and delay are both given; a one-time job has one of them");
  }
  if (!job.timestamp.has_value() && !job.delay.has_value()) {
    return Invalid("neither timestamp nor delay is given; a one-time job needs one of them");
  }
  return job.delay.has_value() ? CheckDuration("delay", *job.delay, absl::ZeroDuration(), kMaxDelay)
                               : absl::OkStatus();
}

absl::Status ValidateCron(const Job& job) {
  if (absl::Status status = CheckPlainText("cron_expression", job.cron_expression, kMaxCronBytes);
      !status.ok()) {
    return status;
  }
  const bool names_zone =
      job.cron_expression.starts_with("CRON_TZ=") || job.cron_expression.starts_with("TZ=");
  if (names_zone && job.timezone != kUtc) {
    return Invalid("timezone is ", cron::Quoted(job.timezone),
                   "; cron_expression names one itself");
  }
  return Of("cron_expression", cron::CronSchedule::Parse(
                                   job.cron_expression, {.time_zone = job.timezone, .dst = job.dst})
                                   .status());
}

absl::Status ValidateRecurring(const Job& job) {
  if (job.delay.has_value()) {
    return Invalid("delay is ", absl::FormatDuration(*job.delay),
                   "; a recurring job has none: give timestamp for its first run");
  }
  if (!job.cron_expression.empty() && job.interval.has_value()) {
    return Invalid("cron_expression and interval are both given; a recurring job has one of them");
  }
  if (job.cron_expression.empty() && !job.interval.has_value()) {
    return Invalid(
        "neither cron_expression nor interval is given; a recurring job needs one of them");
  }
  if (job.last_date.has_value() && job.timestamp.has_value() && *job.last_date < *job.timestamp) {
    return Invalid("last_date is ", absl::FormatTime(*job.last_date, absl::UTCTimeZone()),
                   "; it lies before timestamp, which is ",
                   absl::FormatTime(*job.timestamp, absl::UTCTimeZone()));
  }
  if (job.interval.has_value()) {
    return CheckDuration("interval", *job.interval, absl::Seconds(1), kMaxDelay);
  }
  return ValidateCron(job);
}

// The wall clock of a place matters to cron expressions alone: an instant has its own offset.
absl::Status ValidateZone(const Job& job) {
  if (!job.cron_expression.empty()) return Of("timezone", cron::LoadZone(job.timezone).status());
  if (job.timezone != kUtc) {
    return Invalid("timezone is ", cron::Quoted(job.timezone),
                   "; it belongs to cron_expression, and a timestamp carries its own offset");
  }
  if (job.dst == Dst::kSkip) return Invalid("dst is skip; it belongs to cron_expression");
  return absl::OkStatus();
}

absl::Status ValidateSchedule(const Job& job) {
  absl::Status status = FirstError({CheckTime("timestamp", job.timestamp),
                                    CheckTime("last_date", job.last_date), ValidateZone(job)});
  if (!status.ok()) return status;
  switch (job.type) {
    case JobType::kOnce:
      return ValidateOnce(job);
    case JobType::kRecurring:
      return ValidateRecurring(job);
  }
  return Invalid("type is ", static_cast<int>(job.type), "; it needs to be once or recurring");
}

// "user@host:port", of which the host may be an IPv6 address in brackets. What is in the host is
// for the resolver to judge.
bool IsAuthority(std::string_view text) {
  text.remove_prefix(text.rfind('@') + 1);
  size_t end = text.find(':');
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos) return false;
    ++end;
  }
  if (end >= text.size()) return !text.empty();
  uint32_t port = 0;
  const absl::string_view digits(text.data() + end + 1, text.size() - end - 1);
  if (text[end] != ':' || end == 0) return false;
  return digits.empty() || (absl::SimpleAtoi(digits, &port) && port >= 1 && port <= 65535);
}

absl::Status ValidateUrl(std::string_view url) {
  if (absl::Status status = CheckSize("webhook_url", url, kMaxUrlBytes); !status.ok()) {
    return status;
  }
  const std::string lower = absl::AsciiStrToLower(absl::string_view(url.data(), url.size()));
  const size_t host = lower.starts_with("http://")    ? 7
                      : lower.starts_with("https://") ? 8
                                                      : std::string::npos;
  if (host == std::string::npos) {
    return Invalid("webhook_url is ", cron::Quoted(url),
                   "; it needs to begin with http:// or https://");
  }
  if (url.size() == host || url[host] == '/' || url[host] == '?' || url[host] == '#') {
    return Invalid("webhook_url is ", cron::Quoted(url), "; it names no host");
  }
  const std::string_view rest = url.substr(host);
  if (!IsAuthority(rest.substr(0, rest.find_first_of("/?#")))) {
    return Invalid("webhook_url is ", cron::Quoted(url),
                   "; its host or port, 1 to 65535, is malformed");
  }
  if (!IsPlainText(url) || url.find(' ') != std::string_view::npos) {
    return Invalid("webhook_url is ", cron::Quoted(url),
                   "; blanks and control characters need to be escaped");
  }
  return absl::OkStatus();
}

absl::Status ValidateSecrets(const WebhookTarget& webhook) {
  if (absl::Status status =
          FirstError({CheckSize("secret", webhook.secret, kMaxSecretBytes),
                      CheckSize("bearer_token", webhook.bearer_token, kMaxSecretBytes)});
      !status.ok()) {
    return status;
  }
  if (absl::Status status = WebhookKeyOf(webhook.secret).status(); !status.ok()) return status;
  // Its value is not told: it is a secret.
  const bool is_plain =
      std::all_of(webhook.bearer_token.begin(), webhook.bearer_token.end(),
                  [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (is_plain) return absl::OkStatus();
  return Invalid("bearer_token has characters other than printable ASCII without blanks");
}

// What belongs to a webhook would be forgotten without one.
absl::Status ValidateNoWebhook(const WebhookTarget& webhook) {
  const char* given = webhook != WebhookTarget{.method = webhook.method} ? "headers" : nullptr;
  if (!webhook.bearer_token.empty()) given = "bearer_token";
  if (!webhook.secret.empty()) given = "secret";
  if (webhook.method != WebhookTarget().method) given = "method";
  if (given == nullptr) return absl::OkStatus();
  return Invalid(given, " is given; without a webhook_url it has no meaning");
}

absl::Status ValidateWebhook(const Job& job) {
  const WebhookTarget& webhook = job.webhook;
  if (EffectiveExecutor(job) == kWebhookExecutor && webhook.url.empty()) {
    return Invalid("webhook_url is not given; the executor \"webhook\" needs one");
  }
  if (std::find(kMethods.begin(), kMethods.end(), webhook.method) == kMethods.end()) {
    return Invalid("method is ", cron::Quoted(webhook.method),
                   "; it needs to be POST, PUT, PATCH, GET or DELETE");
  }
  const bool has_body = webhook.method != "GET" && webhook.method != "DELETE";
  if (!has_body && !job.payload.empty() && EffectiveExecutor(job) == kWebhookExecutor) {
    return Invalid("payload is given; a webhook of method ", webhook.method, " has no body");
  }
  if (EffectiveExecutor(job) == kWebhookExecutor && !IsUtf8(job.payload)) {
    return Invalid("payload has bytes that are no UTF-8; a webhook's body is JSON, so encode them");
  }
  return FirstError({webhook.url.empty() ? ValidateNoWebhook(webhook) : ValidateUrl(webhook.url),
                     CheckWebhookHeaders(webhook.headers, !webhook.bearer_token.empty()),
                     ValidateSecrets(webhook)});
}

// Also false for a NaN.
bool IsWithin(double value, double least, double most) { return value >= least && value <= most; }

absl::Status ValidateRetry(const RetryPolicy& retry) {
  constexpr absl::Duration kMost = absl::Hours(24 * 30);
  if (retry.max_attempts < 1 || retry.max_attempts > 1000) {
    return Invalid("retry.max_attempts is ", retry.max_attempts, "; it needs to be 1 to 1000");
  }
  absl::Status status =
      FirstError({CheckDuration("retry.initial", retry.initial, absl::Milliseconds(1), kMost),
                  CheckDuration("retry.maximum", retry.maximum, retry.initial, kMost)});
  if (!status.ok()) return status;
  if (!IsWithin(retry.factor, 1, 100)) {
    return Invalid("retry.factor is ", retry.factor, "; it needs to be 1 to 100");
  }
  if (!IsWithin(retry.jitter, 0, 1)) {
    return Invalid("retry.jitter is ", retry.jitter, "; it needs to be 0 to 1");
  }
  return absl::OkStatus();
}

absl::Status ValidatePolicies(const Job& job) {
  if (job.misfire != Misfire::kFireOnce) {
    return Invalid("misfire is ", static_cast<int>(job.misfire), "; it needs to be fire_once");
  }
  if (job.overlap != Overlap::kSkip) {
    return Invalid("overlap is ", static_cast<int>(job.overlap), "; it needs to be skip");
  }
  if (job.dst != Dst::kVixie && job.dst != Dst::kSkip) {
    return Invalid("dst is ", static_cast<int>(job.dst), "; it needs to be vixie or skip");
  }
  return absl::OkStatus();
}

absl::Status ValidateFingerprint(std::string_view fingerprint) {
  if (fingerprint.empty() || fingerprint.size() == kFingerprintBytes) return absl::OkStatus();
  return Invalid("fingerprint has ", fingerprint.size(), " bytes; a SHA-256 has ",
                 kFingerprintBytes);
}

}  // namespace

absl::Status ValidateJobId(std::string_view id) {
  if (id.empty()) return Invalid("id is empty; it needs 1 to ", kMaxIdBytes, " bytes");
  if (absl::Status status = CheckPlainText("id", id, kMaxIdBytes); !status.ok()) return status;
  if (id.find('/') == std::string_view::npos) return absl::OkStatus();
  return Invalid("id is ", cron::Quoted(id), "; '/' is not allowed in it");
}

absl::Status ValidateExecutorName(std::string_view name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == ':';
  });
  if (!name.empty() && name.size() <= kMaxExecutorBytes && is_plain) return absl::OkStatus();
  return Invalid("executor is ", cron::Quoted(name), "; it needs 1 to ", kMaxExecutorBytes,
                 " letters, digits, '.', '_', '-' or ':'");
}

}  // namespace jobs

absl::Status ValidateJob(const Job& job) {
  using namespace jobs;  // NOLINT: the rules above
  return FirstError({job.id.empty() ? absl::OkStatus() : ValidateJobId(job.id.value),
                     ValidateExecutorName(EffectiveExecutor(job)), ValidateSchedule(job),
                     ValidateWebhook(job), CheckSize("payload", job.payload, kMaxPayloadBytes),
                     CheckDuration("timeout", job.timeout, absl::Milliseconds(1), absl::Hours(24)),
                     ValidateRetry(job.retry), ValidatePolicies(job),
                     CheckPlainText("idempotency_key", job.idempotency_key, kMaxKeyBytes),
                     ValidateFingerprint(job.fingerprint)});
}

}  // namespace scheduled
