// Families are built from a reading of the scheduler and handed to prometheus-cpp's serializer.
#include "metrics/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <limits>
#include <utility>
#include <vector>

namespace scheduled::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct Sample {
  double value = 0;
  const char* label = nullptr;
  const char* label_value = "";
};

MetricFamily Family(std::string name, std::string help, MetricType type,
                    const std::vector<Sample>& samples) {
  MetricFamily family;
  family.name = "scheduled_" + std::move(name);
  family.help = std::move(help);
  family.type = type;
  for (const Sample& sample : samples) {
    ClientMetric metric;
    if (sample.label) metric.label.push_back({sample.label, sample.label_value});
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = sample.value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

double D(uint64_t number) { return static_cast<double>(number); }

MetricFamily Lateness(const Statistics& statistics) {
  MetricFamily family;
  family.name = "scheduled_run_lateness_seconds";
  family.help = "Start of a run on this node less its ready time";
  family.type = MetricType::Histogram;
  ClientMetric metric;
  uint64_t cumulative = 0;
  const size_t bounds = std::size(Statistics::kLatenessBounds);
  for (size_t i = 0; i <= bounds && i < statistics.lateness_buckets.size(); ++i) {
    cumulative += statistics.lateness_buckets[i];
    const double bound =
        i < bounds ? Statistics::kLatenessBounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({cumulative, bound});
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = statistics.lateness_sum;
  family.metric.push_back(std::move(metric));
  return family;
}

void AddJobs(const Counts& counts, const Statistics& s, std::vector<MetricFamily>& families) {
  families.push_back(Family("jobs", "Jobs by state", MetricType::Gauge,
                            {{D(counts.pending), "status", "pending"},
                             {D(counts.in_progress), "status", "in_progress"},
                             {D(counts.paused), "status", "paused"},
                             {D(counts.completed), "status", "completed"},
                             {D(counts.failed), "status", "failed"},
                             {D(counts.timeout), "status", "timeout"},
                             {D(counts.cancelled), "status", "cancelled"}}));
  families.push_back(Family("jobs_created_total", "Jobs created since this node started",
                            MetricType::Counter, {{D(s.created)}}));
  families.push_back(Family("jobs_deleted_total", "Jobs deleted since this node started",
                            MetricType::Counter, {{D(s.deleted)}}));
  families.push_back(Family("runs_total", "Runs that ended since this node started, by outcome",
                            MetricType::Counter,
                            {{D(s.executed_completed), "outcome", "completed"},
                             {D(s.executed_failed), "outcome", "failed"},
                             {D(s.executed_timeout), "outcome", "timeout"},
                             {D(s.executed_cancelled), "outcome", "cancelled"},
                             {D(s.skipped), "outcome", "skipped"}}));
  families.push_back(Family("runs_redelivered_total", "Deliveries that died with their node",
                            MetricType::Counter, {{D(s.redelivered)}}));
}

void AddRaft(const ClusterStatus& cluster, const Statistics& s,
             std::vector<MetricFamily>& families) {
  const auto gauge = [&families](const char* name, const char* help, uint64_t value) {
    families.push_back(Family(name, help, MetricType::Gauge, {{D(value)}}));
  };
  gauge("raft_term", "Current term", cluster.term.value);
  gauge("raft_is_leader", "1 on the leader", cluster.role == Role::kLeader ? 1 : 0);
  gauge("raft_commit_index", "Last entry known to be committed", cluster.commit_index.value);
  gauge("raft_applied_index", "Last entry applied here", cluster.applied_index.value);
  gauge("raft_log_bytes", "Log that cannot be cut yet", cluster.log_bytes);
  families.push_back(Family("raft_elections_total", "Elections seen by this node",
                            MetricType::Counter, {{D(s.elections)}}));
}

}  // namespace

std::string MetricsText(const Scheduler& scheduler) {
  const Statistics statistics = scheduler.statistics();
  std::vector<MetricFamily> families;
  AddJobs(scheduler.counts(), statistics, families);
  families.push_back(Lateness(statistics));
  AddRaft(scheduler.cluster(), statistics, families);
  return prometheus::TextSerializer().Serialize(families);
}

void MetricsHandler::Handle(HttpRequest request, absl::AnyInvocable<void(HttpResponse) &&> reply) {
  if (request.target != "/metrics" || request.method != "GET") {
    return std::move(reply)(ErrorResponse(404, "no_such_path", "metrics are at GET /metrics"));
  }
  std::move(reply)(HttpResponse{.status = 200,
                                .body = MetricsText(*scheduler_),
                                .content_type = "text/plain; version=0.0.4; charset=utf-8"});
}

}  // namespace scheduled::server
