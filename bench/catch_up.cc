// Three server processes; a follower is away while the others write more than their logs keep, and
// comes back: how long until a snapshot has brought it up, and how much slower creates are
// meanwhile, beside the same group with all three up, with one away, and level again: the tables
// grow all the time, so the first of these has had the smallest.
#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "benches.h"
#include "open.h"
#include "processes.h"

namespace scheduled::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr int kBatch = 500;

// Callers that create batches of jobs on one node, each on a connection of its own, until they are
// stopped.
class Creators {
 public:
  Creators(uint16_t port, int callers) : port_(port) {
    for (int i = 0; i < callers; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Creators() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  uint64_t jobs() const { return jobs_; }

 private:
  static std::string Body() {
    std::string body = "{\"jobs\":[";
    for (int i = 0; i < kBatch; ++i) {
      body += fmt::format(R"({}{{"delay":"48h","payload":{{"x":"{}"}}}})", i ? "," : "",
                          std::string(100, 'y'));
    }
    return body + "]}";
  }

  void Work() {
    asio::io_context context;
    beast::tcp_stream stream(context);
    stream.connect({asio::ip::make_address("127.0.0.1"), port_});
    http::request<http::string_body> request(http::verb::post, "/jobs/batch", 11, Body());
    request.set(http::field::host, "localhost");
    request.keep_alive(true);
    request.prepare_payload();
    beast::flat_buffer buffer;
    while (!stopping_) {
      http::write(stream, request);
      http::response_parser<http::string_body> parser;
      parser.body_limit(boost::none);
      http::read(stream, buffer, parser);
      if (parser.get().result() == http::status::ok) {
        jobs_ += kBatch;
      } else if (parser.get().result_int() != 429 && parser.get().result_int() != 503) {
        fmt::print(stderr, "bench: a batch was answered {}: {}\n", parser.get().result_int(),
                   parser.get().body());
        std::exit(1);
      }
    }
  }

  const uint16_t port_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> jobs_{0};
  std::vector<std::thread> threads_;
};

// Jobs a second from now until `over`.
template <typename Condition>
double RateUntil(const Creators& creators, Condition over) {
  const uint64_t before = creators.jobs();
  const absl::Time begun = absl::Now();
  while (!over()) absl::SleepFor(absl::Milliseconds(20));
  return static_cast<double>(creators.jobs() - before) / absl::ToDoubleSeconds(absl::Now() - begun);
}

auto After(absl::Duration span) {
  return [end = absl::Now() + span] { return absl::Now() >= end; };
}

uint64_t Figure(const Group& group, int node, const std::string& name) {
  const auto text = Ask(group.port(node), http::verb::get, "/debug/cluster", "", absl::Seconds(2));
  return text ? NumberIn(*text, name) : 0;
}

}  // namespace

Report CatchUp(const Common& common, const CatchUpOptions& options) {
  const ScratchFolder scratch(common.dir);
  Group group(options.server, scratch.path(),
              {"--compact-log-bytes", std::to_string(options.compact_log_bytes),
               "--snapshot-bytes-per-second", std::to_string(options.bytes_per_second)});
  const int leader = group.WaitForLeader();
  for (int i = 0; i < 3; ++i) group.WaitReady(i);
  const int away = leader == 0 ? 1 : 0;
  Creators creators(group.port(leader), options.callers);
  RateUntil(creators, After(absl::Seconds(2)));  // warm
  const double all_up = RateUntil(creators, After(absl::Seconds(10)));
  group.Kill(away);
  const uint64_t begun = creators.jobs();
  uint64_t first_index = Figure(group, leader, "first_index");
  int cuts = 0;  // that were seen
  RateUntil(creators, [&] {
    Progress("jobs while one is away", creators.jobs() - begun, options.jobs);
    const uint64_t now = Figure(group, leader, "first_index");
    cuts += now > first_index;
    first_index = std::max(first_index, now);
    return creators.jobs() - begun >= options.jobs;
  });
  const double one_away = RateUntil(creators, After(absl::Seconds(10)));
  const absl::Time back = absl::Now();
  group.Start(away);
  // Level: no further behind than what is under way.
  const double meanwhile = RateUntil(creators, [&] {
    const uint64_t there = Figure(group, leader, "commit_index");
    const uint64_t here = Figure(group, away, "applied_index");
    return there > 0 && here + 100 >= there;
  });
  const absl::Duration took = absl::Now() - back;
  const double level = RateUntil(creators, After(absl::Seconds(10)));
  if (Figure(group, away, "snapshots_received") == 0) {
    fmt::print(stderr, "bench: the follower caught up without a snapshot\n");
    std::exit(1);
  }
  if (cuts < 2) {
    fmt::print(stderr, "bench: the log was cut {} times while the follower was away\n", cuts);
    std::exit(1);
  }
  Report report(
      fmt::format("catch-up: three processes, {} jobs written while one is away", options.jobs));
  report.Add("creates with all three up", all_up, "jobs/s");
  report.Add("creates with one away", one_away, "jobs/s");
  report.Add("creates while it catches up", meanwhile, "jobs/s");
  report.Add("creates once it is level", level, "jobs/s");
  report.Add("less than with all three up", 100 * (1 - meanwhile / all_up), "%");
  report.Add("less than with one away", 100 * (1 - meanwhile / one_away), "%");
  report.Add("less than once it is level", 100 * (1 - meanwhile / level), "%");
  report.Add("the leader's log was cut while one was away", cuts, "times");
  report.Add("level again after", absl::ToDoubleSeconds(took), "s");
  return report;
}

}  // namespace scheduled::bench
