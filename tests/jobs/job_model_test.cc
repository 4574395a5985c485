// A job between its shapes, and the rules of what it may be.
#include "jobs/job_model.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

namespace scheduled::jobs {
namespace {

Job Everything() {
  Job job = Job::Cron("0 9 * * MON-FRI", "Europe/Madrid")
                .Id("report-7")
                .Executor("email")
                .Payload(std::string("\0bytes\xff", 7))
                .Webhook({.url = "https://example.com/hook",
                          .method = "PUT",
                          .headers = {{"X-Team", "ops"}, {"Accept", "*/*"}},
                          .secret = "whsec",
                          .bearer_token = "token"})
                .Retry({.max_attempts = 7,
                        .initial = absl::Milliseconds(1500),
                        .maximum = absl::Minutes(2),
                        .factor = 1.5,
                        .jitter = 0.25})
                .Timeout(absl::Seconds(12))
                .StartingAt(absl::FromUnixMicros(1750000000123456))
                .Until(absl::FromUnixSeconds(1850000000))
                .OnClockChange(Dst::kSkip)
                .IdempotencyKey("key");
  return job;
}

Job Valid() { return Job::In(absl::Seconds(1)); }

// The refusal's sentence; fails the test if there is none.
std::string Refusal(const Job& job) {
  const absl::Status status = ValidateJob(job);
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

template <typename Change>
std::string RefusalAfter(Change change) {
  Job job = Valid();
  change(job);
  return Refusal(job);
}

using Catch::Contains;

}  // namespace

TEST_CASE("a job comes back from its definition as it was") {
  const Job job = Everything();
  REQUIRE(ValidateJob(job).ok());
  pb::Definition parsed;
  REQUIRE(parsed.ParseFromString(MakeDefinition(job).SerializeAsString()));
  REQUIRE(MakeJob("report-7", parsed) == job);
  for (Job other : {Job::In(absl::Milliseconds(5)), Job::At(absl::FromUnixSeconds(7)),
                    Job::Every(absl::Hours(3))}) {
    other.executor = "noop";
    REQUIRE(MakeJob("", MakeDefinition(other)) == other);
  }
}

TEST_CASE("a reader of a job does not get its secrets") {
  const Job job = MakePublicJob("x", MakeDefinition(Everything()));
  REQUIRE(job.webhook.secret.empty());
  REQUIRE(job.webhook.bearer_token.empty());
  REQUIRE(job.webhook.url == "https://example.com/hook");
}

TEST_CASE("an executor that is not named is the webhook if there is a URL, else noop") {
  REQUIRE(MakeDefinition(Valid()).executor() == "noop");
  REQUIRE(MakeDefinition(Job::In(absl::Seconds(1)).Webhook("http://a")).executor() == "webhook");
  REQUIRE(MakeDefinition(Job::In(absl::Seconds(1)).Executor("mine")).queue() == "mine");
}

TEST_CASE("a fingerprint tells every field apart, and takes the caller's word if given") {
  const Job job = Everything();
  const std::string mine = FingerprintOf(job);
  REQUIRE(mine.size() == kFingerprintBytes);
  REQUIRE(FingerprintOf(Everything()) == mine);
  Job other = job;
  SECTION("id") { other.id = JobId("report-8"); }
  SECTION("payload") { other.payload += "x"; }
  SECTION("secret") { other.webhook.secret += "x"; }
  SECTION("timestamp") { *other.timestamp += absl::Microseconds(1); }
  SECTION("no timestamp") { other.timestamp.reset(); }
  SECTION("retry") { other.retry.jitter = 0.26; }
  SECTION("given") { other.fingerprint = std::string(32, 'f'); }
  REQUIRE(FingerprintOf(other) != mine);
}

TEST_CASE("the words for a status are those of the API, both ways") {
  for (int i = 1; i <= 8; ++i) {
    const JobStatus status = static_cast<JobStatus>(i);
    REQUIRE(ParseJobStatus(JobStatusName(status)) == status);
  }
  REQUIRE(JobStatusName(JobStatus::kInProgress) == "in_progress");
  REQUIRE_FALSE(ParseJobStatus("running").has_value());
  REQUIRE_FALSE(ParseJobStatus("").has_value());
}

TEST_CASE("an id is any UTF-8 of up to 255 bytes but control characters and slashes") {
  for (const std::string& good :
       {std::string("a"), std::string("report-7"), std::string("\xc3\xb1 \xe2\x82\xac"),
        std::string("\xf0\x9f\x95\x92"), std::string(255, 'x')}) {
    REQUIRE(ValidateJobId(good).ok());
  }
  for (const std::string& bad :
       {std::string(), std::string(256, 'x'), std::string("a/b"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("\x7f"), std::string("\xc2\x85"), std::string("\xff"),
        std::string("\xc0\xaf"), std::string("\xed\xa0\x80"), std::string("\xe2\x82"),
        std::string("\xf4\x90\x80\x80")}) {
    CAPTURE(bad);
    REQUIRE(ValidateJobId(bad).code() == absl::StatusCode::kInvalidArgument);
  }
  REQUIRE(ValidateJob(Valid()).ok());  // an empty one is chosen for the caller
}

TEST_CASE("an executor's name is plain") {
  REQUIRE(ValidateExecutorName("team:email.v2-a_b").ok());
  for (const std::string& bad : {std::string(), std::string(129, 'x'), std::string("a b"),
                                 std::string("a/b"), std::string("\xc3\xb1")}) {
    REQUIRE_FALSE(ValidateExecutorName(bad).ok());
  }
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.executor = "a b"; }), Contains("executor is \"a b\""));
}

