// The webhook executor against a receiver on loopback: what goes over the wire, what comes back as
// the run's result, and which addresses it goes to at all.
#include <string>

#include "executor/webhook/delivery_util.h"
#include "executor/webhook/signature.h"

namespace scheduled {
namespace {

using Catch::Contains;

TEST_CASE("a run goes out as a POST, and a 2xx completes it") {
  Receiver receiver;
  receiver.Next({.status = 201, .body = "created"});
  auto executor = MakeExecutor();
  const RunResult result = Deliver(*executor, To(receiver.Url("/hook?a=b")));
  CHECK(result.status.ok());
  CHECK(result.http_status == 201);
  CHECK(result.response == "created");
  CHECK(result.error_type.empty());

  const Receiver::Request request = receiver.requests().at(0);
  CHECK(request.method == "POST");
  CHECK(request.target == "/hook?a=b");
  CHECK_THAT(request.body, Catch::StartsWith(R"({"job_id":"job-1","type":"unico","executed_at":)"));
  CHECK_THAT(request.body, Contains(R"("payload":{"n":1},)"));
  const auto header = [&](const char* name) { return request.headers.at(name); };
  CHECK(header("content-type") == "application/json");
  CHECK(header("content-length") == std::to_string(request.body.size()));
  CHECK(header("idempotency-key") == "0198c0de-1111-8222-8333-444455556666");
  CHECK(header("x-scheduled-job-id") == "job-1");
  CHECK(header("x-scheduled-attempt") == "1");
  CHECK(header("x-scheduled-fencing-token") == "281474976710657");
  CHECK_THAT(header("traceparent"), Catch::StartsWith("00-0198c0de111182228333444455556666-"));
  CHECK_FALSE(request.headers.contains("expect"));
  CHECK_FALSE(request.headers.contains("webhook-signature"));
  CHECK_FALSE(request.headers.contains("authorization"));
}

TEST_CASE("the signature is one of the body that arrived") {
  Receiver receiver;
  auto executor = MakeExecutor();
  Job job;
  job.webhook = {.url = receiver.Url(), .headers = {{"X-Tenant", "acme"}, {"X-Empty", ""}}};
  job.webhook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  job.webhook.bearer_token = "token";
  REQUIRE(Deliver(*executor, FakeRun(job)).status.ok());
  const Receiver::Request request = receiver.requests().at(0);
  const std::string timestamp = request.headers.at("webhook-timestamp");
  const absl::StatusOr<std::string> expected = webhook::Signer().Sign(
      job.webhook.secret, {request.headers.at("webhook-id"), std::stoll(timestamp), request.body});
  CHECK(request.headers.at("webhook-signature") == *expected);
  CHECK(request.headers.at("authorization") == "Bearer token");
  CHECK(request.headers.at("x-tenant") == "acme");
  CHECK(request.headers.at("x-empty").empty());
}

TEST_CASE("a connection is used again") {
  Receiver receiver;
  auto executor = MakeExecutor();
  for (int i = 0; i < 20; ++i) REQUIRE(Deliver(*executor, To(receiver.Url())).status.ok());
  CHECK(receiver.requests().size() == 20);
  CHECK(receiver.connections() == 1);
}

TEST_CASE("a handle carries nothing over from one request to the next") {
  Receiver receiver;
  auto executor = MakeExecutor();
  const auto send = [&](const char* method, std::string payload) {
    FakeRun run = To(receiver.Url(std::string("/") + method), std::move(payload));
    Job job = *run.context->job;
    job.webhook.method = method;
    if (std::string(method) == "PUT") job.webhook.headers["X-Once"] = "1";
    run.context->job = std::make_shared<const Job>(job);
    REQUIRE(Deliver(*executor, run).status.ok());
    return receiver.requests().back();
  };
  CHECK_THAT(send("PUT", R"({"long":"payload"})").body, Contains("long"));
  const Receiver::Request get = send("GET", "{}");
  CHECK(get.method == "GET");
  CHECK(get.body.empty());
  CHECK_FALSE(get.headers.contains("content-type"));
  CHECK_FALSE(get.headers.contains("x-once"));
  CHECK(send("DELETE", "{}").method == "DELETE");
  const Receiver::Request post = send("POST", "{}");
  CHECK(post.method == "POST");
  CHECK_THAT(post.body, Contains(R"("payload":{})"));
  CHECK(send("PATCH", "{}").method == "PATCH");
  CHECK(receiver.connections() == 1);
}

TEST_CASE("a large payload arrives whole, without asking for leave first") {
  Receiver receiver;
  auto executor = MakeExecutor();
  const std::string payload = "\"" + std::string(1 << 20, 'x') + "\"";
  REQUIRE(Deliver(*executor, To(receiver.Url(), payload)).status.ok());
  CHECK_THAT(receiver.requests().at(0).body, Contains("\"payload\":" + payload + ","));
}

TEST_CASE("a server's failure is retried, a client's is not") {
  Receiver receiver;
  auto executor = MakeExecutor();
  receiver.Next({.status = 500, .body = "oops"});
  const RunResult server = Deliver(*executor, To(receiver.Url()));
  CHECK(server.retryable == true);
  CHECK(server.http_status == 500);
  CHECK(server.error_type == "http_error");
  CHECK(server.response == "oops");
  receiver.Next({.status = 422});
  CHECK(Deliver(*executor, To(receiver.Url())).retryable == false);
}

TEST_CASE("Retry-After is obeyed") {
  Receiver receiver;
  auto executor = MakeExecutor();
  receiver.Next({.status = 429, .headers = {{"retry-AFTER", " 17 "}}});
  const RunResult result = Deliver(*executor, To(receiver.Url()));
  CHECK(result.retry_after == absl::Seconds(17));
  CHECK(result.uncounted);
  receiver.Next({.status = 429});
  CHECK_FALSE(Deliver(*executor, To(receiver.Url())).retry_after.has_value());
}

TEST_CASE("a redirect is not followed") {
  Receiver receiver;
  auto executor = MakeExecutor();
  receiver.Next({.status = 302, .headers = {{"Location", receiver.Url("/elsewhere")}}});
  const RunResult result = Deliver(*executor, To(receiver.Url()));
  CHECK(result.http_status == 302);
  CHECK(result.retryable == false);
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a chunked answer is read, an empty one is fine") {
  Receiver receiver;
  auto executor = MakeExecutor();
  receiver.Next({.body = "piece by piece", .chunked = true});
  CHECK(Deliver(*executor, To(receiver.Url())).response == "piece by piece");
  receiver.Next({.status = 204});
  const RunResult empty = Deliver(*executor, To(receiver.Url()));
  CHECK(empty.status.ok());
  CHECK(empty.response.empty());
  CHECK(receiver.connections() == 1);
}

TEST_CASE("of a long answer the first KiB is recorded, and it is not read to its end") {
  Receiver receiver;
  auto executor = MakeExecutor();
  receiver.Next({.body = std::string(60 << 10, 'a')});
  RunResult result = Deliver(*executor, To(receiver.Url()));
  CHECK(result.status.ok());
  CHECK(result.response == std::string(1024, 'a'));

  // More than is read, and never finished: a reader of the whole would wait for ever.
  receiver.Next({.body = std::string(1 << 20, 'b'), .stall_after = 100 << 10});
  result = Deliver(*executor, To(receiver.Url()));
  CHECK(result.status.ok());
  CHECK(result.http_status == 200);
  CHECK(result.response == std::string(1024, 'b'));

  // The handle is used again, and what it knew of the long answer is not.
  const std::string head = "HTTP/1.1 200 Said\r\nContent-Length: 1000\r\n\r\n";
  receiver.Next({.body = std::string(1000, 'c'), .stall_after = head.size(), .close = true});
  CHECK(Deliver(*executor, To(receiver.Url())).error_type == "connection_error");
}

TEST_CASE("no answer in time is a timeout") {
  Receiver receiver;
  auto executor = MakeExecutor();
  FakeRun run = To(receiver.Url());
  run.context->deadline = absl::Now() + absl::Milliseconds(50);
  SECTION("not a byte") { receiver.Next({.hold = true}); }
  SECTION("half an answer") { receiver.Next({.body = "abcdef", .stall_after = 40}); }
  const RunResult result = Deliver(*executor, run);
  CHECK(result.status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(result.error_type == "timeout");
  CHECK(result.retryable == true);
  CHECK_FALSE(result.uncounted);
}

TEST_CASE("a request whose time was extended goes on until the later deadline") {
  Receiver receiver, silent;
  receiver.Always({.hold = true});
  silent.Always({.hold = true});
  auto executor = MakeExecutor();
  Answers answers;
  FakeRun run = To(receiver.Url());
  run.context->deadline = absl::Now() + absl::Milliseconds(500);
  FakeRun witness = To(silent.Url());
  witness.context->deadline = run.context->deadline + absl::Milliseconds(60);
  executor->Run(run.context, answers.For("extended"));
  executor->Run(witness.context, answers.For("witness"));
  REQUIRE(run.context->Extend(absl::Minutes(10)).ok());
  // By now its first deadline has long passed.
  CHECK(answers.Of("witness").error_type == "timeout");
  CHECK(answers.count() == 1);
  receiver.Release();
  CHECK(answers.Of("extended").status.ok());

  FakeRun brief = To(silent.Url());
  brief.context->deadline = absl::Now();
  REQUIRE(brief.context->Extend(absl::Milliseconds(50)).ok());
  CHECK(Deliver(*executor, brief).error_type == "timeout");
}

TEST_CASE("a connection that breaks is a connection error") {
  Receiver receiver;
  auto executor = MakeExecutor({.breaker_failures = 0});
  SECTION("before the answer") { receiver.Always({.stall_after = 0, .close = true}); }
  SECTION("in its head") { receiver.Always({.stall_after = 20, .close = true}); }
  SECTION("in its body") {
    receiver.Always({.body = std::string(1000, 'x'), .stall_after = 500, .close = true});
  }
  const RunResult result = Deliver(*executor, To(receiver.Url()));
  CHECK(result.status.code() == absl::StatusCode::kUnavailable);
  CHECK(result.error_type == "connection_error");
  CHECK(result.retryable == true);
}

TEST_CASE("a connection that the receiver closed after an answer is replaced") {
  Receiver receiver;
  receiver.Always({.close = true});
  auto executor = MakeExecutor();
  for (int i = 0; i < 5; ++i) REQUIRE(Deliver(*executor, To(receiver.Url())).status.ok());
  CHECK(receiver.requests().size() == 5);
  CHECK(receiver.connections() == 5);
}

TEST_CASE("a port where nobody listens is a connection error") {
  auto executor = MakeExecutor();
  const RunResult result = Deliver(*executor, To(DeadUrl()));
  CHECK(result.error_type == "connection_error");
  CHECK(result.http_status == 0);
}

TEST_CASE("a name that does not exist is a DNS error") {
  auto executor = MakeExecutor();
  // RFC 6761: never resolves.
  const RunResult result = Deliver(*executor, To("http://nobody.invalid/"));
  CHECK(result.error_type == "dns_error");
  CHECK(result.retryable == true);
}

TEST_CASE("a server that speaks no TLS is a TLS error") {
  Receiver receiver;
  receiver.Always({.close = true});
  auto executor = MakeExecutor();
  FakeRun run = To("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
  Answers answers;
  executor->Run(run.context, answers.For("run"));
  // A TLS hello is no request, so nobody answers it: the receiver goes away in the handshake.
  REQUIRE(receiver.AwaitConnections(1));
  receiver.Shut();
  CHECK(answers.Of("run").error_type == "tls_error");
}

TEST_CASE("only http and https URLs are used") {
  auto executor = MakeExecutor();
  for (const char* url : {"", "ftp://127.0.0.1/", "file:///etc/passwd", "nonsense", "http://",
                          "gopher://127.0.0.1:70/", "http://a b/", "javascript:1"}) {
    const RunResult result = Deliver(*executor, To(url));
    INFO(url << " " << result.status);
    CHECK(result.status.code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("what can never be sent fails at once and frees its place") {
  Receiver receiver;
  auto executor = MakeExecutor({.connections_per_host = 1});
  CHECK(Deliver(*executor, To(receiver.Url(), "\xff")).status.code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Deliver(*executor, To(receiver.Url())).status.ok());
  CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a denied address is not connected to, whatever it is called") {
  Receiver receiver;
  auto executor = MakeExecutor({.deny = {"127.0.0.0/8", "::1"}});
  const std::string port = std::to_string(receiver.port());
  for (const std::string host : {"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433",
                                 "0x7f.1", "0.0.0.0", "[::]"}) {
    const RunResult result = Deliver(*executor, To("http://" + host + ":" + port + "/"));
    INFO(host << " " << result.status);
    CHECK(result.error_type == "blocked");
    CHECK(result.status.code() == absl::StatusCode::kPermissionDenied);
    CHECK(result.retryable == false);
  }
  CHECK(receiver.connections() == 0);
}

TEST_CASE("metadata addresses are refused by default") {
  auto executor = MakeExecutor();
  CHECK(Deliver(*executor, To("http://169.254.169.254/latest/meta-data/")).error_type == "blocked");
  CHECK(Deliver(*executor, To("http://[fe80::1]/")).error_type == "blocked");
}

TEST_CASE("proxies of the environment are not used") {
  const std::string dead = DeadUrl();
  setenv("http_proxy", dead.c_str(), 1);
  setenv("all_proxy", dead.c_str(), 1);
  Receiver receiver;
  auto executor = MakeExecutor();
  CHECK(Deliver(*executor, To(receiver.Url())).status.ok());
  unsetenv("http_proxy");
  unsetenv("all_proxy");
}

TEST_CASE("options out of their bounds are refused by name") {
  const auto refusal = [](WebhookOptions options) {
    const absl::Status status = WebhookExecutor(std::move(options)).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  CHECK_THAT(refusal({.capacity = 0}), Contains("capacity is 0"));
  CHECK_THAT(refusal({.capacity = 5000}), Contains("4096"));
  CHECK_THAT(refusal({.connections_per_host = 0}), Contains("connections_per_host is 0"));
  CHECK_THAT(refusal({.breaker_failures = -1}), Contains("breaker_failures is -1"));
  CHECK_THAT(refusal({.breaker_pause = absl::ZeroDuration()}), Contains("breaker_pause is 0"));
  CHECK_THAT(refusal({.deny = {"10.0.0.0/40"}}), Contains("10.0.0.0/40"));
}

}  // namespace
}  // namespace scheduled
