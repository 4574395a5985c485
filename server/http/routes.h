// What the files of handlers share: one request on its way through them, and the table of routes.
// Internal to server/http.
#ifndef SCHEDULED_SERVER_HTTP_ROUTES_H_
#define SCHEDULED_SERVER_HTTP_ROUTES_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "http/api.h"
#include "http/http_server.h"
#include "http/uri.h"
#include "scheduled/scheduler.h"

namespace scheduled::server {

using Reply = absl::AnyInvocable<void(HttpResponse) &&>;

// A request whose path matched a route. `id` is the decoded `{id}` of the path, if it has one.
struct Call {
  HttpRequest request;
  Uri uri;
  std::string id;
};

// What handlers work with.
struct ApiContext {
  Scheduler* scheduler;
  const ApiOptions* options;
  // Runs on a small pool of threads: for what reads many rows. Nothing may wait there for more than
  // the disk. May be copied, and called when the context is gone.
  std::function<void(absl::AnyInvocable<void()>)> in_background;
  std::function<bool()> draining;
};

using RouteHandler = std::function<void(const ApiContext&, Call, Reply)>;

// What a route takes beside its path and query. What it does not take is refused, not ignored.
enum Takes : unsigned {
  kNothing = 0,
  kBody = 1,
  kIdempotencyKey = 2,
  kIfMatch = 4,
};

struct Route {
  std::string method;
  std::vector<std::string> path;        // "{id}" matches one segment that is not empty
  std::vector<std::string> parameters;  // query parameters that it takes
  unsigned takes;                       // of Takes
  RouteHandler handler;
};

std::vector<Route> JobRoutes();
std::vector<Route> ClusterRoutes();
std::vector<Route> CronRoutes();

// The answer that carries a whole JSON text.
inline HttpResponse JsonResponse(std::string body) {
  return {.status = 200, .body = std::move(body)};
}

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_ROUTES_H_
