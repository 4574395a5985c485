// /metrics: the scheduler's numbers in Prometheus text, read from the scheduler when they are asked
// for, so that nothing is counted twice.
#ifndef SCHEDULED_SERVER_METRICS_METRICS_H_
#define SCHEDULED_SERVER_METRICS_METRICS_H_

#include <string>

#include "http/http_server.h"
#include "scheduled/scheduler.h"

namespace scheduled::server {

class MetricsHandler : public HttpHandler {
 public:
  // `scheduler` outlives the handler.
  explicit MetricsHandler(const Scheduler* scheduler) : scheduler_(scheduler) {}
  void Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) override;
  uint64_t BodyLimit(std::string_view) const override { return 0; }

 private:
  const Scheduler* scheduler_;
};

// The text by itself.
std::string MetricsText(const Scheduler& scheduler);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_METRICS_METRICS_H_
