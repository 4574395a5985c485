// The server's settings: from flags, then environment, then a config file, then defaults, in this
// order of strength; checked as a whole before anything is opened.
#ifndef SCHEDULED_SERVER_CONFIG_H_
#define SCHEDULED_SERVER_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "scheduled/log.h"
#include "scheduled/types.h"

namespace scheduled::server {

struct Config {
  NodeId node_id{"n1"};
  std::string data_dir = "./scheduled-data";
  std::string http_host = "127.0.0.1";
  uint16_t http_port = 8080;
  uint16_t metrics_port = 9090;  // 0: no metrics
  std::string raft_host = "127.0.0.1";
  uint16_t raft_port = 0;  // 0: the port of this node's own entry in `peers`, else 7400
  std::map<NodeId, std::string> peers;
  std::vector<std::string> cors_origins;
  std::vector<std::string> webhook_allow;
  std::vector<std::string> webhook_deny;
  absl::Duration drain_timeout = absl::Seconds(30);
  absl::Duration history_retention = absl::Hours(24 * 7);
  uint64_t max_jobs = 10'000'000;
  uint64_t compact_log_bytes = uint64_t{512} << 20;
  uint64_t snapshot_bytes_per_second = uint64_t{64} << 20;
  LogLevel log_level = LogLevel::kInfo;
  bool log_json = false;
};

// What the command line asks for.
struct Invocation {
  Config config;
  // What is set and not heeded, a sentence each.
  std::vector<std::string> unheeded;
  // Set: print this and exit; there is nothing to run.
  std::optional<std::string> print;
  // With `print`: only if `config` can be run.
  bool check = false;
  // Instead of serving: make the stopped node of config.data_dir the only member of its group, or
  // without `confirmed` say what that would mean.
  bool repair_lost_quorum = false;
  bool confirmed = false;
};

// "127.0.0.1:8080", "[::1]:8080".
std::string HostAndPort(const std::string& host, uint16_t port);

// kInvalidArgument with one sentence that names the flag, variable or line that is wrong. What the
// library checks of its options is left to it.
absl::StatusOr<Invocation> ReadConfig(int argc, const char* const* argv);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_CONFIG_H_
