// Routing, cross-origin rules and the mapping of the library's statuses.
#include "http/api.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "http/routes.h"
#include "scheduled/reason.h"

namespace scheduled::server {
namespace {

constexpr uint64_t kBodyLimit = 1 << 20;
constexpr uint64_t kBatchLimit = 16 << 20;
constexpr int kReaderThreads = 2;

int HttpStatusOf(const absl::Status& status, std::string_view reason) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kAborted:
      return 412;
    case absl::StatusCode::kResourceExhausted:
      if (reason == "too_large") return 413;
      return reason == "limit" ? 507 : 429;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
      return 503;
    default:
      return 500;
  }
}

std::string_view WordOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kAlreadyExists:
      return "conflict";
    case absl::StatusCode::kFailedPrecondition:
      return "failed_precondition";
    case absl::StatusCode::kAborted:
      return "revision";
    case absl::StatusCode::kResourceExhausted:
      return "overloaded";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
      return "unknown_outcome";
    default:
      return "internal";
  }
}

std::optional<std::string> Match(const Route& route, const std::vector<std::string>& segments) {
  if (route.path.size() != segments.size()) return std::nullopt;
  std::string id;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (route.path[i] == "{id}" && !segments[i].empty()) {
      id = segments[i];
    } else if (route.path[i] != segments[i]) {
      return std::nullopt;
    }
  }
  return id;
}

// Nothing at all, or an object without members.
bool IsEmptyBody(std::string_view body) {
  absl::string_view text = absl::StripAsciiWhitespace(absl::string_view(body.data(), body.size()));
  if (absl::ConsumePrefix(&text, "{") && !absl::ConsumeSuffix(&text, "}")) return false;
  return absl::StripAsciiWhitespace(text).empty();
}

// Refuses what a client may count on and the route would not look at.
absl::Status CheckTakes(const Route& route, const HttpRequest& request) {
  if (!(route.takes & kIfMatch) && !request.if_match.empty()) {
    return absl::InvalidArgumentError("If-Match has no effect on this request: PUT alone takes it");
  }
  if (!(route.takes & kIdempotencyKey) && !request.idempotency_key.empty()) {
    return absl::InvalidArgumentError(
        "Idempotency-Key has no effect on this request: POST /jobs alone takes it; jobs of a batch "
        "have the field \"idempotency_key\"");
  }
  if (!(route.takes & kBody) && !IsEmptyBody(request.body)) {
    return absl::InvalidArgumentError("this request takes no body");
  }
  return absl::OkStatus();
}