TEST_CASE("a one-time job has a timestamp or a delay, and nothing of a recurring one") {
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.delay.reset(); }), Contains("timestamp nor delay"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.timestamp = absl::FromUnixSeconds(9); }),
               Contains("both given"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.cron_expression = "* * * * *"; }),
               Contains("cron_expression is \"* * * * *\""));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.interval = absl::Hours(1); }), Contains("interval"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.last_date = absl::FromUnixSeconds(9); }),
               Contains("last_date"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.delay = absl::Seconds(-1); }), Contains("delay is -1s"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.delay = absl::InfiniteDuration(); }),
               Contains("delay is inf"));
}

TEST_CASE("a recurring job has a cron expression or an interval") {
  const auto refuse = [](auto change) {
    Job job = Job::Every(absl::Hours(1));
    change(job);
    return Refusal(job);
  };
  REQUIRE(ValidateJob(Job::Every(absl::Seconds(1))).ok());
  REQUIRE_THAT(refuse([](Job& j) { j.interval.reset(); }), Contains("neither cron_expression"));
  REQUIRE_THAT(refuse([](Job& j) { j.cron_expression = "@daily"; }), Contains("both given"));
  REQUIRE_THAT(refuse([](Job& j) { j.interval = absl::Milliseconds(999); }),
               Contains("interval is 999ms; it needs to be 1s"));
  REQUIRE_THAT(refuse([](Job& j) { j.delay = absl::Seconds(1); }), Contains("delay is 1s"));
  REQUIRE_THAT(refuse([](Job& j) {
                 j.timestamp = absl::FromUnixSeconds(100);
                 j.last_date = absl::FromUnixSeconds(99);
               }),
               Contains("last_date is"));
  REQUIRE_FALSE(ValidateJob(Job::Cron("61 * * * *")).ok());
  REQUIRE_THAT(Refusal(Job::Cron("0 0 30 2 *")), Contains("is never due"));
  REQUIRE_FALSE(ValidateJob(Job::Cron("* * * * *", "Mars/Olympus")).ok());
  REQUIRE_FALSE(ValidateJob(Job::Cron("* * * * *", "localtime")).ok());
  REQUIRE_FALSE(ValidateJob(Job::Cron(std::string("\xff * * * *"))).ok());
}

TEST_CASE("times lie in the years 1970 to 9999") {
  for (const absl::Time time : {absl::InfiniteFuture(), absl::InfinitePast(),
                                absl::FromUnixSeconds(-1), absl::FromUnixSeconds(253402300800)}) {
    REQUIRE_FALSE(ValidateJob(Job::At(time)).ok());
  }
  REQUIRE(ValidateJob(Job::At(absl::UnixEpoch())).ok());
}

