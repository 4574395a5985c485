// An HTTP/1.1 listener with limits: it reads one request at a time from each connection, hands it
// to a handler and writes the answer. It knows nothing of jobs. Everything that a client can make
// large or slow is bounded here: headers, bodies, time, connections and the memory of all bodies
// together.
#ifndef SCHEDULED_SERVER_HTTP_HTTP_SERVER_H_
#define SCHEDULED_SERVER_HTTP_HTTP_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scheduled::server {

struct HttpRequest {
  std::string method;
  std::string target;  // path and query as sent
  std::string body;
  std::string host;
  std::string origin;
  std::string if_match;
  std::string idempotency_key;
  std::string request_method;  // Access-Control-Request-Method
};

struct HttpResponse {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// `{"error": ..., "code": ...}` with the status.
HttpResponse ErrorResponse(int status, std::string_view code, std::string_view sentence);

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Called on the listener's thread; must not block. `reply` once, from any thread.
  virtual void Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) = 0;
  // The largest body that a request to this target may have, in bytes.
  virtual uint64_t BodyLimit(std::string_view target) const = 0;
};

struct HttpLimits {
  uint32_t header_bytes = 16 << 10;
  absl::Duration header_time = absl::Seconds(5);  // of a first request: from the connect on
  absl::Duration body_time = absl::Seconds(30);
  absl::Duration idle_time = absl::Seconds(75);  // between requests of a kept connection
  absl::Duration write_time = absl::Seconds(30);
  int connections = 1024;
  // Bodies larger than 64 KiB take their size from this pool while they are read and handled.
  uint64_t body_pool_bytes = 48 << 20;
};

class HttpServer {
 public:
  // Listens at once, on one thread of its own. `handler` outlives the server. kUnavailable: the
  // address is in use; kInvalidArgument: it is none.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, uint16_t port,
                                                           HttpHandler* handler,
                                                           HttpLimits limits = {});
  // Stop.
  ~HttpServer();
  // Accepts nothing more, lets requests under way finish for at most `grace`, closes the rest.
  void Stop(absl::Duration grace);
  // The port that was bound, also where 0 was asked for.
  uint16_t port() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_HTTP_SERVER_H_
