// The API over a scheduler of one node on virtual time: routes, statuses, and that nothing which a
// client says is taken and ignored.
#include "http/api.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "scheduled/inproc_transport.h"
#include "scheduled/reason.h"

using namespace scheduled;          // NOLINT: the test speaks of nothing else
using namespace scheduled::server;  // NOLINT
using Catch::Contains;

namespace {

struct Answer {
  int status = 0;
  std::string body;
  std::string headers;  // "Name: value;" each
};

class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "scheduled-XXXXXX").string();
    path_ = ::mkdtemp(path.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class World {
 public:
  explicit World(ApiOptions options = {})
      : clock_(std::make_shared<ManualClock>(absl::FromUnixSeconds(1'767'225'600))) {
    auto opened = Scheduler::Open({.clock = clock_, .max_jobs = options.max_jobs});
    REQUIRE(opened.ok());
    scheduler_ = *std::move(opened);
    api_ = std::make_unique<Api>(scheduler_.get(), std::move(options));
  }

  std::future<HttpResponse> Begin(HttpRequest request) {
    if (request.host.empty()) request.host = "localhost:8080";
    auto reply = std::make_shared<std::promise<HttpResponse>>();
    std::future<HttpResponse> replied = reply->get_future();
    api_->Handle(std::move(request),
                 [reply](HttpResponse response) { reply->set_value(std::move(response)); });
    return replied;
  }
  Answer Ask(HttpRequest request) {
    std::future<HttpResponse> replied = Begin(std::move(request));
    clock_->Advance(absl::ZeroDuration());
    REQUIRE(replied.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    HttpResponse response = replied.get();
    Answer answer{response.status, std::move(response.body), ""};
    for (const auto& [name, value] : response.headers) {
      absl::StrAppend(&answer.headers, name, ": ", value, ";");
    }
    return answer;
  }
  Answer Ask(const std::string& method, const std::string& target, const std::string& body = "") {
    return Ask({.method = method, .target = target, .body = body});
  }
  int Status(const std::string& method, const std::string& target, const std::string& body = "") {
    return Ask(method, target, body).status;
  }
  void Advance(absl::Duration duration) { clock_->Advance(duration); }
  // Registers an executor whose runs all fail.
  void Fail(const std::string& name) {
    const auto fail = [](const RunContext&) { return absl::InternalError("broken"); };
    REQUIRE(scheduler_->Register(name, CallbackExecutor(fail)).ok());
  }
  void Stop() { api_->Stop(); }

 private:
  std::shared_ptr<ManualClock> clock_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Api> api_;
};

}  // namespace

TEST_CASE("a job is created, read, replaced, listed and deleted") {
  World world;
  const Answer created = world.Ask("POST", "/jobs", R"({"id":"a","delay":"1h"})");
  CHECK(created.status == 200);
  CHECK_THAT(created.body, Contains(R"("next_run_at":1767229200)"));
  CHECK_THAT(created.headers, Contains("ETag: \"1\""));
  CHECK(world.Status("GET", "/jobs/a?consistency=stale") == 200);
  CHECK_THAT(world.Ask("GET", "/jobs/a/status").body, Contains(R"("status":"pending")"));
  CHECK_THAT(world.Ask("GET", "/jobs?status=pending").body, Contains(R"("total":1)"));
  CHECK_THAT(world.Ask("PUT", "/jobs/a", R"({"delay":"2h"})").body,
             Contains(R"("next_run_at":1767232800)"));
  CHECK(world.Status("DELETE", "/jobs/a") == 204);
  CHECK(world.Status("GET", "/jobs/a") == 404);
  CHECK(world.Status("DELETE", "/jobs/a") == 404);
}

TEST_CASE("the same create again is the same job, another is a conflict") {
  World world;
  const std::string job = R"({"id":"a","delay":"1h"})";
  CHECK(world.Status("POST", "/jobs", job) == 200);
  CHECK(world.Status("POST", "/jobs", job) == 200);
  CHECK(world.Status("POST", "/jobs", R"({"id":"a","delay":"2h"})") == 409);
  HttpRequest keyed{.method = "POST", .target = "/jobs", .body = R"({"delay":"1h"})"};
  keyed.idempotency_key = "k";
  const Answer first = world.Ask(keyed);
  CHECK(world.Ask(keyed).body == first.body);
  keyed.body = R"({"delay":"2h"})";
  CHECK(world.Ask(keyed).status == 409);
}

TEST_CASE("a replace holds to the revision that it names") {
  World world;
  world.Ask("POST", "/jobs", R"({"id":"a","delay":"1h"})");
  HttpRequest put{.method = "PUT", .target = "/jobs/a", .body = R"({"delay":"2h"})"};
  put.if_match = "\"999\"";
  const Answer refused = world.Ask(put);
  CHECK(refused.status == 412);
  CHECK_THAT(refused.body, Contains(R"("code":"revision")"));
  put.if_match = "\"1\"";
  CHECK(world.Ask(put).status == 200);
  put.if_match = "1";
  CHECK(world.Ask(put).status == 400);
}

TEST_CASE("what a job's state does not allow is a conflict, and a bad request for cancel") {
  World world;
  world.Ask("POST", "/jobs", R"({"id":"a","delay":"1s"})");
  CHECK(world.Status("POST", "/jobs/a/pause") == 200);
  CHECK(world.Status("POST", "/jobs/a/trigger") == 409);
  CHECK(world.Status("POST", "/jobs/a/resume", "{}") == 200);
  world.Advance(absl::Seconds(2));
  for (const char* action : {"pause", "resume", "trigger", "retry"}) {
    CHECK(world.Status("POST", absl::StrCat("/jobs/a/", action)) == 409);
    CHECK(world.Status("POST", absl::StrCat("/jobs/none/", action)) == 404);
  }
  CHECK_THAT(world.Ask("POST", "/jobs/a/cancel").body, Contains(R"("code":"already_ended")"));
  CHECK(world.Status("POST", "/jobs/a/cancel") == 400);
  CHECK(world.Status("POST", "/jobs/none/cancel") == 404);
}

TEST_CASE("beyond the limit of jobs a create is told that there is no room") {
  World world({.max_jobs = 1});
  CHECK(world.Status("POST", "/jobs", R"({"delay":"1h"})") == 200);
  const Answer refused = world.Ask("POST", "/jobs", R"({"delay":"1h"})");
  CHECK(refused.status == 507);
  CHECK_THAT(refused.body, Contains(R"("code":"limit")"));
}

TEST_CASE("a status of the library is answered by what the client does next") {
  const auto code = [](absl::Status status, std::string_view reason = "") {
    return StatusResponse(reason.empty() ? status : WithReason(status, reason)).status;
  };
  CHECK(code(absl::ResourceExhaustedError("x")) == 429);
  CHECK(code(absl::ResourceExhaustedError("x"), "limit") == 507);
  CHECK(code(absl::ResourceExhaustedError("x"), "too_large") == 413);
  CHECK(code(absl::UnavailableError("x")) == 503);
  const HttpResponse unknown = StatusResponse(absl::UnknownError("x"));
  CHECK(unknown.status == 503);
  CHECK_THAT(unknown.body, Contains(R"("code":"unknown_outcome")"));
  CHECK(unknown.headers.at(0) == std::pair<std::string, std::string>("Retry-After", "1"));
  CHECK_THAT(StatusResponse(WithReason(absl::InvalidArgumentError("x"), "invalid")).body,
             Contains(R"("code":"invalid_argument")"));
}

TEST_CASE("a header or body that has no effect is refused") {
  World world;
  world.Ask("POST", "/jobs", R"({"id":"a","delay":"1h"})");
  const auto with = [&](HttpRequest request, std::string key, std::string if_match) {
    request.idempotency_key = std::move(key);
    request.if_match = std::move(if_match);
    return world.Ask(std::move(request));
  };
  const std::string batch = R"({"jobs":[{"delay":"1h"}]})";
  CHECK_THAT(with({.method = "POST", .target = "/jobs/batch", .body = batch}, "k", "").body,
             Contains("Idempotency-Key has no effect"));
  CHECK(with({.method = "POST", .target = "/jobs/a/trigger"}, "k", "").status == 400);
  CHECK(with({.method = "PUT", .target = "/jobs/a", .body = R"({"delay":"2h"})"}, "k", "").status ==
        400);
  CHECK_THAT(with({.method = "DELETE", .target = "/jobs/a"}, "", "\"1\"").body,
             Contains("If-Match has no effect"));
  CHECK(with({.method = "POST", .target = "/jobs", .body = R"({"delay":1})"}, "", "\"1\"").status ==
        400);
  CHECK(world.Status("DELETE", "/jobs/a", R"({"reason":"x"})") == 400);
  for (const char* body : {"}}}{{{", R"({"a":1})", "x", "[]"}) {
    INFO(body);
    CHECK(world.Status("POST", "/jobs/a/pause", body) == 400);
  }
  CHECK(world.Status("PUT", "/jobs/a", R"({"delay":"2h","idempotency_key":"k"})") == 400);
  CHECK_THAT(world.Ask("GET", "/jobs/a/status").body, Contains(R"("status":"pending")"));
  CHECK_THAT(world.Ask("GET", "/jobs/a").body, Contains(R"("delay":"1h")"));
}

TEST_CASE("a parameter that is unknown, empty or wrong is refused") {
  World world;
  for (const char* target :
       {"/jobs?nosuch=1", "/jobs?executor=", "/jobs?status=", "/jobs?status=skipped",
        "/jobs?limit=0", "/jobs?due_before=now", "/jobs/a?consistency=maybe", "/cron/next",
        "/cron/next?expression=@daily&count=0", "/cron/next?expression=@daily&dst=foo"}) {
    INFO(target);
    CHECK(world.Status("GET", target) == 400);
  }
}

TEST_CASE("a refusal names the field or parameter that it is about") {
  World world;
  const auto error = [&world](const std::string& method, const std::string& target,
                              const std::string& body = "") {
    const Answer answer = world.Ask(method, target, body);
    CHECK(answer.status == 400);
    return answer.body;
  };
  CHECK_THAT(error("POST", "/jobs", R"({"cron_expression":"61 * * * *"})"),
             Contains(R"("error":"cron_expression: )"));
  CHECK_THAT(error("POST", "/jobs", R"({"cron_expression":"@daily","timezone":"Madrid"})"),
             Contains(R"("error":"timezone: )"));
  CHECK_THAT(error("POST", "/jobs"), Contains("the body is empty"));
  CHECK_THAT(error("GET", "/jobs?status=done"), Contains("it needs to be pending, in_progress"));
  CHECK_THAT(error("GET", "/jobs?due_before=soon"), Contains(R"("error":"due_before: )"));
  CHECK_THAT(error("GET", "/cron/next?expression=@daily&from=soon"),
             Contains(R"("error":"from: )"));
}

TEST_CASE("what belongs to a cron expression is not shown of an interval, which would refuse it") {
  World world;
  CHECK_THAT(world.Ask("POST", "/jobs", R"({"interval":"30s"})").body,
             !Contains("timezone") && !Contains("dst"));
  CHECK_THAT(world.Ask("POST", "/jobs", R"({"cron_expression":"@daily"})").body,
             Contains(R"("timezone":"UTC")") && Contains(R"("dst":"vixie")"));
}

TEST_CASE("a few runs that fail do not make a node degraded, many do") {
  World world;
  world.Fail("broken");
  world.Advance(absl::Seconds(1));  // it leads
  for (int i = 0; i < 20; ++i) {
    CHECK_THAT(world.Ask("GET", "/health").body, Contains(R"("status":"ok")"));
    world.Ask("POST", "/jobs", R"({"delay":"1s","executor":"broken","retry":{"max_attempts":1}})");
    world.Advance(absl::Seconds(2));
  }
  CHECK_THAT(world.Ask("GET", "/health").body,
             Contains(R"("status":"degraded")") && Contains("too large a share failed"));
}

TEST_CASE("a stop waits for the reads that are under way") {
  World world;
  std::vector<std::future<HttpResponse>> replies;
  for (int i = 0; i < 20; ++i) replies.push_back(world.Begin({.method = "GET", .target = "/jobs"}));
  world.Advance(absl::ZeroDuration());
  world.Stop();
  for (std::future<HttpResponse>& reply : replies) {
    REQUIRE(reply.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    CHECK(reply.get().status == 200);
  }
}

TEST_CASE("what is read after a stop is not answered, and nothing is left behind") {
  World world;
  std::future<HttpResponse> reply = world.Begin({.method = "GET", .target = "/jobs"});
  world.Stop();
  world.Advance(absl::ZeroDuration());
  CHECK_THROWS_AS(reply.get(), std::future_error);  // its promise is gone
}

TEST_CASE("where a majority is gone, lists that wait for it hold up nobody else") {
  TempDir dir;
  InprocNetwork network;
  Options options;
  options.data_dir = dir.path() + "/data";
  options.node_id = NodeId("a");
  options.peers = {{NodeId("a"), "a"}, {NodeId("b"), "b"}, {NodeId("c"), "c"}};
  options.transport = network.NewTransport();
  options.drain_timeout = absl::ZeroDuration();
  auto scheduler = Scheduler::Open(std::move(options));
  INFO(scheduler.status().ToString());
  REQUIRE(scheduler.ok());
  Api api(scheduler->get(), {});
  const auto ask = [&api](const std::string& target) {
    auto reply = std::make_shared<std::promise<HttpResponse>>();
    std::future<HttpResponse> replied = reply->get_future();
    api.Handle({.method = "GET", .target = target, .host = "localhost"},
               [reply](HttpResponse response) { reply->set_value(std::move(response)); });
    return replied;
  };
  std::vector<std::future<HttpResponse>> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.push_back(ask("/jobs"));
    waiting.push_back(ask("/jobs/x/executions"));
  }
  for (const char* target : {"/health", "/live", "/ready", "/debug/cluster",
                             "/jobs/x?consistency=stale", "/jobs/x/executions?consistency=stale"}) {
    INFO(target);
    std::future<HttpResponse> reply = ask(target);
    REQUIRE(reply.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    // It came before those that were asked earlier.
    for (std::future<HttpResponse>& earlier : waiting) {
      CHECK(earlier.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
    }
  }
  // A close ends them all.
  api.Stop();
  scheduler->reset();
  for (std::future<HttpResponse>& reply : waiting) CHECK(reply.get().status == 503);
}

TEST_CASE("a path that is not there is told from a method that it does not take") {
  World world;
  CHECK(world.Status("GET", "/nothing") == 404);
  CHECK_THAT(world.Ask("POST", "/jobs/", "{}").body, Contains("no_such_path"));
  const Answer wrong = world.Ask("PATCH", "/jobs/a");
  CHECK(wrong.status == 405);
  CHECK_THAT(wrong.headers, Contains("Allow: GET, PUT, DELETE"));
}

TEST_CASE("a page of another origin cannot use the server, whatever name it gives it") {
  World world({.cors_origins = {"http://ops.example"}});
  const auto from = [&world](const std::string& origin, const std::string& host) {
    return world.Ask({.method = "POST",
                      .target = "/jobs",
                      .body = R"({"delay":"1h"})",
                      .host = host,
                      .origin = origin});
  };
  CHECK(from("http://evil.example", "localhost:8080").status == 403);
  CHECK(from("null", "localhost:8080").status == 403);
  // A name that its owner points at this machine makes page and server look alike.
  CHECK(from("http://evil.example:8080", "evil.example:8080").status == 403);
  CHECK(from("http://1.2.3.4.evil.example", "1.2.3.4.evil.example").status == 403);
  CHECK(from("http://localhost:8080", "localhost:8080").status == 200);
  CHECK(from("http://127.0.0.1:8080", "127.0.0.1:8080").status == 200);
  CHECK(from("http://[::1]:8080", "[::1]:8080").status == 200);
  const Answer allowed = from("http://ops.example", "scheduler.example");
  CHECK(allowed.status == 200);
  CHECK_THAT(allowed.headers, Contains("Access-Control-Allow-Origin: http://ops.example"));
}

TEST_CASE("a preflight is answered for an allowed origin alone") {
  World world({.cors_origins = {"http://ops.example"}});
  HttpRequest preflight{.method = "OPTIONS", .target = "/jobs", .origin = "http://ops.example"};
  preflight.request_method = "POST";
  const Answer answer = world.Ask(preflight);
  CHECK(answer.status == 204);
  CHECK_THAT(answer.headers, Contains("Access-Control-Allow-Methods: GET, POST, PUT, DELETE"));
  preflight.origin = "http://evil.example";
  CHECK(world.Ask(preflight).status == 403);
}
