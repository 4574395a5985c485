// What answers and failures mean for the run and for its host.
#include "executor/webhook/response.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "executor/retry_policy.h"

namespace scheduled::webhook {
namespace {

constexpr absl::Time kNow = absl::FromUnixSeconds(1767225600);  // Thu, 01 Jan 2026 00:00:00 GMT

Outcome Answered(int status, std::string retry_after = "", std::string head = "") {
  Transfer transfer;
  transfer.http_status = status;
  transfer.retry_after = std::move(retry_after);
  transfer.head = std::move(head);
  return Interpret(transfer, kNow);
}

Outcome Broken(TransferError error) {
  Transfer transfer;
  transfer.error = error;
  transfer.error_detail = "detail";
  return Interpret(transfer, kNow);
}

TEST_CASE("every status has its meaning") {
  for (int status = 100; status <= 599; ++status) {
    const Outcome outcome = Answered(status);
    INFO(status);
    const bool ok = status / 100 == 2;
    const bool server = status / 100 == 5;
    const bool retried = server || status == 408 || status == 425 || status == 429;
    CHECK(outcome.result.status.ok() == ok);
    CHECK(IsRetryable(outcome.result) == retried);
    CHECK(outcome.result.error_type == (ok ? "" : "http_error"));
    CHECK(outcome.result.http_status == status);
    CHECK_FALSE(outcome.result.uncounted);
    CHECK(outcome.verdict == (server ? Verdict::kFailure : Verdict::kSuccess));
  }
}

TEST_CASE("a redirect says that it is not followed") {
  CHECK(Answered(302).result.status.message() == "HTTP 302: redirects are not followed");
}

TEST_CASE("every way in which a transfer breaks has its word") {
  struct {
    TransferError error;
    absl::StatusCode code;
    const char* type;
    bool retried;
    Verdict verdict;
  } const rows[] = {
      {TransferError::kTimeout, absl::StatusCode::kDeadlineExceeded, "timeout", true,
       Verdict::kFailure},
      {TransferError::kDns, absl::StatusCode::kUnavailable, "dns_error", true, Verdict::kFailure},
      {TransferError::kTls, absl::StatusCode::kUnavailable, "tls_error", true, Verdict::kFailure},
      {TransferError::kConnection, absl::StatusCode::kUnavailable, "connection_error", true,
       Verdict::kFailure},
      {TransferError::kBlocked, absl::StatusCode::kPermissionDenied, "blocked", false,
       Verdict::kNone},
      {TransferError::kBadUrl, absl::StatusCode::kInvalidArgument, "", false, Verdict::kNone},
  };
  for (const auto& row : rows) {
    const Outcome outcome = Broken(row.error);
    INFO(outcome.result.status);
    CHECK(outcome.result.status.code() == row.code);
    CHECK(outcome.result.error_type == row.type);
    CHECK(IsRetryable(outcome.result) == row.retried);
    CHECK(outcome.verdict == row.verdict);
    CHECK_THAT(std::string(outcome.result.status.message()), Catch::EndsWith(": detail"));
  }
}

TEST_CASE("Retry-After makes the next attempt wait, and 429 and 503 are then not counted") {
  const auto wait = [](int status, std::string value) {
    return Answered(status, std::move(value)).result.retry_after;
  };
  CHECK(wait(503, "120") == absl::Seconds(120));
  CHECK(wait(503, "Thu, 01 Jan 2026 00:02:00 GMT") == absl::Minutes(2));
  CHECK(wait(503, "Thursday, 01-Jan-26 00:02:00 GMT") == absl::Minutes(2));
  CHECK(wait(503, "Thu Jan  1 00:02:00 2026") == absl::Minutes(2));
  CHECK(wait(503, "20260101") == absl::Hours(24));
  CHECK(wait(503, "86401") == absl::Hours(24));
  CHECK(wait(503, "99999999999999999999999999") == absl::Hours(24));
  CHECK(wait(503, "Fri, 01 Jan 2100 00:00:00 GMT") == absl::Hours(24));
  CHECK(wait(503, "soon") == std::nullopt);
  CHECK(wait(503, "-5") == std::nullopt);
  CHECK(wait(500, "0") == absl::ZeroDuration());
  CHECK(wait(500, "Wed, 31 Dec 2025 00:00:00 GMT") == absl::ZeroDuration());

  CHECK(Answered(429, "5").result.uncounted);
  CHECK(Answered(503, "5").result.uncounted);
  CHECK_FALSE(Answered(503, "soon").result.uncounted);
  CHECK_FALSE(Answered(500, "5").result.uncounted);
  CHECK_FALSE(Answered(408, "5").result.uncounted);
  CHECK(wait(404, "5") == std::nullopt);
  CHECK(wait(200, "5") == std::nullopt);
}

TEST_CASE("what is not counted never comes back at once") {
  CHECK(Answered(503, "0").result.retry_after == absl::Seconds(1));
  CHECK(Answered(429, "Wed, 31 Dec 2025 00:00:00 GMT").result.retry_after == absl::Seconds(1));
}

TEST_CASE("the first bytes of an answer are recorded as UTF-8") {
  CHECK(Answered(200, "", "done").result.response == "done");
  CHECK(Answered(500, "", "oops").result.response == "oops");
  CHECK(RecordableText("a\xff"
                       "b",
                       100) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(RecordableText("", 100).empty());
}

TEST_CASE("no character is cut, wherever the limit falls") {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";  // 1, 2, 3, 4 and 1 bytes
  const size_t sizes[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t limit = 0; limit <= 12; ++limit) {
    INFO(limit);
    const std::string cut = RecordableText(text, limit);
    CHECK(cut == text.substr(0, sizes[limit]));
    CHECK(IsUtf8(cut));
  }
  // What is kept of the body is enough to finish the last character.
  const std::string nearly(kRecordedBytes - 4, 'x');
  const std::string head =
      absl::StrCat(nearly, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80").substr(0, kKeptBytes);
  CHECK(RecordableText(head, kRecordedBytes) == absl::StrCat(nearly, "\xf0\x9f\x98\x80"));
}

TEST_CASE("replacements do not exceed the limit") {
  const std::string text = RecordableText(std::string(2000, '\xff'), kRecordedBytes);
  CHECK(text.size() == 1023);
  CHECK(IsUtf8(text));
}

}  // namespace
}  // namespace scheduled::webhook
