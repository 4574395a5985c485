// What Raft promises of logs that are not committed yet, of restarts and of configurations, checked
// on what is written to the simulated disks. RaftChecks owns it and hands it what it sees.
//
//   8. Logs match: an entry is known by its index and term. Wherever it is ever written, committed
//      or not, it is the same, and so is the term of the one before it. But a founding that a crash
//      undid before anybody heard of it may be followed by another one.
//   9. A life begins with all that the last one left on the disk: term, vote, entries, and what was
//      applied and flushed.
//  10. What a node takes for the configuration at its applied index, and would put into a snapshot
//      or has from one, is the newest of the committed log through there.
#ifndef SCHEDULED_TESTS_SIM_LOG_CHECKS_H_
#define SCHEDULED_TESTS_SIM_LOG_CHECKS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "raft/core.h"
#include "sim/world.h"

namespace scheduled::sim {

class LogChecks {
 public:
  explicit LogChecks(int machines) : left_(machines), applied_(machines) {}

  static uint64_t HashOf(const LogRecord& record);

  // A write of the group's own log, before it takes effect.
  void OnWrite(const Machine& machine, const LogWrite& write);
  // The disk is as the next life finds it.
  void OnCrash(const Machine& machine);
  void OnBoot(const Machine& machine, const raft::Core& core);
  // In the order of the log, each once.
  void OnCommitted(const LogRecord& record);
  // Precondition: everything that the core has applied was told as committed.
  void CheckConfiguration(const Machine& machine, const raft::Core& core);

 private:
  void ForgetLostFounding(const Machine& machine);

  // What an entry is, beside its position.
  struct Known {
    uint64_t hash = 0;
    Term before;
    int writer = 0;       // the first machine
    uint64_t writes = 0;  // by whomever
  };
  struct Left {
    raft::DiskId disk;
    HardState hard_state;
    LogPosition before_first;
    LogPosition last;
    LogIndex applied;
  };

  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Known> entries_;  // by index and term
  std::vector<std::optional<Left>> left_;                              // by machine
  std::map<LogIndex, raft::Configuration> configurations_;             // committed
  std::vector<LogIndex> applied_;  // by machine: when its configuration was last looked at
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_LOG_CHECKS_H_
