// What a replica knows of itself and its group beside the entries: its name, its cluster, and every
// configuration with the index of its entry. Kept as a small log of its own in the same LogStore,
// written in the same batch as what it speaks of: so a configuration is known as long as its entry
// is, and longer, once the entry was cut. Raft lane; loaded before the lanes run.
//
// Records of the side log (group id with the highest bit set), in the order they were written:
//
//   kind 1   identity         string node id, 16 bytes cluster id    the first record, once
//   kind 2   configuration    u64 index of its entry, then its bytes (raft/codec.h)
//   kind 3   installing       what a snapshot stands for (raft/codec.h) that is about to replace
//                             the state: with LogWrite::installing
//   kind 4   installed        no bytes. The last record of kind 3 is what counts, and no earlier
//                             configuration any more: with LogWrite::reset_to
#ifndef SCHEDULED_LIB_CONSENSUS_LEDGER_H_
#define SCHEDULED_LIB_CONSENSUS_LEDGER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "raft/core.h"
#include "storage/log_store.h"

namespace scheduled {

class Ledger {
 public:
  // kDataLoss: a record is malformed.
  static absl::StatusOr<Ledger> Load(LogStore* store, GroupId group);

  // Empty until the identity is recorded.
  const NodeId& node() const { return node_; }
  const std::string& cluster_id() const { return cluster_id_; }
  // Ascending in index.
  std::vector<raft::ConfigurationAt> configurations() const;

  // Each returns a write that is to go out with, or before, what it belongs to.
  LogWrite RecordIdentity(const NodeId& node, std::string cluster_id);
  // A snapshot is about to be installed, and has been. Both with a write of the group's own log.
  LogWrite RecordInstalling(const raft::SnapshotMeta& meta);
  LogWrite RecordInstalled();
  // The snapshot that was last said to be installed; nothing if there was none.
  const std::optional<raft::SnapshotMeta>& installing() const { return installing_; }
  // For a write of the group's own log: adds to `writes` what it changes here, if anything.
  void Follow(const LogWrite& write, std::vector<LogWrite>* writes);

 private:
  struct Known {
    LogIndex record;  // in the side log
    raft::ConfigurationAt configuration;
  };

  explicit Ledger(GroupId group);
  absl::Status Take(const LogRecord& record);
  absl::Status TakeInstalled(LogIndex record);
  LogWrite Record(uint8_t kind, std::string bytes);

  GroupId side_group_;
  LogIndex last_record_;
  Term last_term_{1};  // of a record; terms of a log do not fall
  NodeId node_;
  std::string cluster_id_;
  std::vector<Known> configurations_;
  std::optional<raft::SnapshotMeta> installing_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_LEDGER_H_
