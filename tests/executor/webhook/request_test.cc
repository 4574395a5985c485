// What is sent for a run: body, headers, signature, and what is refused before it is sent.
#include "executor/webhook/request.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "base/webhook_rules.h"
#include "executor/fake_run.h"
#include "executor/webhook/json_text.h"
#include "executor/webhook/signature.h"

namespace scheduled::webhook {
namespace {

constexpr absl::Time kSentAt = absl::FromUnixMicros(1767225601234567);

Job JobWith(std::string payload, WebhookTarget target = {}) {
  target.url = "https://example.com/hook";
  Job job;
  job.payload = std::move(payload);
  job.webhook = std::move(target);
  return job;
}

absl::StatusOr<Request> Build(const FakeRun& run) {
  Signer signer;
  return BuildRequest(*run.context, kSentAt, signer);
}

std::string BodyOf(const FakeRun& run) {
  const absl::StatusOr<std::string> body = BuildBody(*run.context, kSentAt);
  INFO(body.status());
  REQUIRE(body.ok());
  CHECK(IsJsonText(*body));
  return *body;
}

std::vector<std::string> HeadersOf(const FakeRun& run) {
  const absl::StatusOr<Request> request = Build(run);
  INFO(request.status());
  REQUIRE(request.ok());
  return request->headers;
}

bool Has(const std::vector<std::string>& headers, const std::string& header) {
  return std::find(headers.begin(), headers.end(), header) != headers.end();
}

absl::Status RefusalOf(Job job) { return Build(FakeRun(std::move(job))).status(); }

TEST_CASE("the body has seven fields, and the payload's own bytes") {
  FakeRun run(JobWith(R"({ "n": 1.50e+2, "s": "\u00e9" })"));
  run.context->attempt = 2;
  CHECK(
      BodyOf(run) ==
      R"({"job_id":"job-1","type":"unico","executed_at":1767225601,)"
      R"("payload":{ "n": 1.50e+2, "s": "\u00e9" },)"
      R"("run_id":"0198c0de-1111-8222-8333-444455556666","attempt":2,"scheduled_at":1767225600})");
}

TEST_CASE("a recurring job says so, and its name is escaped") {
  Job job = JobWith("");
  job.type = JobType::kRecurring;
  FakeRun run(std::move(job));
  run.context->job_id = JobId("a\"b\\c\u00e9");
  const std::string body = BodyOf(run);
  CHECK_THAT(body, Catch::StartsWith(R"({"job_id":"a\"b\\cé","type":"recurrente",)"));
  CHECK_THAT(body, Catch::Contains(R"("payload":null,)"));
}

TEST_CASE("times have a fraction if the due time has one") {
  FakeRun run(JobWith("{}"));
  run.context->due = absl::FromUnixMicros(1767225600250000);
  const std::string body = BodyOf(run);
  CHECK_THAT(body, Catch::Contains(R"("executed_at":1767225601.234567,)"));
  CHECK_THAT(body, Catch::EndsWith(R"("scheduled_at":1767225600.25})"));
}

TEST_CASE("a payload that is no JSON is delivered as a string, one that is no text is refused") {
  CHECK_THAT(BodyOf(FakeRun(JobWith("hello \"you\"\n\x01"))),
             Catch::Contains(R"("payload":"hello \"you\"\n\u0001",)"));
  CHECK_THAT(BodyOf(FakeRun(JobWith("{\"a\":1} x"))),
             Catch::Contains(R"("payload":"{\"a\":1} x",)"));
  CHECK_THAT(BodyOf(FakeRun(JobWith("[1,2]"))), Catch::Contains(R"("payload":[1,2],)"));
  const absl::Status refusal = RefusalOf(JobWith("\xff\xfe"));
  CHECK(refusal.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refusal.message()), Catch::Contains("neither JSON nor UTF-8"));
}

TEST_CASE("the headers name the run") {
  const std::vector<std::string> headers = HeadersOf(FakeRun(JobWith("{}")));
  CHECK(Has(headers, "Content-Type: application/json"));
  CHECK(Has(headers, "Idempotency-Key: 0198c0de-1111-8222-8333-444455556666"));
  CHECK(Has(headers, "X-Scheduled-Job-Id: job-1"));
  CHECK(Has(headers, "X-Scheduled-Attempt: 1"));
  CHECK(Has(headers, "X-Scheduled-Fencing-Token: 281474976710657"));
  CHECK(headers.size() == 6);
}

TEST_CASE("the trace is the run, and each delivery a span of it") {
  FakeRun run(JobWith("{}"));
  const std::string first = Traceparent(*run.context);
  CHECK_THAT(first, Catch::StartsWith("00-0198c0de111182228333444455556666-"));
  CHECK_THAT(first, Catch::EndsWith("-01"));
  CHECK(first.size() == 55);
  CHECK(Traceparent(*run.context) == first);
  run.context->attempt = 2;
  const std::string second = Traceparent(*run.context);
  run.context->fencing_token = run.context->fencing_token.Next();
  const std::string third = Traceparent(*run.context);
  CHECK(second != first);
  CHECK(third != second);
  CHECK(third.substr(0, 36) == first.substr(0, 36));
}

TEST_CASE("a run id that is no UUID still names a valid trace") {
  FakeRun run(JobWith("{}"));
  for (const char* id : {"run-1", "", "00000000-0000-0000-0000-000000000000", "0198C0DE"}) {
    run.context->run_id = id;
    const std::string trace = Traceparent(*run.context);
    INFO(trace);
    CHECK(trace.size() == 55);
    CHECK(trace.substr(3, 32) != std::string(32, '0'));
    CHECK(trace.find_first_not_of("0123456789abcdef-") == std::string::npos);
  }
}

TEST_CASE("a bearer token and the job's own headers are sent") {
  WebhookTarget target;
  target.bearer_token = "abc";
  target.headers = {{"X-Tenant", "acme"}, {"X-Empty", ""}};
  const std::vector<std::string> headers = HeadersOf(FakeRun(JobWith("{}", target)));
  CHECK(Has(headers, "Authorization: Bearer abc"));
  CHECK(Has(headers, "X-Tenant: acme"));
  CHECK(Has(headers, "X-Empty: "));
}

TEST_CASE("a secret signs the very body that is sent") {
  WebhookTarget target;
  target.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const FakeRun run(JobWith("{}", target));
  const absl::StatusOr<Request> request = Build(run);
  REQUIRE(request.ok());
  const absl::StatusOr<std::string> signature =
      Signer().Sign(target.secret, {run.context->run_id, 1767225601, request->body});
  REQUIRE(signature.ok());
  CHECK(Has(request->headers, "webhook-id: 0198c0de-1111-8222-8333-444455556666"));
  CHECK(Has(request->headers, "webhook-timestamp: 1767225601"));
  CHECK(Has(request->headers, "webhook-signature: " + *signature));
}

TEST_CASE("signatures are those of the Standard Webhooks specification") {
  // The first is the specification's own example; the others were computed with Python's hmac:
  //   base64(hmac(b"plain secret", "run-1.1767225600." + body, sha256))
  struct {
    const char* secret;
    SignedMessage message;
    const char* signature;
  } const rows[] = {
      {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
       {"msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"},
       "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
      {"plain secret",
       {"run-1", 1767225600, ""},
       "v1,8iyxL7aBhzBQ6Z3M3BroiQn1cipkB2QzGHxV0wUKSGY="},
      {"plain secret",
       {"run-1", 1767225600, "{\"payload\":\"\xc3\xb1\"}"},
       "v1,f3nmn7c3GSM0Bc0MQr+257WyAq6yhO818PS7TXoFcOA="},
  };
  Signer signer;
  for (const auto& row : rows) {
    const absl::StatusOr<std::string> signature = signer.Sign(row.secret, row.message);
    REQUIRE(signature.ok());
    CHECK(*signature == row.signature);
  }
}

TEST_CASE("a secret that claims to be base64 and is not is refused") {
  for (const char* secret : {"whsec_", "whsec_***", "whsec_a"}) {
    WebhookTarget target;
    target.secret = secret;
    INFO(secret);
    CHECK(RefusalOf(JobWith("{}", target)).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("GET and DELETE have no body, other methods have one, unknown ones are refused") {
  for (const std::string method : {"POST", "PUT", "PATCH", "GET", "DELETE"}) {
    WebhookTarget target;
    target.method = method;
    const absl::StatusOr<Request> request = Build(FakeRun(JobWith("{}", target)));
    REQUIRE(request.ok());
    CHECK(request->method == method);
    const bool has_body = method != "GET" && method != "DELETE";
    CHECK(request->has_body == has_body);
    CHECK(request->body.empty() == !has_body);
    CHECK(Has(request->headers, "Content-Type: application/json") == has_body);
  }
  for (const std::string method : {"", "post", "TRACE", "GET / HTTP/1.1\r\nX: y"}) {
    WebhookTarget target;
    target.method = method;
    CHECK(RefusalOf(JobWith("{}", target)).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("no value can begin a header of its own") {
  WebhookTarget token;
  token.bearer_token = "abc\r\nX-Evil: 1";
  CHECK(RefusalOf(JobWith("{}", token)).code() == absl::StatusCode::kInvalidArgument);
  FakeRun run(JobWith("{}"));
  run.context->job_id = JobId("job\r\nX-Evil: 1");
  CHECK_FALSE(Build(run).ok());

  using Headers = std::map<std::string, std::string>;
  for (const Headers& headers :
       {Headers{{"X-A", "a\r\nX-Evil: 1"}}, Headers{{"X-A", "a\nb"}},
        Headers{{"X-A\r\nX-Evil", "1"}}, Headers{{"X-A", std::string("a\0b", 3)}},
        Headers{{"X-A", "\x7f"}}, Headers{{"", "a"}}, Headers{{"X A", "a"}}, Headers{{"X-A:", "a"}},
        Headers{{"X-\xc3\xa9", "a"}}}) {
    INFO(headers.begin()->first);
    CHECK(CheckWebhookHeaders(headers, false).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(CheckWebhookHeaders({{"X-A", "tab\tand \xc3\xa9"}, {"User-Agent", "mine"}}, false).ok());
}

TEST_CASE("the library's and the connection's headers cannot be replaced") {
  for (const char* name :
       {"Host", "content-length", "CONTENT-TYPE", "Idempotency-Key", "X-Scheduled-Attempt",
        "X-Scheduled-Anything", "Traceparent", "webhook-signature", "Webhook-Id", "Expect",
        "Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        "Proxy-Authorization", "HTTP2-Settings"}) {
    INFO(name);
    CHECK(CheckWebhookHeaders({{name, "x"}}, false).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(CheckWebhookHeaders({{"Authorization", "Basic x"}}, false).ok());
  CHECK_FALSE(CheckWebhookHeaders({{"authorization", "Basic x"}}, true).ok());
}

TEST_CASE("the number and size of a job's headers are bounded") {
  std::map<std::string, std::string> headers;
  for (int i = 0; i < 64; ++i) headers["X-" + std::to_string(i)] = "v";
  CHECK(CheckWebhookHeaders(headers, false).ok());
  headers["X-64"] = "v";
  CHECK_FALSE(CheckWebhookHeaders(headers, false).ok());
  CHECK(CheckWebhookHeaders({{"X", std::string(8191, 'v')}}, false).ok());
  CHECK_FALSE(CheckWebhookHeaders({{"X", std::string(8192, 'v')}}, false).ok());
}

}  // namespace
}  // namespace scheduled::webhook
