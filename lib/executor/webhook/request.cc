// Text is appended to one string; a payload is copied once, into the body.
#include "executor/webhook/request.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/escaped_text.h"
#include "base/utf8.h"
#include "base/webhook_rules.h"
#include "executor/webhook/json_text.h"
#include "scheduled/time_text.h"

namespace scheduled::webhook {
namespace {

// Room for the names, quotes, numbers and ids of a body.
constexpr size_t kBodyOverhead = 256;
// The library's own headers.
constexpr size_t kOwnHeaders = 10;
constexpr size_t kTraceIdSize = 32;

bool IsLowerHex(char c) { return ('0' <= c && c <= '9') || ('a' <= c && c <= 'f'); }

bool HasFraction(absl::Time time) { return absl::ToUnixMicros(time) % 1000000 != 0; }

absl::Status AppendPayload(std::string_view payload, std::string* body) {
  if (payload.empty()) {
    *body += "null";
  } else if (IsJsonText(payload)) {
    *body += payload;
  } else if (IsUtf8(payload)) {
    AppendJsonString(payload, body);
  } else {
    return absl::InvalidArgumentError("the payload is neither JSON nor UTF-8 text");
  }
  return absl::OkStatus();
}

bool IsMethodWithBody(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), IsControlCharacter);
}

// What stands in a header must not be able to begin another one, whoever validated it before.
absl::Status CheckTarget(const RunContext& run) {
  const WebhookTarget& target = run.job->webhook;
  const std::string& method = target.method;
  if (!IsMethodWithBody(method) && method != "GET" && method != "DELETE") {
    return absl::InvalidArgumentError(
        absl::StrCat("method: \"", method, "\" is none of POST, PUT, PATCH, GET and DELETE"));
  }
  if (HasControl(run.job_id.value) || HasControl(run.run_id)) {
    return absl::InvalidArgumentError("id: holds a control character");
  }
  if (HasControl(target.bearer_token)) {
    return absl::InvalidArgumentError("bearer_token: holds a control character");
  }
  return CheckWebhookHeaders(target.headers, !target.bearer_token.empty());
}

}  // namespace

std::string Traceparent(const RunContext& run) {
  std::string trace_id;
  trace_id.reserve(kTraceIdSize);
  for (const char c : run.run_id) {
    if (c != '-') trace_id += c;
  }
  const bool is_hex = trace_id.size() == kTraceIdSize &&
                      std::all_of(trace_id.begin(), trace_id.end(), IsLowerHex) &&
                      trace_id.find_first_not_of('0') != std::string::npos;
  if (!is_hex) {
    // A run id of another shape still names one trace.
    trace_id = absl::StrCat(absl::Hex(Checksum64(run.run_id) | 1, absl::kZeroPad16),
                            absl::Hex(Checksum64(run.run_id, 1), absl::kZeroPad16));
  }
  // The token tells deliveries apart, the attempt those of a token. An all-zero span is invalid.
  const uint64_t delivery[] = {run.fencing_token.value, static_cast<uint64_t>(run.attempt)};
  const std::string_view bytes(reinterpret_cast<const char*>(delivery), sizeof(delivery));
  const uint64_t span = Checksum64(bytes, Checksum64(run.run_id)) | 1;
  return absl::StrCat("00-", trace_id, "-", absl::Hex(span, absl::kZeroPad16), "-01");
}

absl::StatusOr<std::string> BuildBody(const RunContext& run, absl::Time now) {
  if (!HasFraction(run.due)) now = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  std::string body;
  body.reserve(run.payload().size() + kBodyOverhead);
  body += R"({"job_id":)";
  AppendJsonString(run.job_id.value, &body);
  body += R"(,"type":)";
  body += run.job->type == JobType::kOnce ? R"("unico")" : R"("recurrente")";
  absl::StrAppend(&body, R"(,"executed_at":)", FormatEpochSeconds(now), R"(,"payload":)");
  const absl::Status status = AppendPayload(run.payload(), &body);
  if (!status.ok()) return status;
  body += R"(,"run_id":)";
  AppendJsonString(run.run_id, &body);
  absl::StrAppend(&body, R"(,"attempt":)", run.attempt, R"(,"scheduled_at":)",
                  FormatEpochSeconds(run.due), "}");
  return body;
}

absl::StatusOr<Request> BuildRequest(const RunContext& run, absl::Time now, Signer& signer) {
  const WebhookTarget& target = run.job->webhook;
  absl::Status status = CheckTarget(run);
  if (!status.ok()) return status;

  Request request;
  request.url = target.url;
  request.method = target.method;
  request.headers.reserve(kOwnHeaders + target.headers.size());
  request.has_body = IsMethodWithBody(target.method);
  if (request.has_body) {
    absl::StatusOr<std::string> body = BuildBody(run, now);
    if (!body.ok()) return body.status();
    request.body = *std::move(body);
    request.headers.push_back("Content-Type: application/json");
  }
  const auto add = [&request](absl::string_view name, const auto& value) {
    request.headers.push_back(absl::StrCat(name, ": ", value));
  };
  add("Idempotency-Key", run.run_id);
  add("X-Scheduled-Job-Id", run.job_id.value);
  add("X-Scheduled-Attempt", run.attempt);
  add("X-Scheduled-Fencing-Token", run.fencing_token.value);
  add("traceparent", Traceparent(run));
  if (!target.bearer_token.empty()) {
    add("Authorization", absl::StrCat("Bearer ", target.bearer_token));
  }
  if (!target.secret.empty()) {
    const SignedMessage message{run.run_id, absl::ToUnixSeconds(now), request.body};
    absl::StatusOr<std::string> signature = signer.Sign(target.secret, message);
    if (!signature.ok()) return signature.status();
    add("webhook-id", run.run_id);
    add("webhook-timestamp", message.timestamp);
    add("webhook-signature", *signature);
  }
  for (const auto& [name, value] : target.headers) add(name, value);
  return request;
}

}  // namespace scheduled::webhook