TEST_CASE("a webhook's target is checked field by field") {
  const auto with = [](auto change) {
    Job job = Job::In(absl::Seconds(1)).Webhook("https://example.com/");
    change(job.webhook);
    return job;
  };
  REQUIRE(ValidateJob(with([](WebhookTarget& w) { w.url = "HTTP://127.0.0.1:9000"; })).ok());
  for (const std::string& url :
       {std::string("ftp://a"), std::string("example.com"), std::string("http://"),
        std::string("http:///path"), std::string("http://a b"), std::string("http://a\r\nX: y"),
        std::string("http://a:99999/"), std::string("http://a:0/"), std::string("http://a:x"),
        std::string("http://:80/"), std::string("http://[::1/"), std::string("http://[::1]80/"),
        "http://" + std::string(2048, 'a')}) {
    CAPTURE(url);
    REQUIRE_THAT(Refusal(with([&](WebhookTarget& w) { w.url = url; })), Contains("webhook_url"));
  }
  for (const char* url : {"http://[::1]:9000/a:b", "http://a:65535", "http://a:/",
                          "https://[::1]?x", "http://user:word@a:80/"}) {
    CAPTURE(url);
    REQUIRE(ValidateJob(with([&](WebhookTarget& w) { w.url = url; })).ok());
  }
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) { w.method = "get"; })), Contains("method"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) { w.headers["a b"] = "x"; })),
               Contains("headers has the name"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) { w.headers["a"] = "x\r\ny: z"; })),
               Contains("control characters"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) { w.headers["a"] = std::string(9000, 'x'); })),
               Contains("8192"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) {
                 for (int i = 0; i < 65; ++i) w.headers["h" + std::to_string(i)] = "";
               })),
               Contains("at most 64"));
  const std::string refusal = Refusal(with([](WebhookTarget& w) { w.bearer_token = "my secret"; }));
  REQUIRE_THAT(refusal, Contains("bearer_token") && !Contains("my secret"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) { w.headers["Host"] = "evil"; })),
               Contains("headers has the name Host"));
  REQUIRE_THAT(Refusal(with([](WebhookTarget& w) {
                 w.headers["authorization"] = "Basic x";
                 w.bearer_token = "t";
               })),
               Contains("authorization"));
  const std::string no_key = Refusal(with([](WebhookTarget& w) { w.secret = "whsec_!hidden!"; }));
  REQUIRE_THAT(no_key, Contains("secret") && Contains("base64") && !Contains("hidden"));
  Job no_url = Valid();
  no_url.executor = "webhook";
  REQUIRE_THAT(Refusal(no_url), Contains("webhook_url is not given"));
}

TEST_CASE("nothing is taken that would have no effect") {
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.webhook.secret = "s"; }), Contains("secret is given"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.webhook.bearer_token = "t"; }),
               Contains("bearer_token is given"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.webhook.headers["X-A"] = "b"; }),
               Contains("headers is given"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.webhook.method = "PUT"; }), Contains("method is given"));
  REQUIRE_THAT(RefusalAfter([](Job& j) {
                 j.webhook = {.url = "http://a/", .method = "GET"};
                 j.payload = "{}";
               }),
               Contains("payload is given; a webhook of method GET"));
  // Which could not be delivered.
  REQUIRE_THAT(Refusal(Job::In(absl::Seconds(1)).Webhook("http://a/").Payload("\xff\xfe")),
               Contains("payload has bytes that are no UTF-8"));
  REQUIRE(ValidateJob(Job::In(absl::Seconds(1)).Webhook("http://a/").Payload("caf\xc3\xa9")).ok());
  REQUIRE(ValidateJob(Job::In(absl::Seconds(1)).Executor("mine").Payload("\xff\xfe")).ok());
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.timezone = "Europe/Madrid"; }),
               Contains("timezone is \"Europe/Madrid\"; it belongs to cron_expression"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.dst = Dst::kSkip; }), Contains("dst is skip"));
  Job interval = Job::Every(absl::Hours(1));
  interval.timezone = "Europe/Madrid";
  REQUIRE_THAT(Refusal(interval), Contains("timezone"));
  REQUIRE_THAT(Refusal(Job::Cron("CRON_TZ=Asia/Tokyo 0 9 * * *", "Europe/Madrid")),
               Contains("timezone is \"Europe/Madrid\"; cron_expression names one itself"));
  REQUIRE(ValidateJob(Job::Cron("CRON_TZ=Asia/Tokyo 0 9 * * *")).ok());
}

TEST_CASE("bounds are named with the value that broke them") {
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.payload.resize(kMaxPayloadBytes + 1); }),
               Contains("payload has 1048577 bytes; at most 1048576"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.timeout = absl::Hours(25); }),
               Contains("timeout is 25h"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.retry.max_attempts = 0; }),
               Contains("retry.max_attempts is 0; it needs to be 1 to 1000"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.retry.initial = absl::ZeroDuration(); }),
               Contains("retry.initial"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.retry.maximum = absl::Milliseconds(1); }),
               Contains("retry.maximum is 1ms; it needs to be 1s"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.retry.factor = std::nan(""); }),
               Contains("retry.factor"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.retry.jitter = 1.01; }), Contains("retry.jitter"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.idempotency_key.resize(256, 'k'); }),
               Contains("idempotency_key has 256 bytes"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.idempotency_key = "\xff"; }), Contains("UTF-8"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.fingerprint = "short"; }), Contains("fingerprint"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.dst = static_cast<Dst>(9); }), Contains("dst is 9"));
  REQUIRE_THAT(RefusalAfter([](Job& j) { j.type = static_cast<JobType>(9); }),
               Contains("type is 9"));
}

}  // namespace scheduled::jobs
