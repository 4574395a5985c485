// /health, /ready, /live and /debug/cluster: how this node and its group are.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "http/json_writer.h"
#include "http/routes.h"

namespace scheduled::server {
namespace {

// So few runs say nothing about how a node is: the first webhook that somebody tries fails.
constexpr uint64_t kRunsThatTell = 20;

std::string MemoryJson() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return JsonObject()
      .Number("resident_bytes", resident * page)
      .Number("virtual_bytes", total * page)
      .Take();
}

uint64_t FailedRuns(const Statistics& statistics) {
  return statistics.executed_failed + statistics.executed_timeout;
}

uint64_t EndedRuns(const Statistics& statistics) {
  return FailedRuns(statistics) + statistics.executed_completed + statistics.executed_cancelled;
}

double FailureRate(const Statistics& statistics) {
  const uint64_t all = EndedRuns(statistics);
  if (all == 0) return 0;
  return static_cast<double>(FailedRuns(statistics)) / static_cast<double>(all);
}

std::string ExecutionJson(const Counts& counts, const Statistics& statistics) {
  return JsonObject()
      .Number("pending", counts.pending)
      .Number("in_progress", counts.in_progress)
      .Number("completed", counts.completed)
      .Number("failed", counts.failed)
      .Number("cancelled", counts.cancelled)
      .Number("timeout", counts.timeout)
      .Number("failure_rate", FailureRate(statistics))
      .Time("last_executed_at", statistics.last_executed_at)
      .Take();
}

struct Condition {
  std::string_view status = "ok";
  std::string reason;
};

Condition Judge(const ClusterStatus& cluster, const Counts& counts, const Statistics& statistics,
                const ApiOptions& options) {
  if (!cluster.failure.empty()) return {"unhealthy", cluster.failure};
  if (cluster.leader.empty()) {
    return {"unhealthy", "no leader is known; writes are refused until a majority is reachable"};
  }
  if (!cluster.has_quorum) {
    return {"unhealthy", "a majority does not answer; writes are refused until it does"};
  }
  if (counts.jobs * 10 > options.max_jobs * 9) {
    return {"degraded", "more than 90 % of max_jobs are in use"};
  }
  constexpr uint64_t kLogRefusal = uint64_t{2} << 30;
  if (cluster.log_bytes > 2 * kLogRefusal) {
    return {"degraded",
            "the log has reached 4 GiB because a member is away; writes are refused and due jobs "
            "wait until it is back"};
  }
  if (cluster.log_bytes > kLogRefusal) {
    return {
        "degraded",
        "the log has reached 2 GiB because a member is away; writes are refused until it is back"};
  }
  if (cluster.log_bytes > kLogRefusal / 10 * 9) {
    return {"degraded", "the log is at 90 % of 2 GiB because a member is away"};
  }
  if (EndedRuns(statistics) >= kRunsThatTell &&
      FailureRate(statistics) > options.degraded_failure_rate) {
    return {"degraded", "of the runs that ended since this node started, too large a share failed"};
  }
  return {};
}

void Health(const ApiContext& context, Call, Reply reply) {
  const ClusterStatus cluster = context.scheduler->cluster();
  const Counts counts = context.scheduler->counts();
  const Statistics statistics = context.scheduler->statistics();
  const uint64_t limit = context.options->max_jobs;
  const Condition condition = Judge(cluster, counts, statistics, *context.options);
  JsonObject object;
  object.Text("status", condition.status)
      .TextIfSet("reason", condition.reason)
      .Text("role", RoleName(cluster.role))
      .Raw("leader", cluster.leader.empty() ? "null" : JsonQuote(cluster.leader.value))
      .Text("node_id", cluster.node_id.value)
      .Raw("memory", MemoryJson())
      .Raw("jobs", JsonObject()
                       .Number("current_count", counts.jobs)
                       .Number("limit", limit)
                       .Number("available", limit - std::min(limit, counts.jobs))
                       .Take())
      .Raw("log", JsonObject().Number("bytes", cluster.log_bytes).Take())
      .Raw("execution", ExecutionJson(counts, statistics));
  HttpResponse response = JsonResponse(object.Take());
  if (condition.status == "unhealthy") response.status = 503;
  std::move(reply)(std::move(response));
}

void Ready(const ApiContext& context, Call, Reply reply) {
  const ClusterStatus cluster = context.scheduler->cluster();
  const bool ready = cluster.failure.empty() && cluster.caught_up && !context.draining();
  HttpResponse response = JsonResponse(JsonObject().Bool("ready", ready).Take());
  if (!ready) response.status = 503;
  std::move(reply)(std::move(response));
}

void Live(const ApiContext&, Call, Reply reply) {
  std::move(reply)(JsonResponse(JsonObject().Bool("live", true).Take()));
}

std::string MemberJson(const ClusterMember& member) {
  JsonObject object;
  object.Text("id", member.id.value)
      .Text("address", member.address)
      .Text("suffrage", member.voter ? "voter" : "learner")
      .Number("match_index", member.match.value);
  if (member.last_contact) {
    object.Number("last_contact_ms", absl::ToInt64Milliseconds(*member.last_contact));
  } else {
    object.Raw("last_contact_ms", "null");
  }
  return object.Take();
}

void DebugCluster(const ApiContext& context, Call, Reply reply) {
  const ClusterStatus cluster = context.scheduler->cluster();
  std::string servers = "[";
  for (const ClusterMember& member : cluster.members) {
    if (servers.size() > 1) servers += ',';
    servers += MemberJson(member);
  }
  std::move(reply)(JsonResponse(
      JsonObject()
          .Text("node_id", cluster.node_id.value)
          .Bool("is_leader", cluster.role == Role::kLeader)
          .Raw("leader", cluster.leader.empty() ? "null" : JsonQuote(cluster.leader.value))
          .Text("raft_state", RoleName(cluster.role))
          .Number("term", cluster.term.value)
          .Number("commit_index", cluster.commit_index.value)
          .Number("applied_index", cluster.applied_index.value)
          .Number("first_index", cluster.first_index.value)
          .Number("last_index", cluster.last_index.value)
          .Number("log_bytes", cluster.log_bytes)
          .Raw("servers", servers + "]")
          .Number("snapshots_sent", cluster.snapshots_sent)
          .Number("snapshots_dropped", cluster.snapshots_dropped)
          .Number("snapshots_received", cluster.snapshots_received)
          .Number("job_count", context.scheduler->counts().jobs)
          .Take()));
}

}  // namespace

std::vector<Route> ClusterRoutes() {
  return {
      {"GET", {"health"}, {}, kNothing, Health},
      {"GET", {"ready"}, {}, kNothing, Ready},
      {"GET", {"live"}, {}, kNothing, Live},
      {"GET", {"debug", "cluster"}, {}, kNothing, DebugCluster},
  };
}

}  // namespace scheduled::server