// "127.0.0.1:8080", "[::1]:8080" or "localhost:8080": no name that someone else may own.
bool IsAddressOrLocalhost(std::string_view host) {
  if (host.starts_with('[')) return true;  // an IPv6 address; no name has a bracket
  host = host.substr(0, host.find(':'));
  return host == "localhost" ||
         (!host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

}  // namespace

HttpResponse StatusResponse(const absl::Status& status) {
  std::string reason = StatusReason(status);
  if (reason == "invalid") reason.clear();  // one word for one case
  const int code = HttpStatusOf(status, reason);
  HttpResponse response =
      ErrorResponse(code, reason.empty() ? WordOf(status) : std::string_view(reason),
                    std::string_view(status.message().data(), status.message().size()));
  if (code == 429 || code == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

// Threads for what reads many rows. Shared with completions of the scheduler, which may come when
// the Api is gone.
class ReaderThreads {
 public:
  // What comes after Stop is dropped.
  void Post(absl::AnyInvocable<void()> work) {
    std::lock_guard lock(mutex_);
    if (!stopped_) boost::asio::post(threads_, std::move(work));
  }
  // Returns once all that was posted is done.
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    threads_.join();
  }

 private:
  std::mutex mutex_;
  bool stopped_ = false;
  boost::asio::thread_pool threads_{kReaderThreads};
};

class Api::Impl {
 public:
  Impl(Scheduler* scheduler, ApiOptions options) : options_(std::move(options)) {
    context_.scheduler = scheduler;
    context_.options = &options_;
    context_.in_background = [readers = readers_](absl::AnyInvocable<void()> work) {
      readers->Post(std::move(work));
    };
    context_.draining = [this] { return draining_.load(); };
    for (auto routes : {JobRoutes(), ClusterRoutes(), CronRoutes()}) {
      for (Route& route : routes) routes_.push_back(std::move(route));
    }
  }
  ~Impl() { readers_->Stop(); }

  void Handle(HttpRequest request, Reply reply) {
    const bool cross_origin = !request.origin.empty() && !IsOwnOrigin(request);
    if (cross_origin && !IsAllowed(request.origin)) {
      return std::move(reply)(ErrorResponse(
          403, "origin_not_allowed",
          absl::StrCat("the origin ", request.origin.substr(0, 256), " may not use this server")));
    }
    if (cross_origin) {
      reply = [reply = std::move(reply), origin = request.origin](HttpResponse response) mutable {
        response.headers.emplace_back("Access-Control-Allow-Origin", origin);
        response.headers.emplace_back("Access-Control-Expose-Headers", "ETag, Retry-After");
        response.headers.emplace_back("Vary", "Origin");
        std::move(reply)(std::move(response));
      };
      if (request.method == "OPTIONS" && !request.request_method.empty()) {
        return Preflight(std::move(reply));
      }
    }
    Dispatch(std::move(request), std::move(reply));
  }

  void SetDraining() { draining_ = true; }
  void Stop() { readers_->Stop(); }

 private:
  static bool IsOwnOrigin(const HttpRequest& request) {
    return IsAddressOrLocalhost(request.host) &&
           (request.origin == absl::StrCat("http://", request.host) ||
            request.origin == absl::StrCat("https://", request.host));
  }

  bool IsAllowed(const std::string& origin) const {
    return std::any_of(
        options_.cors_origins.begin(), options_.cors_origins.end(),
        [&origin](const std::string& allowed) { return allowed == "*" || allowed == origin; });
  }

  static void Preflight(Reply reply) {
    HttpResponse response{.status = 204};
    response.headers = {
        {"Access-Control-Allow-Methods", "GET, POST, PUT, DELETE"},
        {"Access-Control-Allow-Headers", "Content-Type, If-Match, Idempotency-Key, Authorization"},
        {"Access-Control-Max-Age", "600"}};
    std::move(reply)(std::move(response));
  }

  void Dispatch(HttpRequest request, Reply reply) {
    absl::StatusOr<Uri> uri = ParseUri(request.target);
    if (!uri.ok()) return std::move(reply)(StatusResponse(uri.status()));
    std::vector<std::string> allowed;
    for (const Route& route : routes_) {
      std::optional<std::string> id = Match(route, uri->segments);
      if (!id) continue;
      if (route.method != request.method) {
        allowed.push_back(route.method);
        continue;
      }
      for (const auto& [name, value] : uri->query) {
        if (std::find(route.parameters.begin(), route.parameters.end(), name) ==
            route.parameters.end()) {
          return std::move(reply)(ErrorResponse(400, "invalid_argument",
                                                absl::StrCat("unknown parameter \"", name, "\"")));
        }
      }
      if (absl::Status taken = CheckTakes(route, request); !taken.ok()) {
        return std::move(reply)(StatusResponse(taken));
      }
      return route.handler(context_, {std::move(request), *std::move(uri), *std::move(id)},
                           std::move(reply));
    }
    if (allowed.empty()) {
      return std::move(reply)(ErrorResponse(404, "no_such_path", "there is nothing at this path"));
    }
    HttpResponse response = ErrorResponse(
        405, "method_not_allowed", absl::StrCat("this path takes ", absl::StrJoin(allowed, ", ")));
    response.headers.emplace_back("Allow", absl::StrJoin(allowed, ", "));
    std::move(reply)(std::move(response));
  }

  const ApiOptions options_;
  ApiContext context_;
  std::vector<Route> routes_;
  std::atomic<bool> draining_{false};
  const std::shared_ptr<ReaderThreads> readers_ = std::make_shared<ReaderThreads>();
};

Api::Api(Scheduler* scheduler, ApiOptions options)
    : impl_(std::make_unique<Impl>(scheduler, std::move(options))) {}
Api::~Api() = default;

void Api::Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) {
  impl_->Handle(std::move(request), std::move(reply));
}

uint64_t Api::BodyLimit(std::string_view target) const {
  return target == "/jobs/batch" ? kBatchLimit : kBodyLimit;
}

void Api::SetDraining() { impl_->SetDraining(); }
void Api::Stop() { impl_->Stop(); }

}  // namespace scheduled::server
