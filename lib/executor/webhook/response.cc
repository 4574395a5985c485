// The table of the header as code. HTTP dates are read by libcurl, which knows their three forms.
#include "executor/webhook/response.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/utf8.h"
#include "executor/retry_policy.h"

namespace scheduled::webhook {
namespace {

// What uses up no attempt must not go round without a pause either ("Retry-After: 0").
constexpr absl::Duration kMinSnooze = absl::Seconds(1);

struct ErrorMeaning {
  absl::StatusCode code;
  const char* error_type;
  const char* words;
  bool retryable;
  Verdict verdict;
};

ErrorMeaning MeaningOf(TransferError error) {
  using absl::StatusCode;
  switch (error) {
    case TransferError::kTimeout:
      return {StatusCode::kDeadlineExceeded, "timeout", "no answer in time", true,
              Verdict::kFailure};
    case TransferError::kDns:
      return {StatusCode::kUnavailable, "dns_error", "no such host", true, Verdict::kFailure};
    case TransferError::kTls:
      return {StatusCode::kUnavailable, "tls_error", "TLS failed", true, Verdict::kFailure};
    case TransferError::kBlocked:
      return {StatusCode::kPermissionDenied, "blocked", "the address is not allowed", false,
              Verdict::kNone};
    case TransferError::kBadUrl:
      return {StatusCode::kInvalidArgument, "", "the URL cannot be used", false, Verdict::kNone};
    case TransferError::kNone:
    case TransferError::kConnection:
      break;
  }
  return {StatusCode::kUnavailable, "connection_error", "the connection failed", true,
          Verdict::kFailure};
}

absl::StatusCode CodeOfStatus(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
    case 410:
      return absl::StatusCode::kNotFound;
    case 408:
    case 425:
      return absl::StatusCode::kUnavailable;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return http_status >= 500 ? absl::StatusCode::kUnavailable
                                : absl::StatusCode::kFailedPrecondition;
  }
}

bool IsServerError(int http_status) { return 500 <= http_status && http_status <= 599; }

bool IsRetriedStatus(int http_status) {
  return http_status == 408 || http_status == 425 || http_status == 429 ||
         IsServerError(http_status);
}

Outcome OfError(const Transfer& transfer) {
  const ErrorMeaning meaning = MeaningOf(transfer.error);
  Outcome outcome;
  std::string message = meaning.words;
  if (!transfer.error_detail.empty()) absl::StrAppend(&message, ": ", transfer.error_detail);
  outcome.result.status = absl::Status(meaning.code, message);
  outcome.result.retryable = meaning.retryable;
  outcome.result.error_type = meaning.error_type;
  outcome.verdict = meaning.verdict;
  return outcome;
}

void SetRetryAfter(std::optional<absl::Duration> wait, int http_status, RunResult* result) {
  if (!wait.has_value()) return;
  result->uncounted = http_status == 429 || http_status == 503;
  result->retry_after = result->uncounted ? std::max(*wait, kMinSnooze) : *wait;
}

}  // namespace

Outcome Interpret(const Transfer& transfer, absl::Time now) {
  const int status = transfer.http_status;
  Outcome outcome;
  if (transfer.error != TransferError::kNone) {
    outcome = OfError(transfer);
  } else if (200 <= status && status <= 299) {
    outcome.verdict = Verdict::kSuccess;
  } else {
    const bool redirect = 300 <= status && status <= 399;
    outcome.result.status =
        absl::Status(CodeOfStatus(status),
                     absl::StrCat("HTTP ", status, redirect ? ": redirects are not followed" : ""));
    outcome.result.retryable = IsRetriedStatus(status);
    outcome.result.error_type = "http_error";
    outcome.verdict = IsServerError(status) ? Verdict::kFailure : Verdict::kSuccess;
    if (IsRetriedStatus(status)) {
      SetRetryAfter(ParseRetryAfter(transfer.retry_after, now), status, &outcome.result);
    }
  }
  outcome.result.http_status = status;
  outcome.result.response = RecordableText(transfer.head, kRecordedBytes);
  return outcome;
}

std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now) {
  if (value.empty()) return std::nullopt;
  if (value.find_first_not_of("0123456789") == std::string_view::npos) {
    // A number too large to be read is a long wait all the same.
    int64_t seconds = 0;
    if (!absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &seconds)) {
      return kMaxRetryAfter;
    }
    return std::min(absl::Seconds(seconds), kMaxRetryAfter);
  }
  const time_t date = curl_getdate(std::string(value).c_str(), nullptr);
  if (date == -1) return std::nullopt;
  return std::clamp(absl::FromTimeT(date) - now, absl::ZeroDuration(), kMaxRetryAfter);
}

std::string RecordableText(std::string_view bytes, size_t limit) {
  std::string text;
  while (!bytes.empty()) {
    const int size = Utf8CharacterSize(bytes);
    const std::string_view next = size > 0 ? bytes.substr(0, size) : "\xEF\xBF\xBD";
    if (text.size() + next.size() > limit) break;
    text += next;
    bytes.remove_prefix(size > 0 ? size : 1);
  }
  return text;
}

}  // namespace scheduled::webhook
