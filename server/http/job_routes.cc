// /jobs and what hangs below it.
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "http/job_json.h"
#include "http/json_text.h"
#include "http/json_writer.h"
#include "http/routes.h"
#include "scheduled/reason.h"

namespace scheduled::server {
namespace {

HttpResponse JobResponse(const JobInfo& info) {
  HttpResponse response = JsonResponse(JobToJson(info));
  response.headers.emplace_back("ETag", absl::StrCat("\"", info.revision.value, "\""));
  return response;
}

HttpResponse JobOrError(const absl::StatusOr<JobInfo>& info) {
  return info.ok() ? JobResponse(*info) : StatusResponse(info.status());
}

auto AnswerJob(Reply reply) {
  return [reply = std::move(reply)](absl::StatusOr<JobInfo> info) mutable {
    std::move(reply)(JobOrError(info));
  };
}

// The job that a body describes; the header's key, where there is one, is the job's.
absl::StatusOr<Job> ReadJob(const HttpRequest& request) {
  if (absl::Status valid = CheckJson(request.body); !valid.ok()) return valid;
  absl::StatusOr<Job> job = JobFromJson(JsonValue(request.body));
  if (!job.ok() || request.idempotency_key.empty()) return job;
  if (!job->idempotency_key.empty() && job->idempotency_key != request.idempotency_key) {
    return absl::InvalidArgumentError(
        "the header Idempotency-Key and the field \"idempotency_key\" differ");
  }
  job->idempotency_key = request.idempotency_key;
  if (absl::Status valid = ValidateJob(*job); !valid.ok()) return valid;
  return job;
}

void Create(const ApiContext& context, Call call, Reply reply) {
  absl::StatusOr<Job> job = ReadJob(call.request);
  if (!job.ok()) return std::move(reply)(StatusResponse(job.status()));
  context.scheduler->Schedule(*std::move(job), AnswerJob(std::move(reply)));
}

std::string ItemJson(const absl::StatusOr<JobInfo>& info) {
  return info.ok() ? JobToJson(*info) : StatusResponse(info.status()).body;
}

std::string BatchJson(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) absl::StrAppend(&list, list.size() > 1 ? "," : "", item);
  return JsonObject().Raw("jobs", list + "]").Take();
}

// Each job by itself; the answer is complete when the last one is. Completions come one at a time,
// on the completions lane, but for those that are refused right here.
class SeparateCreates {
 public:
  static void Run(const ApiContext& context, std::vector<absl::StatusOr<Job>> jobs, Reply reply) {
    auto creates = std::make_shared<SeparateCreates>();
    creates->items_.resize(jobs.size());
    creates->waiting_ = jobs.size();
    creates->reply_ = std::move(reply);
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (!jobs[i].ok()) {
        creates->Answer(i, jobs[i].status());
        continue;
      }
      context.scheduler->Schedule(*std::move(jobs[i]), [creates, i](absl::StatusOr<JobInfo> info) {
        creates->Answer(i, info);
      });
    }
  }

 private:
  void Answer(size_t i, const absl::StatusOr<JobInfo>& info) {
    items_[i] = ItemJson(info);
    if (waiting_.fetch_sub(1) == 1) std::move(reply_)(JsonResponse(BatchJson(items_)));
  }

  std::vector<std::string> items_;
  std::atomic<size_t> waiting_{0};
  Reply reply_;
};

void CreateBatch(const ApiContext& context, Call call, Reply reply) {
  if (absl::Status valid = CheckJson(call.request.body); !valid.ok()) {
    return std::move(reply)(StatusResponse(valid));
  }
  absl::StatusOr<BatchRequest> batch = BatchFromJson(JsonValue(call.request.body));
  if (!batch.ok()) return std::move(reply)(StatusResponse(batch.status()));
  if (!batch->atomic) {
    return SeparateCreates::Run(context, std::move(batch->jobs), std::move(reply));
  }
  std::vector<Job> jobs;
  jobs.reserve(batch->jobs.size());
  for (absl::StatusOr<Job>& job : batch->jobs) jobs.push_back(*std::move(job));
  context.scheduler->ScheduleBatch(
      std::move(jobs),
      [reply = std::move(reply)](absl::StatusOr<std::vector<JobInfo>> infos) mutable {
        if (!infos.ok()) return std::move(reply)(StatusResponse(infos.status()));
        std::vector<std::string> items;
        for (const JobInfo& info : *infos) items.push_back(JobToJson(info));
        std::move(reply)(JsonResponse(BatchJson(items)));
      });
}

absl::StatusOr<Consistency> ReadConsistency(const Call& call) {
  const auto found = call.uri.query.find("consistency");
  if (found == call.uri.query.end() || found->second == "linearizable") {
    return Consistency::kLinearizable;
  }
  if (found->second == "stale") return Consistency::kStale;
  return absl::InvalidArgumentError("consistency is neither \"linearizable\" nor \"stale\"");
}

