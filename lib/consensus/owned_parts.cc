// See owned_parts.h. Everything is closed in the opposite order.
#include "consensus/owned_parts.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/checksum.h"
#include "base/uuid.h"

namespace scheduled {

absl::StatusOr<std::unique_ptr<OwnedParts>> OwnedParts::Open(
    const std::string& data_dir, std::unique_ptr<StateMachine> state_machine,
    std::unique_ptr<Transport> transport) {
  std::unique_ptr<OwnedParts> owned(new OwnedParts());
  ThreadRuntime& runtime = owned->runtime_;
  UuidGenerator uuids;
  const Uuid fresh = uuids.Next(runtime.clock().WallNow(), {runtime.Random(), runtime.Random()});
  absl::StatusOr<std::unique_ptr<DataDirectory>> directory = DataDirectory::Open(data_dir, fresh);
  if (!directory.ok()) return directory.status();
  owned->directory_ = *std::move(directory);
  absl::StatusOr<std::unique_ptr<RocksLogStore>> log =
      RocksLogStore::Open(owned->directory_->raft_dir(), owned->resources_,
                          {.must_exist = owned->directory_->cluster_id().has_value()});
  if (!log.ok()) return log.status();
  owned->log_store_ = *std::move(log);
  owned->snapshots_ = std::make_unique<DirectorySnapshotFiles>(owned->directory_->snapshots_dir());
  owned->state_machine_ = std::move(state_machine);
  owned->transport_ = std::move(transport);
  owned->raft_ = runtime.NewLane("raft");
  owned->log_ = runtime.NewLane("log");
  owned->apply_ = runtime.NewLane("apply");
  owned->completions_ = runtime.NewLane("completions");
  owned->files_ = runtime.NewLane("snapshots");
  return owned;
}

OwnedParts::~OwnedParts() {
  if (completions_ == nullptr) return;
  std::atomic<bool> ran{false};
  completions_->Post([this, &ran] {
    ran = true;
    runtime_.Wake();
  });
  runtime_.Await([&ran] { return ran.load(); });
  for (Lane* lane : {raft_.get(), log_.get(), apply_.get(), completions_.get(), files_.get()})
    lane->Stop();
  // A store that has failed refuses the mark, as it should; the next start looks closer then.
  log_store_->MarkCleanStop().IgnoreError();
}

RaftParts OwnedParts::parts() {
  return {.runtime = &runtime_,
          .log_store = log_store_.get(),
          .state_machine = state_machine_.get(),
          .transport = transport_.get(),
          .raft = raft_.get(),
          .log = log_.get(),
          .apply = apply_.get(),
          .completions = completions_.get(),
          .files = files_.get(),
          .snapshots = snapshots_.get(),
          .disk = raft::DiskId(Checksum64(directory_->disk_id().ToBytes())),
          .on_cluster_id = [this](const std::string& id) {
            Uuid cluster;
            std::copy_n(id.begin(), cluster.bytes.size(), cluster.bytes.begin());
            return directory_->SetClusterId(cluster);
          }};
}

}  // namespace scheduled
