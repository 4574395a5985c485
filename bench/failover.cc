// Three server processes and the death of their leader: how long until there is a first leader,
// until a write succeeds again, and until due jobs fire again, those that the dead leader had
// claimed apart from those that nobody had.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <map>
#include <mutex>
#include <optional>
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
using tcp = asio::ip::tcp;

tcp::endpoint Loopback(uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

// Notes the first arrival of each job's webhook.
class Arrivals {
 public:
  Arrivals() : acceptor_(context_, Loopback(0)), port_(acceptor_.local_endpoint().port()) {
    Accept();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Arrivals() {
    context_.stop();
    thread_.join();
  }
  uint16_t port() const { return port_; }

  std::optional<absl::Time> Of(const std::string& job) const {
    std::lock_guard lock(mutex_);
    const auto found = first_.find(job);
    return found == first_.end() ? std::nullopt : std::optional(found->second);
  }
  absl::Time WaitFor(const std::string& job) const {
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    while (absl::Now() < limit) {
      if (const auto at = Of(job)) return *at;
      std::this_thread::yield();
    }
    fmt::print(stderr, "bench: {} was acknowledged and did not fire within 30 s\n", job);
    std::exit(1);
  }

 private:
  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(Arrivals* o, tcp::socket s) : owner(o), socket(std::move(s)) {}
    void Read() {
      request = {};
      http::async_read(socket, buffer, request,
                       [self = shared_from_this()](beast::error_code error, size_t) {
                         if (error) return;
                         const auto job = self->request["X-Scheduled-Job-Id"];
                         self->owner->Note(std::string(job.data(), job.size()));
                         self->Answer();
                       });
    }
    void Answer() {
      response = {http::status::ok, 11};
      response.keep_alive(true);
      response.prepare_payload();
      http::async_write(socket, response,
                        [self = shared_from_this()](beast::error_code error, size_t) {
                          if (!error) self->Read();
                        });
    }
    Arrivals* owner;
    tcp::socket socket;
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::response<http::empty_body> response;
  };

  void Accept() {
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (!error) std::make_shared<Connection>(this, std::move(socket))->Read();
      Accept();
    });
  }
  void Note(const std::string& job) {
    const absl::Time now = absl::Now();
    std::lock_guard lock(mutex_);
    first_.emplace(job, now);
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  uint16_t port_;
  mutable std::mutex mutex_;
  std::map<std::string, absl::Time> first_;
  std::thread thread_;
};

struct Round {
  Samples writes;
  Samples unclaimed;
  Samples claimed;
};

// One due every 10 ms from before the kill until long after it.
void KillAndMeasure(Group& group, const Arrivals& arrivals, int number, Round& round) {
  const int leader = group.WaitForLeader();
  const absl::Time first = absl::Now() + absl::Seconds(1);
  constexpr int kJobs = 300;
  std::string batch = "{\"jobs\":[";
  for (int n = 0; n < kJobs; ++n) {
    batch += fmt::format(
        R"({}{{"id":"r{}-{}","timestamp":{}.{:06},"webhook_url":"http://127.0.0.1:{}/"}})",
        n ? "," : "", number, n, absl::ToUnixSeconds(first + n * absl::Milliseconds(10)),
        absl::ToUnixMicros(first + n * absl::Milliseconds(10)) % 1'000'000, arrivals.port());
  }
  if (!Ask(group.port(leader), http::verb::post, "/jobs/batch", batch + "]}", absl::Seconds(10))) {
    fmt::print(stderr, "bench: a batch was refused\n");
    std::exit(1);
  }
  arrivals.WaitFor(fmt::format("r{}-10", number));
  group.Kill(leader);
  const absl::Time killed = absl::Now();
  for (int i = leader;; i = (i + 1) % 3) {
    if (i == leader) continue;
    const std::string job =
        fmt::format(R"({{"id":"w{}-{}","delay":"24h"}})", number, absl::ToUnixNanos(absl::Now()));
    if (Ask(group.port(i), http::verb::post, "/jobs", job, absl::Seconds(2))) break;
  }
  round.writes.Add(absl::Now() - killed);
  // What was due within the 50 ms after the kill had been claimed; what came later had not.
  absl::Duration claimed, unclaimed = absl::InfiniteDuration();
  for (int n = 0; n < kJobs; ++n) {
    const absl::Time due = first + n * absl::Milliseconds(10);
    const absl::Duration after = arrivals.WaitFor(fmt::format("r{}-{}", number, n)) - killed;
    if (due < killed + absl::Milliseconds(40)) claimed = std::max(claimed, after);
    if (due > killed + absl::Milliseconds(70)) unclaimed = std::min(unclaimed, after);
  }
  round.claimed.Add(claimed);
  round.unclaimed.Add(unclaimed);
  group.Start(leader);
  group.WaitReady(leader);
}

}  // namespace

Report Failover(const Common& common, const FailoverOptions& options) {
  const ScratchFolder scratch(common.dir);
  Arrivals arrivals;
  const absl::Time begun = absl::Now();
  Group group(options.server, scratch.path());
  group.WaitForLeader();
  const absl::Duration first_leader = absl::Now() - begun;
  for (int i = 0; i < 3; ++i) group.WaitReady(i);

  Round round;
  for (int number = 0; number < options.rounds; ++number) {
    Progress("rounds", static_cast<uint64_t>(number), static_cast<uint64_t>(options.rounds));
    KillAndMeasure(group, arrivals, number, round);
  }
  Report report(fmt::format("failover: three processes, {} leaders killed", options.rounds));
  report.Add("first leader after the start", absl::ToDoubleMilliseconds(first_leader), "ms");
  report.Add("a write succeeds again after", round.writes);
  report.Add("unclaimed jobs fire again after", round.unclaimed);
  report.Add("the last claimed job has fired after", round.claimed);
  return report;
}

}  // namespace scheduled::bench
