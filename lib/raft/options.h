// The knobs of a replica's core, with their arithmetic. Plain values.
#ifndef SCHEDULED_LIB_RAFT_OPTIONS_H_
#define SCHEDULED_LIB_RAFT_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "raft/configuration.h"

namespace scheduled::raft {

struct Options {
  // What it is.
  NodeId self;
  GroupId group{1};
  DiskId disk;        // of the data directory that this replica runs on
  uint64_t seed = 0;  // of all randomness; differs between nodes and between starts

  // When it acts. The defaults are for a LAN; over a slower network all four grow together. The
  // lease of a leader must end before any follower that acknowledged it may vote:
  //   lease · (1 + drift) <= election_min · (1 − drift)
  absl::Duration heartbeat = absl::Milliseconds(50);
  absl::Duration election_min = absl::Milliseconds(300);
  absl::Duration election_max = absl::Milliseconds(600);
  absl::Duration lease = absl::Milliseconds(250);
  uint32_t clock_drift_percent = 1;
  // A candidate that was refused while it hears no leader asks again after a time in between.
  absl::Duration retry_min = absl::Milliseconds(10);
  absl::Duration retry_max = absl::Milliseconds(150);

  // How much it takes at once.
  size_t max_entry_bytes = size_t{4} << 20;       // larger proposals are refused
  size_t max_append_bytes = size_t{240} << 10;    // of one append: fits one frame
  size_t max_append_entries = 4096;               // of one append
  size_t max_unapplied_bytes = size_t{64} << 20;  // proposals are refused beyond
  size_t max_inflight_bytes = size_t{8} << 20;    // to each peer
  size_t max_inflight_messages = 256;             // to each peer
  size_t max_pending_reads = 65536;
  // How much of what is durable and applied stays in memory for followers that lag a little.
  size_t tail_bytes = size_t{32} << 20;

  // kInvalidArgument names field, value and bound.
  absl::Status Validate() const;
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_OPTIONS_H_
