// The start of the real binary as a single node on an empty directory: from its exec until it
// answers /ready with 200, beside what it takes the same binary to start, print its version and
// end.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <thread>

#include "absl/time/clock.h"
#include "benches.h"
#include "processes.h"

namespace scheduled::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

[[noreturn]] void GiveUp(const char* what) {
  fmt::print(stderr, "bench: {}\n", what);
  std::exit(1);
}

absl::Duration TimeOfVersion(const std::string& server) {
  const absl::Time begun = absl::Now();
  int status = 0;
  waitpid(Launch({server, "--version"}), &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) GiveUp("the server does not start");
  return absl::Now() - begun;
}

// Everything but the places, and what goes to the terminal, is as it is without any flag.
absl::Duration TimeToReady(const std::string& server, const std::string& dir) {
  const uint16_t port = FreePort();
  const std::vector<std::string> arguments = {server,
                                              "--data-dir",
                                              dir,
                                              "--http-port",
                                              std::to_string(port),
                                              "--metrics-port",
                                              std::to_string(FreePort()),
                                              "--log-level",
                                              "ERROR"};
  const absl::Time begun = absl::Now();
  const pid_t pid = Launch(arguments);
  // Asked often, but not without a pause, which would take from the server what it starts with.
  while (!Ask(port, boost::beast::http::verb::get, "/ready", "", absl::Seconds(1))) {
    if (absl::Now() - begun > kPatience) GiveUp("the server is not ready within 60 s");
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  const absl::Duration ready = absl::Now() - begun;
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return ready;
}

}  // namespace

Report Start(const Common& common, const StartOptions& options) {
  const std::string server = ServerBinary(options.server);
  const ScratchFolder scratch(common.dir);
  Samples version, ready;
  TimeOfVersion(server);  // so that the binary has been read from the disk
  for (int round = 0; round < options.rounds; ++round) {
    version.Add(TimeOfVersion(server));
    ready.Add(TimeToReady(server, fmt::format("{}/n{}", scratch.path(), round)));
  }
  Report report(
      fmt::format("start: a single node on an empty directory, {} times", options.rounds));
  report.Add("exec to first 200 of /ready", ready);
  report.Add("exec to end of --version", version);
  return report;
}

}  // namespace scheduled::bench