// Answers with what `read` finds in this node's own tables, once they are as new as is asked for.
// No thread waits for that: without a majority it takes as long as a request has patience.
void ReadInBackground(const ApiContext& context, Consistency consistency, Reply reply,
                      absl::AnyInvocable<HttpResponse()> read) {
  auto begin = [in_background = context.in_background, reply = std::move(reply),
                read = std::move(read)](absl::Status reached) mutable {
    if (!reached.ok()) return std::move(reply)(StatusResponse(reached));
    in_background(
        [reply = std::move(reply), read = std::move(read)]() mutable { std::move(reply)(read()); });
  };
  if (consistency == Consistency::kStale) return begin(absl::OkStatus());
  context.scheduler->Barrier(std::move(begin));
}

void Get(const ApiContext& context, Call call, Reply reply) {
  const absl::StatusOr<Consistency> consistency = ReadConsistency(call);
  if (!consistency.ok()) return std::move(reply)(StatusResponse(consistency.status()));
  context.scheduler->Get(JobId(call.id), *consistency, AnswerJob(std::move(reply)));
}

void GetStatus(const ApiContext& context, Call call, Reply reply) {
  const absl::StatusOr<Consistency> consistency = ReadConsistency(call);
  if (!consistency.ok()) return std::move(reply)(StatusResponse(consistency.status()));
  context.scheduler->Get(JobId(call.id), *consistency,
                         [reply = std::move(reply)](absl::StatusOr<JobInfo> info) mutable {
                           std::move(reply)(info.ok() ? JsonResponse(StatusToJson(*info))
                                                      : StatusResponse(info.status()));
                         });
}

void GetExecutions(const ApiContext& context, Call call, Reply reply) {
  const absl::StatusOr<Consistency> consistency = ReadConsistency(call);
  if (!consistency.ok()) return std::move(reply)(StatusResponse(consistency.status()));
  ReadInBackground(context, *consistency, std::move(reply),
                   [scheduler = context.scheduler, id = JobId(call.id)] {
                     const absl::StatusOr<std::vector<Attempt>> attempts =
                         scheduler->Attempts(id, Consistency::kStale);
                     return attempts.ok() ? JsonResponse(AttemptsToJson(id, *attempts))
                                          : StatusResponse(attempts.status());
                   });
}

absl::Status ReadFilter(const Call& call, JobFilter& filter, PageToken& page) {
  for (const auto& [name, value] : call.uri.query) {
    if (name == "status") {
      filter.status = ParseJobStatus(value);
      if (!filter.status) {
        return absl::InvalidArgumentError(
            absl::StrCat("status is ", JsonQuote(value),
                         "; it needs to be pending, in_progress, completed, failed, timeout, "
                         "cancelled or paused"));
      }
    } else if (name == "executor") {
      if (value.empty()) return absl::InvalidArgumentError("executor is empty");
      filter.executor = value;
    } else if (name == "due_before") {
      absl::StatusOr<absl::Time> time = ParseTimeText(value);
      if (!time.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("due_before: ", time.status().message()));
      }
      filter.due_before = *time;
    } else if (name == "cursor") {
      page.value = value;
    } else if (name == "limit") {
      if (!absl::SimpleAtoi(value, &page.limit) || page.limit < 1 || page.limit > 1000) {
        return absl::InvalidArgumentError("limit is a whole number from 1 to 1,000");
      }
    }
  }
  return absl::OkStatus();
}

std::string PageJson(const JobPage& page) {
  std::string list = "[";
  for (const JobInfo& info : page.jobs) {
    absl::StrAppend(&list, list.size() > 1 ? "," : "", JobToJson(info));
  }
  JsonObject object;
  object.Raw("jobs", list + "]");
  if (page.total) object.Number("total", *page.total);
  object.Raw("next_cursor", page.next.empty() ? "null" : JsonQuote(page.next));
  return object.Take();
}

void List(const ApiContext& context, Call call, Reply reply) {
  JobFilter filter;
  PageToken page;
  if (absl::Status read = ReadFilter(call, filter, page); !read.ok()) {
    return std::move(reply)(StatusResponse(read));
  }
  ReadInBackground(
      context, Consistency::kLinearizable, std::move(reply),
      [scheduler = context.scheduler, filter, page] {
        const absl::StatusOr<JobPage> found = scheduler->List(filter, page, Consistency::kStale);
        return found.ok() ? JsonResponse(PageJson(*found)) : StatusResponse(found.status());
      });
}

// `"17"` or `*`; none if the header is not there.
absl::StatusOr<std::optional<Revision>> ReadIfMatch(std::string_view header) {
  if (header.empty() || header == "*") return std::optional<Revision>();
  uint64_t revision = 0;
  if (header.size() < 3 || header.front() != '"' || header.back() != '"' ||
      !absl::SimpleAtoi(absl::string_view(header.data() + 1, header.size() - 2), &revision)) {
    return absl::InvalidArgumentError("If-Match is not a job's ETag, such as \"17\"");
  }
  return std::optional<Revision>(Revision(revision));
}

