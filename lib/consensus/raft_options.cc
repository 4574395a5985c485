// What the public values of this layer check and print of themselves.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "consensus/packing.h"
#include "consensus/raft_parts.h"
#include "raft/codec.h"
#include "raft/options.h"
#include "scheduled/raft_node.h"

namespace scheduled {
namespace {

absl::Status Invalid(const std::string& text) {
  return absl::InvalidArgumentError(absl::string_view(text.data(), text.size()));
}

absl::Status ValidatePeers(const RaftOptions& options) {
  if (options.peers.empty()) return absl::OkStatus();
  if (!options.peers.contains(options.node_id)) {
    return Invalid(fmt::format("peers must include the node itself, '{}'", options.node_id.value));
  }
  if (options.peers.size() > raft::kMaxVoters) {
    return Invalid(
        fmt::format("peers has {} nodes, and may have {}", options.peers.size(), raft::kMaxVoters));
  }
  for (const auto& [id, address] : options.peers) {
    if (!IsNodeId(id)) return Invalid(fmt::format("peers names '{}', no node id", id.value));
    if (address.size() > raft::kMaxAddressBytes) {
      return Invalid(fmt::format("the address of '{}' is longer than {} bytes", id.value,
                                 raft::kMaxAddressBytes));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateSizes(const RaftOptions& options) {
  if (options.max_entry_bytes < 1024 || options.max_entry_bytes > raft::kMaxEntryBytes) {
    return Invalid(fmt::format("max_entry_bytes is {}, and must be in [1024, {}]",
                               options.max_entry_bytes, raft::kMaxEntryBytes));
  }
  if (options.max_batch_bytes < 1024 || options.max_batch_bytes > options.max_entry_bytes) {
    return Invalid(fmt::format("max_batch_bytes is {}, and must be in [1024, max_entry_bytes]",
                               options.max_batch_bytes));
  }
  if (options.max_batch_commands < 1) {
    return Invalid(fmt::format("max_batch_commands is {}, and must be at least 1",
                               options.max_batch_commands));
  }
  if (options.max_unapplied_bytes < options.max_entry_bytes) {
    return Invalid("max_unapplied_bytes must be at least max_entry_bytes");
  }
  if (options.max_log_bytes < options.max_unapplied_bytes) {
    return Invalid("max_log_bytes must be at least max_unapplied_bytes");
  }
  return absl::OkStatus();
}

absl::Status ValidateSnapshots(const RaftOptions& options) {
  if (options.compact_log_bytes < 1024 || options.compact_log_bytes > options.max_log_bytes) {
    return Invalid(fmt::format("compact_log_bytes is {}, and must be in [1024, max_log_bytes]",
                               options.compact_log_bytes));
  }
  if (options.log_tail_bytes > options.compact_log_bytes / 2) {
    return Invalid("log_tail_bytes must be at most half of compact_log_bytes");
  }
  if (options.compact_log_entries && *options.compact_log_entries < 16) {
    return Invalid(fmt::format("compact_log_entries is {}, and must be at least 16",
                               *options.compact_log_entries));
  }
  if (options.snapshot_bytes_per_second && *options.snapshot_bytes_per_second < 1024) {
    return Invalid(fmt::format("snapshot_bytes_per_second is {}, and must be at least 1024",
                               *options.snapshot_bytes_per_second));
  }
  if (options.snapshot_patience <= absl::ZeroDuration()) {
    return Invalid("snapshot_patience must be positive");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsNodeId(const NodeId& id) {
  return !id.empty() && id.value.size() <= raft::kMaxNodeIdBytes &&
         std::all_of(id.value.begin(), id.value.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
         });
}

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "learner";
  }
  return "unknown";
}

absl::Status RaftOptions::Validate() const {
  if (!IsNodeId(node_id)) {
    return Invalid(fmt::format(
        "node_id is '{}', and must be 1 to {} bytes of letters, digits, '.', '_' and '-'",
        node_id.value, raft::kMaxNodeIdBytes));
  }
  if (absl::Status peers_valid = ValidatePeers(*this); !peers_valid.ok()) return peers_valid;
  if (absl::Status sizes_valid = ValidateSizes(*this); !sizes_valid.ok()) return sizes_valid;
  if (absl::Status valid = ValidateSnapshots(*this); !valid.ok()) return valid;
  raft::Options core;
  core.self = node_id;
  core.heartbeat = heartbeat_interval;
  core.election_min = election_timeout;
  core.election_max = 2 * election_timeout;
  core.lease = lease;
  return core.Validate();
}

}  // namespace scheduled
