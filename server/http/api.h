// The HTTP API over a Scheduler: which path does what. Each request is answered once; what may wait
// (writes, linearizable reads) is answered from a completion, what reads many rows from a small
// pool of threads, and never does the listener's thread wait.
#ifndef SCHEDULED_SERVER_HTTP_API_H_
#define SCHEDULED_SERVER_HTTP_API_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/http_server.h"
#include "scheduled/scheduler.h"

namespace scheduled::server {

struct ApiOptions {
  // Beside this server's own, as long as it is addressed by number or as localhost: a name that a
  // browser sends can be anybody's (DNS rebinding), so names are listed here. "*" allows all.
  std::vector<std::string> cors_origins;
  uint64_t max_jobs = 10'000'000;
  // Of the runs that ended, once there are 20; above it /health is degraded.
  double degraded_failure_rate = 0.5;
};

class Api : public HttpHandler {
 public:
  // `scheduler` outlives the Api.
  Api(Scheduler* scheduler, ApiOptions options);
  ~Api() override;

  void Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) override;
  uint64_t BodyLimit(std::string_view target) const override;

  // From now on /ready says no: the node is about to stop.
  void SetDraining();
  // Returns once nothing here uses the scheduler any more but the completions of its own calls.
  // What comes later is not answered. Before the scheduler is destroyed; after the listener has
  // stopped.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The answer that stands for a status of the library.
HttpResponse StatusResponse(const absl::Status& status);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_API_H_
