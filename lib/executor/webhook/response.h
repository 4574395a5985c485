// What an answer, or the lack of one, means for the run. Pure: the transfer's facts come in, a
// RunResult and a verdict on the host go out.
//
//   outcome                         status              retried  error_type         host
//   2xx                             OK                  -                           works
//   408, 425                        kUnavailable        yes      http_error         works
//   429                             kResourceExhausted  yes      http_error         works
//   5xx                             kUnavailable        yes      http_error         fails
//   any other status                by meaning          no       http_error         works
//   time is up                      kDeadlineExceeded   yes      timeout            fails
//   no such name                    kUnavailable        yes      dns_error          fails
//   TLS fails                       kUnavailable        yes      tls_error          fails
//   connecting or reading fails     kUnavailable        yes      connection_error   fails
//   only refused addresses          kPermissionDenied   no       blocked            -
//   URL of no use                   kInvalidArgument    no                          -
//
// Retry-After (RFC 9110, 10.2.3; seconds or a date, at most 24 h) makes the next attempt wait. With
// 429 and 503, where it says "not now" and nothing of this run, the attempt is not counted, and the
// wait is 1 s at least.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_RESPONSE_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_RESPONSE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "executor/circuit_breaker.h"
#include "scheduled/executor.h"

namespace scheduled::webhook {

// An answer is recorded up to this size, and read no further than the second.
inline constexpr size_t kRecordedBytes = 1 << 10;
// Kept of the body: what is recorded, and the rest of a character that the limit cuts.
inline constexpr size_t kKeptBytes = kRecordedBytes + 3;
inline constexpr size_t kReadBytes = 64 << 10;

// How a transfer without an HTTP answer ended.
enum class TransferError {
  kNone,
  kTimeout,
  kDns,
  kTls,
  kConnection,
  kBlocked,
  kBadUrl,
};

struct Transfer {
  TransferError error = TransferError::kNone;
  std::string error_detail;  // what libcurl says about it
  int http_status = 0;       // 0 unless a whole header was received
  std::string head;          // the first bytes of the body, at most kKeptBytes
  std::string retry_after;   // the header's value as received; empty: none
};

struct Outcome {
  RunResult result;
  Verdict verdict = Verdict::kNone;
};

Outcome Interpret(const Transfer& transfer, absl::Time now);

// nullopt: neither a number of seconds nor a date. Never negative, at most 24 h.
std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now);

// At most `limit` bytes of UTF-8; bytes that are none become U+FFFD, and no character is cut.
std::string RecordableText(std::string_view bytes, size_t limit);

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_RESPONSE_H_
