// See scheduled/lost_quorum.h: opens the stores of a stopped node, and writes into its log what
// makes it the only member, and the command that raises the epoch.
#include "scheduled/lost_quorum.h"

#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/thread_runtime.h"
#include "base/uuid.h"
#include "consensus/lost_quorum.h"
#include "jobs/limits.h"
#include "jobs/stored_row.h"
#include "jobs/tables.h"
#include "proto/commands.pb.h"
#include "proto/rows.pb.h"
#include "storage/applied_row.h"
#include "storage/data_directory.h"
#include "storage/rocks_log_store.h"
#include "storage/rocks_table_store.h"

namespace scheduled {
namespace {

constexpr GroupId kOnlyGroup{1};

// Closed in the opposite order.
class StoppedStores {
 public:
  static absl::StatusOr<std::unique_ptr<StoppedStores>> Open(const std::string& data_dir) {
    std::error_code ignored;
    if (!std::filesystem::exists(data_dir + "/VERSION", ignored)) {
      return absl::NotFoundError(absl::StrCat("there is no data directory at ", data_dir));
    }
    std::unique_ptr<StoppedStores> stores(new StoppedStores());
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
        DataDirectory::Open(data_dir, Uuid());
    if (!directory.ok()) return directory.status();
    stores->directory_ = *std::move(directory);
    absl::StatusOr<std::unique_ptr<RocksLogStore>> log =
        RocksLogStore::Open(stores->directory_->raft_dir(), stores->resources_,
                            {.must_exist = stores->directory_->cluster_id().has_value()});
    if (!log.ok()) return log.status();
    stores->log_ = *std::move(log);
    absl::StatusOr<std::unique_ptr<RocksTableStore>> tables =
        RocksTableStore::Open(stores->directory_->state_dir(kOnlyGroup), stores->resources_);
    if (!tables.ok()) return tables.status();
    stores->tables_ = *std::move(tables);
    absl::StatusOr<LogPosition> applied = ReadApplied(*stores->tables_);
    if (!applied.ok()) return applied.status();
    stores->applied_ = {applied->index, applied->term};
    return stores;
  }

  absl::StatusOr<uint32_t> Epoch() const {
    pb::GroupRow row;
    absl::StatusOr<bool> found = jobs::ReadRow(*tables_, jobs::kGroupKey, &row);
    if (!found.ok()) return found.status();
    return row.epoch();
  }
  absl::StatusOr<StoppedMember> Inspect() {
    return InspectStopped(log_.get(), kOnlyGroup, applied_);
  }
  absl::StatusOr<StoppedMember> MakeSole(const std::string& command) {
    const raft::DiskId disk(Checksum64(directory_->disk_id().ToBytes()));
    absl::StatusOr<StoppedMember> made =
        MakeSoleMember(log_.get(), kOnlyGroup, applied_, disk, {command});
    if (!made.ok()) return made;
    if (absl::Status marked = log_->MarkCleanStop(); !marked.ok()) return marked;
    return made;
  }
  LogIndex applied_index() const { return applied_.index; }

 private:
  StoppedStores() = default;

  RocksResources resources_;
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<RocksLogStore> log_;
  std::unique_ptr<RocksTableStore> tables_;
  AppliedPosition applied_;
};

StoppedNode ToPublic(const StoppedMember& member, LogIndex applied, uint32_t epoch) {
  return {.node_id = member.node,
          .members = member.members.Ids(),
          .term = member.term,
          .last_term = member.last_term,
          .last_index = member.last_index,
          .applied_index = applied,
          .epoch = epoch};
}

}  // namespace

absl::StatusOr<StoppedNode> InspectStoppedNode(const std::string& data_dir) {
  absl::StatusOr<std::unique_ptr<StoppedStores>> stores = StoppedStores::Open(data_dir);
  if (!stores.ok()) return stores.status();
  absl::StatusOr<uint32_t> epoch = (*stores)->Epoch();
  if (!epoch.ok()) return epoch.status();
  absl::StatusOr<StoppedMember> member = (*stores)->Inspect();
  if (!member.ok()) return member.status();
  return ToPublic(*member, (*stores)->applied_index(), *epoch);
}

absl::StatusOr<StoppedNode> RepairLostQuorum(const std::string& data_dir) {
  absl::StatusOr<std::unique_ptr<StoppedStores>> stores = StoppedStores::Open(data_dir);
  if (!stores.ok()) return stores.status();
  absl::StatusOr<uint32_t> epoch = (*stores)->Epoch();
  if (!epoch.ok()) return epoch.status();
  if (*epoch >= jobs::kMaxEpoch) {
    return absl::ResourceExhaustedError("the epoch has been raised as often as it can be");
  }
  pb::Command command;
  command.mutable_set_group()->set_epoch(*epoch + 1);
  absl::StatusOr<StoppedMember> member = (*stores)->MakeSole(command.SerializeAsString());
  if (!member.ok()) return member.status();
  return ToPublic(*member, (*stores)->applied_index(), *epoch + 1);
}

}  // namespace scheduled
