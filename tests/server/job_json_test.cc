// Jobs between JSON and values: every field, every refusal, and the payload byte for byte.
#include "http/job_json.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "http/json_text.h"

using namespace scheduled;          // NOLINT: the test speaks of nothing else
using namespace scheduled::server;  // NOLINT

namespace {

absl::StatusOr<Job> ReadBody(const std::string& text) {
  const absl::Status valid = CheckJson(text);
  if (!valid.ok()) return valid;
  return JobFromJson(JsonValue(text));
}

std::string BodyRefusal(const std::string& text) {
  const absl::StatusOr<Job> job = ReadBody(text);
  REQUIRE(job.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(job.status().message());
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the smallest create is a whole job") {
  const auto job = ReadBody(R"({"delay":"2s","webhook_url":"http://127.0.0.1:9000/"})");
  REQUIRE(job.ok());
  CHECK(job->type == JobType::kOnce);
  CHECK(job->delay == absl::Seconds(2));
  CHECK(job->webhook.url == "http://127.0.0.1:9000/");
  CHECK(job->fingerprint.size() == 32);
}

TEST_CASE("every field that is served is read") {
  const auto job = ReadBody(R"({"id":"report-7","type":"recurrente",
      "timestamp":"2026-12-01T09:00:00+01:00","cron_expression":"0 9 * * MON-FRI",
      "timezone":"Europe/Madrid","last_date":"2027-12-31T00:00:00Z",
      "webhook_url":"https://example.com/hook","method":"PUT","headers":{"X-Team":"ops"},
      "secret":"whsec_c2VjcmV0","bearer_token":"t","payload":{"order": 17},"executor":"webhook",
      "timeout":"45s","retry":{"max_attempts":5,"initial":"2s","maximum":600,"factor":3,"jitter":0},
      "misfire":"fire_once","overlap":"skip","dst":"skip","idempotency_key":"k"})");
  INFO(job.status().message());
  REQUIRE(job.ok());
  CHECK(job->id == JobId("report-7"));
  CHECK(job->type == JobType::kRecurring);
  CHECK(job->timestamp == absl::FromUnixSeconds(1796112000));
  CHECK(job->cron_expression == "0 9 * * MON-FRI");
  CHECK(job->timezone == "Europe/Madrid");
  CHECK(job->webhook.method == "PUT");
  CHECK(job->webhook.headers.at("X-Team") == "ops");
  CHECK(job->webhook.secret == "whsec_c2VjcmV0");
  CHECK(job->webhook.bearer_token == "t");
  CHECK(job->payload == R"({"order": 17})");
  CHECK(job->timeout == absl::Seconds(45));
  CHECK(job->retry == RetryPolicy{.max_attempts = 5,
                                  .initial = absl::Seconds(2),
                                  .maximum = absl::Minutes(10),
                                  .factor = 3,
                                  .jitter = 0});
  CHECK(job->dst == Dst::kSkip);
  CHECK(job->idempotency_key == "k");
}

TEST_CASE("times come as RFC 3339, epoch seconds or text in UTC") {
  for (const char* time : {"1796112000", "\"1796112000\"", "\"2026-12-01 08:00:00\"",
                           "\"2026-12-01T08:00:00Z\"", "1796112000.000"}) {
    const auto job = ReadBody(absl::StrCat(R"({"timestamp":)", time, "}"));
    INFO(time);
    REQUIRE(job.ok());
    CHECK(job->timestamp == absl::FromUnixSeconds(1796112000));
  }
}

TEST_CASE("a payload is kept byte for byte") {
  const std::string payload =
      R"({ "n" : 1.10,  "s":"\u00e9\/", "big":123456789012345678901234567890 })";
  const auto job = ReadBody(absl::StrCat(R"({"delay":1,"payload":)", payload, "  }"));
  REQUIRE(job.ok());
  CHECK(job->payload == payload);
  JobInfo info;
  info.job = *job;
  CHECK(Contains(JobToJson(info), absl::StrCat("\"payload\":", payload)));
}

TEST_CASE("a field that is not served yet is refused by name") {
  for (const char* field : {"queue", "priority", "jitter", "tags", "concurrency_key", "expires_at",
                            "catchup_window", "pause_on_failure"}) {
    const std::string sentence = BodyRefusal(absl::StrCat(R"({"delay":1,")", field, R"(":1})"));
    CHECK(Contains(sentence, absl::StrCat("\"", field, "\"")));
  }
  CHECK(Contains(BodyRefusal(R"({"cron_expression":"@daily","misfire":"fire_all"})"), "misfire"));
  CHECK(Contains(BodyRefusal(R"({"cron_expression":"@daily","overlap":"queue_one"})"), "overlap"));
}

TEST_CASE("an unknown field is refused by name") {
  CHECK(Contains(BodyRefusal(R"({"delay":1,"colour":"red"})"), "\"colour\""));
  CHECK(Contains(BodyRefusal(R"({"delay":1,"retry":{"tries":3}})"), "retry.tries"));
}

TEST_CASE("an empty text is refused: a variable that was not set makes no job") {
  for (const char* field : {"webhook_url", "secret", "bearer_token", "executor", "idempotency_key",
                            "cron_expression", "id"}) {
    CHECK_THAT(BodyRefusal(absl::StrCat(R"({"delay":1,")", field, R"(":""})")),
               Catch::Contains(absl::StrCat("field \"", field, "\"")));
  }
}

TEST_CASE("a number is shown as it was given") {
  JobInfo info;
  info.job = *ReadBody(R"({"delay":1,"retry":{"factor":1.23456789012345}})");
  CHECK(Contains(JobToJson(info), "\"factor\":1.23456789012345,"));
}

TEST_CASE("secrets are never shown") {
  JobInfo info;
  info.job = *ReadBody(R"({"delay":1,"webhook_url":"http://x/","secret":"whsec_c2VjcmV0",
                       "bearer_token":"hidden"})");
  const std::string shown = JobToJson(info);
  CHECK_FALSE(Contains(shown, "whsec"));
  CHECK_FALSE(Contains(shown, "hidden"));
}

TEST_CASE("the same bytes have the same fingerprint, others another") {
  const std::string text = R"({"delay":1,"id":"a"})";
  CHECK(ReadBody(text)->fingerprint == ReadBody(text)->fingerprint);
  CHECK(ReadBody(text)->fingerprint != ReadBody(R"({"delay":1, "id":"a"})")->fingerprint);
}

TEST_CASE("a batch says which job is wrong") {
  const std::string text = R"({"jobs":[{"delay":1},{"delay":1,"colour":1}]})";
  const auto batch = BatchFromJson(JsonValue(text));
  CHECK(Contains(std::string(batch.status().message()), "jobs[1]"));
  const std::string separate = R"({"jobs":[{"delay":1},{"delay":1,"colour":1}],"atomic":false})";
  const auto items = BatchFromJson(JsonValue(separate));
  REQUIRE(items.ok());
  CHECK(items->jobs[0].ok());
  CHECK_FALSE(items->jobs[1].ok());
}
