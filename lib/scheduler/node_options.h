// What a node is told about itself; a subset of the public Options, plus what a simulator varies.
#ifndef SCHEDULED_LIB_SCHEDULER_NODE_OPTIONS_H_
#define SCHEDULED_LIB_SCHEDULER_NODE_OPTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "jobs/limits.h"
#include "scheduled/log.h"
#include "scheduled/types.h"
#include "scheduler/messages.h"

namespace scheduled {

// The highest version of the commands that this program can apply.
inline constexpr uint32_t kFeatureLevel = jobs::kLastLevel;
// A run that has died with its node this often fails with `node_lost`.
inline constexpr int kMaxDeliveries = 5;
// Runs at one node, claimed or going on.
inline constexpr int kMaxRunsPerNode = 4096;
// Items of one command.
inline constexpr int kMaxItems = 1024;

struct NodeOptions {
  // --- What it does ---------------------------------------------------------------------------
  NodeId node_id{"n1"};
  std::map<NodeId, std::string> peers;  // all voters with addresses; empty: a group of one
  BootCounter boot{1};
  absl::Duration history_retention = absl::Hours(24 * 7);
  uint64_t max_jobs = 10'000'000;
  absl::Duration max_clock_skew = absl::Milliseconds(500);
  // How long idempotency keys, and the ids of requests, are remembered.
  absl::Duration idempotency_window = absl::Hours(24);
  absl::Duration request_window = absl::Minutes(10);
  LogSink log;
  // Executors work on threads of their own, which virtual time waits for.
  bool external_executors = false;
  // That this program can follow. A simulator has programs of other versions as well.
  uint32_t feature_level = kFeatureLevel;

  // --- How fast it does it --------------------------------------------------------------------
  absl::Duration claim_ahead = absl::Milliseconds(50);
  absl::Duration heartbeat_interval = absl::Milliseconds(50);
  absl::Duration election_timeout = absl::Milliseconds(300);
  // A request that could not be carried out ends after this: UNAVAILABLE, or UNKNOWN if it may
  // have been.
  absl::Duration request_timeout = absl::Seconds(10);
  // As in the public Options.
  uint64_t compact_log_bytes = uint64_t{512} << 20;
  std::optional<uint64_t> snapshot_bytes_per_second = uint64_t{64} << 20;
  absl::Duration sweep_interval = absl::Seconds(30);  // looks for what is to be removed

  bool alone() const { return peers.size() <= 1; }
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_NODE_OPTIONS_H_
