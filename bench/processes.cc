// See processes.h.
#include "processes.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/time/clock.h"

namespace scheduled::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

tcp::endpoint Loopback(uint16_t port) { return {asio::ip::make_address("127.0.0.1"), port}; }

}  // namespace

uint16_t FreePort() {
  asio::io_context context;
  tcp::acceptor acceptor(context, Loopback(0));
  return acceptor.local_endpoint().port();
}

std::string ServerBinary(std::string given) {
  if (!given.empty()) return given;
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "scheduled").string();
}

pid_t Launch(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a bench that gives up leaves nothing running
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(127);
    execv(argv[0], argv.data());
    _exit(127);
  }
  return pid;
}

std::optional<std::string> Ask(uint16_t port, http::verb verb, const std::string& target,
                               const std::string& body, absl::Duration limit) {
  asio::io_context context;
  beast::tcp_stream stream(context);
  http::request<http::string_body> request(verb, target, 11, body);
  request.set(http::field::host, "localhost");
  request.keep_alive(false);
  request.prepare_payload();
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  bool complete = false;
  stream.expires_after(absl::ToChronoNanoseconds(limit));
  stream.async_connect(Loopback(port), [&](beast::error_code error) {
    if (error) return;
    http::async_write(stream, request, [&](beast::error_code failed, size_t) {
      if (failed) return;
      http::async_read(stream, buffer, response,
                       [&](beast::error_code unread, size_t) { complete = !unread; });
    });
  });
  context.run();
  if (!complete || response.result() != http::status::ok) return std::nullopt;
  return response.body();
}

uint64_t NumberIn(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const size_t at = json.find(key);
  return at == std::string::npos ? 0 : std::strtoull(json.c_str() + at + key.size(), nullptr, 10);
}

Group::Group(std::string server, std::string dir, std::vector<std::string> extra)
    : server_(ServerBinary(std::move(server))), dir_(std::move(dir)), extra_(std::move(extra)) {
  for (int i = 0; i < 3; ++i) {
    nodes_.push_back({.http = FreePort(), .raft = FreePort()});
    peers_ += fmt::format("{}n{}=127.0.0.1:{}", i ? "," : "", i + 1, nodes_.back().raft);
  }
  for (int i = 0; i < 3; ++i) Start(i);
}

Group::~Group() {
  for (Node& node : nodes_) {
    if (node.pid > 0) kill(node.pid, SIGKILL), waitpid(node.pid, nullptr, 0);
  }
}

void Group::Start(int i) {
  Node& node = nodes_[static_cast<size_t>(i)];
  std::vector<std::string> arguments = {server_,
                                        "--node-id",
                                        fmt::format("n{}", i + 1),
                                        "--data-dir",
                                        fmt::format("{}/n{}", dir_, i + 1),
                                        "--http-port",
                                        std::to_string(node.http),
                                        "--metrics-port",
                                        "0",
                                        "--raft-port",
                                        std::to_string(node.raft),
                                        "--peers",
                                        peers_,
                                        "--log-level",
                                        "ERROR"};
  arguments.insert(arguments.end(), extra_.begin(), extra_.end());
  node.pid = Launch(arguments);
}

void Group::Kill(int i) {
  Node& node = nodes_[static_cast<size_t>(i)];
  kill(node.pid, SIGKILL);
  waitpid(node.pid, nullptr, 0);
  node.pid = 0;
}

std::optional<int> Group::Leader() const {
  for (int i = 0; i < 3; ++i) {
    if (nodes_[static_cast<size_t>(i)].pid == 0) continue;
    const auto text = Ask(port(i), http::verb::get, "/debug/cluster", "", absl::Seconds(1));
    if (text && text->find("\"is_leader\":true") != std::string::npos) return i;
  }
  return std::nullopt;
}

int Group::WaitForLeader() const {
  const absl::Time limit = absl::Now() + absl::Seconds(60);
  while (absl::Now() < limit) {
    if (const auto leader = Leader()) return *leader;
  }
  fmt::print(stderr, "bench: no leader within 60 s\n");
  std::exit(1);
}

void Group::WaitReady(int i) const {
  while (!Ask(port(i), http::verb::get, "/ready", "", absl::Seconds(1))) std::this_thread::yield();
}

}  // namespace scheduled::bench