void Put(const ApiContext& context, Call call, Reply reply) {
  const absl::StatusOr<std::optional<Revision>> if_match = ReadIfMatch(call.request.if_match);
  if (!if_match.ok()) return std::move(reply)(StatusResponse(if_match.status()));
  absl::StatusOr<Job> job = ReadJob(call.request);
  if (!job.ok()) return std::move(reply)(StatusResponse(job.status()));
  if (!job->idempotency_key.empty()) {
    return std::move(reply)(ErrorResponse(400, "invalid_argument",
                                          "idempotency_key belongs to a create, not to a PUT"));
  }
  if (!job->id.empty() && job->id.value != call.id) {
    return std::move(reply)(
        ErrorResponse(400, "invalid_argument", "the id in the body is not the one in the path"));
  }
  job->id = JobId(call.id);
  context.scheduler->Replace(*std::move(job), *if_match, AnswerJob(std::move(reply)));
}

void Delete(const ApiContext& context, Call call, Reply reply) {
  context.scheduler->Delete(JobId(call.id), [reply = std::move(reply)](absl::Status done) mutable {
    std::move(reply)(done.ok() ? HttpResponse{.status = 204} : StatusResponse(done));
  });
}

// `{"reason": "..."}`, or nothing at all.
absl::StatusOr<std::string> ReadReason(const std::string& body) {
  std::string reason;
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return reason;
  if (absl::Status valid = CheckJson(body); !valid.ok()) return valid;
  const JsonValue value(body);
  if (value.kind() != JsonKind::kObject) {
    return absl::InvalidArgumentError("a JSON object with the field \"reason\" is expected");
  }
  for (const auto& [key, member] : value.Members()) {
    if (key != "reason") {
      return absl::InvalidArgumentError(absl::StrCat("unknown field ", JsonQuote(key)));
    }
    if (member.kind() != JsonKind::kString) {
      return absl::InvalidArgumentError("field \"reason\" is not a string");
    }
    reason = member.AsString();
  }
  if (reason.size() > 1024) {
    return absl::InvalidArgumentError("field \"reason\" is longer than 1,024 bytes");
  }
  return reason;
}

void Cancel(const ApiContext& context, Call call, Reply reply) {
  const absl::StatusOr<std::string> reason = ReadReason(call.request.body);
  if (!reason.ok()) return std::move(reply)(StatusResponse(reason.status()));
  context.scheduler->Cancel(
      JobId(call.id), *reason, [reply = std::move(reply)](absl::StatusOr<JobInfo> info) mutable {
        if (absl::IsFailedPrecondition(info.status())) {
          const absl::string_view why = info.status().message();
          return std::move(reply)(
              ErrorResponse(400, "already_ended", std::string_view(why.data(), why.size())));
        }
        if (!info.ok()) return std::move(reply)(StatusResponse(info.status()));
        std::move(reply)(JsonResponse(JsonObject()
                                          .Text("job_id", info->job.id.value)
                                          .Text("status", "cancelled")
                                          .Time("cancelled_at", info->cancelled_at)
                                          .Take()));
      });
}

using Act = void (Scheduler::*)(const JobId&, Completion<absl::StatusOr<JobInfo>>);

RouteHandler Action(Act act) {
  return [act](const ApiContext& context, Call call, Reply reply) {
    (context.scheduler->*act)(JobId(call.id), AnswerJob(std::move(reply)));
  };
}

}  // namespace

std::vector<Route> JobRoutes() {
  const std::vector<std::string> read = {"consistency"};
  const std::vector<std::string> list = {"status", "executor", "due_before", "limit", "cursor"};
  return {
      {"POST", {"jobs"}, {}, kBody | kIdempotencyKey, Create},
      {"POST", {"jobs", "batch"}, {}, kBody, CreateBatch},
      {"GET", {"jobs"}, list, kNothing, List},
      {"GET", {"jobs", "{id}"}, read, kNothing, Get},
      {"PUT", {"jobs", "{id}"}, {}, kBody | kIfMatch, Put},
      {"DELETE", {"jobs", "{id}"}, {}, kNothing, Delete},
      {"GET", {"jobs", "{id}", "status"}, read, kNothing, GetStatus},
      {"GET", {"jobs", "{id}", "executions"}, read, kNothing, GetExecutions},
      {"POST", {"jobs", "{id}", "cancel"}, {}, kBody, Cancel},
      {"POST", {"jobs", "{id}", "pause"}, {}, kNothing, Action(&Scheduler::Pause)},
      {"POST", {"jobs", "{id}", "resume"}, {}, kNothing, Action(&Scheduler::Resume)},
      {"POST", {"jobs", "{id}", "trigger"}, {}, kNothing, Action(&Scheduler::Trigger)},
      {"POST", {"jobs", "{id}", "retry"}, {}, kNothing, Action(&Scheduler::Retry)},
  };
}

}  // namespace scheduled::server
