// Reading creates field by field, and writing jobs and attempts.
#include "http/job_json.h"

#include <openssl/sha.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "http/json_writer.h"
#include "scheduled/time_text.h"

namespace scheduled::server {
namespace {

// Fields of the API that this version knows and does not serve yet.
constexpr std::array kNotServed = {"queue",          "priority",        "jitter",
                                   "tags",           "concurrency_key", "expires_at",
                                   "catchup_window", "pause_on_failure"};

absl::Status Wrong(std::string_view field, std::string_view value, std::string_view wanted) {
  const std::string_view shown = value.substr(0, 64);
  return absl::InvalidArgumentError(absl::StrCat(
      "field \"", absl::string_view(field.data(), field.size()), "\" is ",
      absl::string_view(shown.data(), shown.size()), value.size() > 64 ? "...: " : ": ",
      absl::string_view(wanted.data(), wanted.size())));
}

absl::Status ReadString(std::string_view field, const JsonValue& value, std::string& out) {
  if (value.kind() != JsonKind::kString) return Wrong(field, value.raw(), "a string is expected");
  out = value.AsString();
  return absl::OkStatus();
}

// An empty text is more likely a variable that was not set than a wish.
absl::Status ReadText(std::string_view field, const JsonValue& value, std::string& out) {
  absl::Status read = ReadString(field, value, out);
  if (read.ok() && out.empty()) return Wrong(field, value.raw(), "leave the field out or fill it");
  return read;
}

absl::StatusOr<absl::Time> ReadTime(std::string_view field, const JsonValue& value) {
  std::string text;
  if (value.kind() == JsonKind::kString) {
    text = value.AsString();
  } else if (value.kind() == JsonKind::kNumber) {
    text = std::string(value.raw());
  } else {
    return Wrong(field, value.raw(), "a time is expected (RFC 3339 or epoch seconds)");
  }
  absl::StatusOr<absl::Time> time = ParseTimeText(text);
  if (!time.ok()) return Wrong(field, value.raw(), std::string(time.status().message()));
  return time;
}

// "1h30m" or a number of seconds.
absl::StatusOr<absl::Duration> ReadDuration(std::string_view field, const JsonValue& value) {
  if (value.kind() == JsonKind::kString) {
    absl::StatusOr<absl::Duration> duration = ParseDurationText(value.AsString());
    if (!duration.ok()) return Wrong(field, value.raw(), std::string(duration.status().message()));
    return duration;
  }
  const std::optional<double> seconds =
      value.kind() == JsonKind::kNumber ? value.AsDouble() : std::nullopt;
  if (!seconds) {
    return Wrong(field, value.raw(), "a duration is expected (\"1h30m\" or a number of seconds)");
  }
  const double micros = *seconds * 1e6;
  if (micros < 0 || micros > 9e15 || std::abs(micros - std::round(micros)) > 1e-3) {
    return Wrong(field, value.raw(), "a duration is at least 0 and whole microseconds");
  }
  return absl::Microseconds(static_cast<int64_t>(std::llround(micros)));
}

absl::Status ReadRetry(const JsonValue& value, RetryPolicy& retry) {
  if (value.kind() != JsonKind::kObject) {
    return Wrong("retry", value.raw(), "an object is expected");
  }
  for (const auto& [key, member] : value.Members()) {
    const std::string field = "retry." + key;
    if (key == "max_attempts") {
      const std::optional<int64_t> number =
          member.kind() == JsonKind::kNumber ? member.AsInteger() : std::nullopt;
      if (!number || *number < 1 || *number > 1000) {
        return Wrong(field, member.raw(), "a whole number from 1 to 1,000 is expected");
      }
      retry.max_attempts = static_cast<int>(*number);
    } else if (key == "initial" || key == "maximum") {
      absl::StatusOr<absl::Duration> duration = ReadDuration(field, member);
      if (!duration.ok()) return duration.status();
      (key == "initial" ? retry.initial : retry.maximum) = *duration;
    } else if (key == "factor" || key == "jitter") {
      const std::optional<double> number =
          member.kind() == JsonKind::kNumber ? member.AsDouble() : std::nullopt;
      if (!number) return Wrong(field, member.raw(), "a number is expected");
      (key == "factor" ? retry.factor : retry.jitter) = *number;
    } else {
      return absl::InvalidArgumentError(absl::StrCat("unknown field ", JsonQuote(field)));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadHeaders(const JsonValue& value, std::map<std::string, std::string>& headers) {
  if (value.kind() != JsonKind::kObject) {
    return Wrong("headers", value.raw(), "an object of strings is expected");
  }
  for (const auto& [key, member] : value.Members()) {
    if (absl::Status read = ReadString("headers." + key, member, headers[key]); !read.ok()) {
      return read;
    }
  }
  return absl::OkStatus();
}

template <typename Enum>
absl::Status ReadWord(std::string_view field, const JsonValue& value,
                      std::initializer_list<std::pair<std::string_view, Enum>> words,
                      std::initializer_list<std::string_view> later, Enum& out) {
  std::string word;
  if (absl::Status read = ReadString(field, value, word); !read.ok()) return read;
  std::string wanted = "expected is one of:";
  for (const auto& [name, meaning] : words) {
    if (word == name) return out = meaning, absl::OkStatus();
    wanted.append(" ").append(name);
  }
  for (const std::string_view name : later) {
    if (word == name) return Wrong(field, value.raw(), "this value is not supported yet");
  }
  return Wrong(field, value.raw(), wanted);
}

// What a create says beside the fields of Job.
struct Given {
  bool type = false;
};

using Reader = absl::Status (*)(const JsonValue&, Job&, Given&);

template <typename T>
absl::Status Store(absl::StatusOr<T> value, std::optional<T>& out) {
  if (value.ok()) out = *value;
  return value.status();
}

// One row a field.
const std::map<std::string_view, Reader>& Readers() {
  static const auto& readers = *new std::map<std::string_view, Reader>{
      {"id",
       [](const JsonValue& v, Job& j, Given&) {
         absl::Status read = ReadString("id", v, j.id.value);
         if (read.ok() && j.id.empty()) return Wrong("id", v.raw(), "1 to 255 bytes are expected");
         return read;
       }},
      {"type",
       [](const JsonValue& v, Job& j, Given& given) {
         given.type = true;
         return ReadWord<JobType>("type", v,
                                  {{"unico", JobType::kOnce},
                                   {"recurrente", JobType::kRecurring},
                                   {"once", JobType::kOnce},
                                   {"recurring", JobType::kRecurring}},
                                  {}, j.type);
       }},
      {"timestamp", [](const JsonValue& v, Job& j,
                       Given&) { return Store(ReadTime("timestamp", v), j.timestamp); }},
      {"delay",
       [](const JsonValue& v, Job& j, Given&) { return Store(ReadDuration("delay", v), j.delay); }},
      {"cron_expression", [](const JsonValue& v, Job& j,
                             Given&) { return ReadText("cron_expression", v, j.cron_expression); }},
      {"timezone",
       [](const JsonValue& v, Job& j, Given&) { return ReadString("timezone", v, j.timezone); }},
      {"interval", [](const JsonValue& v, Job& j,
                      Given&) { return Store(ReadDuration("interval", v), j.interval); }},
      {"last_date", [](const JsonValue& v, Job& j,
                       Given&) { return Store(ReadTime("last_date", v), j.last_date); }},
      {"executor",
       [](const JsonValue& v, Job& j, Given&) { return ReadText("executor", v, j.executor); }},
      {"webhook_url", [](const JsonValue& v, Job& j,
                         Given&) { return ReadText("webhook_url", v, j.webhook.url); }},
      {"method", [](const JsonValue& v, Job& j,
                    Given&) { return ReadString("method", v, j.webhook.method); }},
      {"headers",
       [](const JsonValue& v, Job& j, Given&) { return ReadHeaders(v, j.webhook.headers); }},
      {"secret",
       [](const JsonValue& v, Job& j, Given&) { return ReadText("secret", v, j.webhook.secret); }},
      {"bearer_token", [](const JsonValue& v, Job& j,
                          Given&) { return ReadText("bearer_token", v, j.webhook.bearer_token); }},
      {"payload",
       [](const JsonValue& v, Job& j, Given&) {
         if (v.kind() != JsonKind::kObject) {
           return Wrong("payload", v.raw(), "an object is expected");
         }
         j.payload = std::string(v.raw());
         return absl::OkStatus();
       }},
      {"timeout",
       [](const JsonValue& v, Job& j, Given&) {
         absl::StatusOr<absl::Duration> timeout = ReadDuration("timeout", v);
         if (timeout.ok()) j.timeout = *timeout;
         return timeout.status();
       }},
      {"retry", [](const JsonValue& v, Job& j, Given&) { return ReadRetry(v, j.retry); }},
      {"misfire",
       [](const JsonValue& v, Job& j, Given&) {
         return ReadWord<Misfire>("misfire", v, {{"fire_once", Misfire::kFireOnce}},
                                  {"fire_all", "skip"}, j.misfire);
       }},
      {"overlap",
       [](const JsonValue& v, Job& j, Given&) {
         return ReadWord<Overlap>("overlap", v, {{"skip", Overlap::kSkip}},
                                  {"queue_one", "allow", "replace"}, j.overlap);
       }},
      {"dst",
       [](const JsonValue& v, Job& j, Given&) {
         return ReadWord<Dst>("dst", v, {{"vixie", Dst::kVixie}, {"skip", Dst::kSkip}}, {}, j.dst);
       }},
      {"idempotency_key", [](const JsonValue& v, Job& j,
                             Given&) { return ReadText("idempotency_key", v, j.idempotency_key); }},
  };
  return readers;
}

std::string Sha256(std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string_view TypeName(JobType type) { return type == JobType::kOnce ? "unico" : "recurrente"; }

std::string HeadersToJson(const std::map<std::string, std::string>& headers) {
  JsonObject object;
  for (const auto& [name, value] : headers) {
    const std::string quoted = JsonQuote(name);
    object.Raw(std::string_view(quoted).substr(1, quoted.size() - 2), JsonQuote(value));
  }
  return object.Take();
}

std::string RetryToJson(const RetryPolicy& retry) {
  return JsonObject()
      .Number("max_attempts", retry.max_attempts)
      .Text("initial", FormatDurationText(retry.initial))
      .Text("maximum", FormatDurationText(retry.maximum))
      .Number("factor", retry.factor)
      .Number("jitter", retry.jitter)
      .Take();
}

void AppendDefinition(const Job& job, JsonObject& object) {
  object.Text("id", job.id.value).Text("type", TypeName(job.type));
  object.TimeIfSet("timestamp", job.timestamp);
  if (job.delay) object.Text("delay", FormatDurationText(*job.delay));
  object.TextIfSet("cron_expression", job.cron_expression);
  if (!job.cron_expression.empty()) object.Text("timezone", job.timezone);
  if (job.interval) object.Text("interval", FormatDurationText(*job.interval));
  object.TimeIfSet("last_date", job.last_date);
  object.Text("executor", job.executor);
  if (!job.webhook.url.empty()) {
    object.Text("webhook_url", job.webhook.url).Text("method", job.webhook.method);
  }
  if (!job.webhook.headers.empty()) object.Raw("headers", HeadersToJson(job.webhook.headers));
  if (!job.payload.empty()) {
    // Bytes that a host program stored need not be JSON; they are shown as a string.
    object.Raw("payload", CheckJson(job.payload).ok() ? job.payload : JsonQuote(job.payload));
  }
  object.Text("timeout", FormatDurationText(job.timeout)).Raw("retry", RetryToJson(job.retry));
  if (job.type == JobType::kRecurring) {
    object.Text("misfire", "fire_once").Text("overlap", "skip");
  }
  if (!job.cron_expression.empty()) {
    object.Text("dst", job.dst == Dst::kVixie ? "vixie" : "skip");
  }
  object.TextIfSet("idempotency_key", job.idempotency_key);
}

}  // namespace

absl::StatusOr<Job> JobFromJson(const JsonValue& value) {
  if (value.kind() != JsonKind::kObject) {
    return absl::InvalidArgumentError("a job is a JSON object");
  }
  Job job;
  Given given;
  for (const auto& [key, member] : value.Members()) {
    for (const std::string_view later : kNotServed) {
      if (key == later) {
        return absl::InvalidArgumentError(
            absl::StrCat("field ", JsonQuote(key), " is not supported yet"));
      }
    }
    const auto reader = Readers().find(key);
    if (reader == Readers().end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown field ", JsonQuote(key)));
    }
    if (absl::Status read = reader->second(member, job, given); !read.ok()) return read;
  }
  if (!given.type && (!job.cron_expression.empty() || job.interval)) {
    job.type = JobType::kRecurring;
  }
  job.fingerprint = Sha256(value.raw());
  if (absl::Status valid = ValidateJob(job); !valid.ok()) return valid;
  return job;
}

absl::StatusOr<BatchRequest> BatchFromJson(const JsonValue& value) {
  if (value.kind() != JsonKind::kObject) {
    return absl::InvalidArgumentError("a batch is a JSON object with the field \"jobs\"");
  }
  BatchRequest batch;
  std::optional<JsonValue> jobs;
  for (const auto& [key, member] : value.Members()) {
    if (key == "jobs") {
      jobs = member;
    } else if (key == "atomic" && member.kind() == JsonKind::kBool) {
      batch.atomic = member.AsBool();
    } else if (key == "atomic") {
      return Wrong("atomic", member.raw(), "true or false is expected");
    } else {
      return absl::InvalidArgumentError(absl::StrCat("unknown field ", JsonQuote(key)));
    }
  }
  if (!jobs || jobs->kind() != JsonKind::kArray) {
    return absl::InvalidArgumentError("field \"jobs\" is missing or not an array");
  }
  for (const JsonValue& element : jobs->Elements()) {
    if (batch.jobs.size() == 10'000) {
      return absl::InvalidArgumentError("a batch has at most 10,000 jobs");
    }
    batch.jobs.push_back(JobFromJson(element));
    if (batch.atomic && !batch.jobs.back().ok()) {
      return absl::InvalidArgumentError(absl::StrCat("jobs[", batch.jobs.size() - 1,
                                                     "]: ", batch.jobs.back().status().message()));
    }
  }
  if (batch.jobs.empty()) return absl::InvalidArgumentError("field \"jobs\" is empty");
  return batch;
}

std::string JobToJson(const JobInfo& info) {
  JsonObject object;
  AppendDefinition(info.job, object);
  object.Time("created_at", info.created_at).Number("revision", info.revision.value);
  object.Text("status", JobStatusName(info.status)).Time("next_run_at", info.next_run_at);
  return object.Take();
}

std::string StatusToJson(const JobInfo& info) {
  return JsonObject()
      .Text("job_id", info.job.id.value)
      .Text("status", JobStatusName(info.status))
      .Number("attempt_count", info.attempt_count)
      .Time("created_at", info.created_at)
      .Time("first_attempt_at", info.first_attempt_at)
      .Time("last_attempt_at", info.last_attempt_at)
      .Time("completed_at", info.completed_at)
      .Time("cancelled_at", info.cancelled_at)
      .Raw("cancellation_reason",
           info.cancellation_reason.empty() ? "null" : JsonQuote(info.cancellation_reason))
      .Raw("executing_node_id",
           info.executing_node.empty() ? "null" : JsonQuote(info.executing_node.value))
      .Time("next_run_at", info.next_run_at)
      .Take();
}

std::string AttemptsToJson(const JobId& id, const std::vector<Attempt>& attempts) {
  std::string list = "[";
  for (const Attempt& attempt : attempts) {
    if (list.size() > 1) list += ',';
    JsonObject object;
    object.Number("attempt_num", attempt.attempt)
        .Number("delivery", attempt.delivery)
        .Text("run_id", attempt.run_id)
        .Time("scheduled_at", attempt.due)
        .Time("start_time", attempt.start)
        .Time("end_time", attempt.end)
        .Text("node_id", attempt.node.value)
        .Text("status", JobStatusName(attempt.status));
    if (attempt.http_status != 0) object.Number("http_status", attempt.http_status);
    if (attempt.start && attempt.end) {
      object.Number("response_time_ms", absl::ToDoubleMilliseconds(*attempt.end - *attempt.start));
    }
    object.TextIfSet("error_message", attempt.error_message)
        .TextIfSet("error_type", attempt.error_type)
        .TextIfSet("response", attempt.response);
    list += object.Take();
  }
  list += ']';
  return JsonObject().Text("job_id", id.value).Raw("attempts", list).Take();
}

}  // namespace scheduled::server
