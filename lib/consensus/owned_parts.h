// What RaftNode::Open builds for itself: threads, a data directory and a log in RocksDB. Made
// before the node and closed after it.
#ifndef SCHEDULED_LIB_CONSENSUS_OWNED_PARTS_H_
#define SCHEDULED_LIB_CONSENSUS_OWNED_PARTS_H_

#include <memory>
#include <string>

#include "base/thread_runtime.h"
#include "consensus/raft_parts.h"
#include "storage/data_directory.h"
#include "storage/directory_snapshot_files.h"
#include "storage/rocks_log_store.h"

namespace scheduled {

class OwnedParts {
 public:
  // The errors are those of the data directory and the log store.
  static absl::StatusOr<std::unique_ptr<OwnedParts>> Open(
      const std::string& data_dir, std::unique_ptr<StateMachine> state_machine,
      std::unique_ptr<Transport> transport);
  // Runs the completions that wait. Precondition: the node is gone.
  ~OwnedParts();

  RaftParts parts();

 private:
  OwnedParts() = default;

  ThreadRuntime runtime_;
  std::unique_ptr<DataDirectory> directory_;
  RocksResources resources_;
  std::unique_ptr<RocksLogStore> log_store_;
  std::unique_ptr<DirectorySnapshotFiles> snapshots_;
  std::unique_ptr<StateMachine> state_machine_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Lane> raft_;
  std::unique_ptr<Lane> log_;
  std::unique_ptr<Lane> apply_;
  std::unique_ptr<Lane> completions_;
  std::unique_ptr<Lane> files_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_OWNED_PARTS_H_
