// The server binary: reads its settings, opens the scheduler, serves HTTP until it is told to stop.
//
// SIGTERM and SIGINT drain: nothing more is claimed, what runs may end (bounded), leadership is
// handed over, and the exit status is 0. A second signal exits at once. What keeps the server from
// starting is one sentence on standard error and status 1; so is what stops its node for good, a
// full disk for one, so that whoever supervises the process sees it.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config.h"
#include "http/api.h"
#include "http/http_server.h"
#include "log_repeats.h"
#include "lost_quorum.h"
#include "metrics/metrics.h"
#include "scheduled/grpc_transport.h"
#include "scheduled/scheduler.h"
#include "scheduled/webhook.h"

namespace scheduled::server {
namespace {

// Signals are taken by sigtimedwait on the main thread; every other thread inherits the mask.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void ExitAtOnce(int) { _exit(1); }

// Each connection takes a descriptor, as does each file that the node writes, and it cannot go on
// without: it takes as many as the system grants. Returns how many connections clients may have.
int TakeDescriptors() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return HttpLimits().connections;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t most = HttpLimits().connections;
  return static_cast<int>(std::min(most, files.rlim_cur / 4));
}

MonoTime MonoNow() {
  const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
  return MonoTime{std::chrono::nanoseconds(since_boot).count()};
}

Options SchedulerOptions(const Config& config, LogSink log) {
  Options options;
  options.data_dir = config.data_dir;
  options.node_id = config.node_id;
  options.peers = config.peers;
  options.history_retention = config.history_retention;
  options.max_jobs = config.max_jobs;
  options.drain_timeout = config.drain_timeout;
  options.compact_log_bytes = config.compact_log_bytes;
  options.snapshot_bytes_per_second = config.snapshot_bytes_per_second;
  options.log = log;
  if (!config.peers.empty()) {
    options.transport = GrpcTransport(
        {.listen_address = HostAndPort(config.raft_host, config.raft_port), .log = log});
  }
  return options;
}

absl::StatusOr<std::unique_ptr<Executor>> Webhooks(const Config& config) {
  return WebhookExecutor({.allow = config.webhook_allow, .deny = config.webhook_deny});
}

// What Run would find wrong with the settings before it opens anything.
absl::Status Check(const Config& config) {
  if (absl::Status valid = SchedulerOptions(config, nullptr).Validate(); !valid.ok()) return valid;
  return Webhooks(config).status();
}

// Waits for a signal, or until the node has stopped for good. OK: it has not.
absl::Status AwaitEnd(const Scheduler& scheduler, const Config& config, const sigset_t& signals,
                      LogRepeats& repeats) {
  constexpr timespec kLook = {.tv_sec = 0, .tv_nsec = 250'000'000};
  int signal = -1;
  std::string failure;
  while (signal < 0 && failure.empty()) {
    signal = sigtimedwait(&signals, nullptr, &kLook);
    failure = scheduler.cluster().failure;
    repeats.Tell();
  }
  if (!failure.empty()) {
    return absl::UnavailableError(absl::StrCat("stopped, because the node cannot go on with ",
                                               config.data_dir, ": ", failure));
  }
  repeats.Sink()(LogLevel::kInfo, "draining",
                 std::vector<LogField>{{"signal", absl::StrCat(signal)}});
  return absl::OkStatus();
}

absl::Status Run(const Config& config, const std::vector<std::string>& unheeded,
                 const sigset_t& signals) {
  LogRepeats repeats({.sink = config.log_json ? JsonLogSink(stderr, config.log_level)
                                              : TextLogSink(stderr, config.log_level),
                      .now = MonoNow});
  const LogSink log = repeats.Sink();
  const int most_connections = TakeDescriptors();  // before the tables are opened: they ask, too
  for (const std::string& sentence : unheeded) log(LogLevel::kWarn, sentence, {});
  absl::StatusOr<std::unique_ptr<Executor>> webhooks = Webhooks(config);
  if (!webhooks.ok()) return webhooks.status();
  absl::StatusOr<std::unique_ptr<Scheduler>> scheduler =
      Scheduler::Open(SchedulerOptions(config, log));
  if (!scheduler.ok()) return scheduler.status();
  if (absl::Status known = (*scheduler)->Register("webhook", *std::move(webhooks)); !known.ok()) {
    return known;
  }

  HttpLimits clients;
  clients.connections = most_connections;
  HttpLimits scrapers;
  scrapers.connections = std::max(1, most_connections / 16);
  // Metrics first: from the moment that the API listens, nothing may fail any more.
  MetricsHandler metrics_handler(scheduler->get());
  std::unique_ptr<HttpServer> metrics;
  if (config.metrics_port != 0) {
    absl::StatusOr<std::unique_ptr<HttpServer>> started =
        HttpServer::Start(config.http_host, config.metrics_port, &metrics_handler, scrapers);
    if (!started.ok()) return started.status();
    metrics = *std::move(started);
  }
  Api api(scheduler->get(), {.cors_origins = config.cors_origins, .max_jobs = config.max_jobs});
  absl::StatusOr<std::unique_ptr<HttpServer>> http =
      HttpServer::Start(config.http_host, config.http_port, &api, clients);
  if (!http.ok()) return http.status();
  log(LogLevel::kInfo, "serving",
      std::vector<LogField>{{"node", config.node_id.value},
                            {"http", HostAndPort(config.http_host, (*http)->port())},
                            {"data", config.data_dir}});

  absl::Status ended = AwaitEnd(**scheduler, config, signals, repeats);
  std::signal(SIGTERM, ExitAtOnce);
  std::signal(SIGINT, ExitAtOnce);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  api.SetDraining();
  (*http)->Stop(absl::Seconds(2));
  if (metrics) metrics->Stop(absl::ZeroDuration());
  api.Stop();
  scheduler->reset();  // drains and hands leadership over
  return ended;
}

}  // namespace
}  // namespace scheduled::server

int main(int argc, char** argv) {
  const absl::StatusOr<scheduled::server::Invocation> invocation =
      scheduled::server::ReadConfig(argc, argv);
  absl::Status status = invocation.status();
  if (status.ok() && invocation->check) status = scheduled::server::Check(invocation->config);
  if (status.ok() && invocation->print) {
    std::fputs(invocation->print->c_str(), stdout);
    return 0;
  }
  if (status.ok() && invocation->repair_lost_quorum) {
    status = scheduled::server::RepairQuorum(invocation->config, invocation->confirmed);
  } else if (status.ok()) {
    const sigset_t signals = scheduled::server::BlockSignals();
    status = scheduled::server::Run(invocation->config, invocation->unheeded, signals);
  }
  if (status.ok()) return 0;
  std::fprintf(stderr, "scheduled: %s\n", std::string(status.message()).c_str());
  return 1;
}
