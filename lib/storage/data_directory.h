// The directory that a node keeps everything in: who may use it, what it is, and where its parts
// lie. It opens no database. Owned by the host for as long as the node runs; any thread may read
// it, SetClusterId is called by one at a time.
//
//   <data>/VERSION      a FileRecord: format, disk id, cluster id, boot counter
//   <data>/LOCK         locked (flock) while a process has the directory open
//   <data>/raft/        the log of every group
//   <data>/state/<g>/   the tables of group g
//   <data>/snapshots/   in transfer, temporary
//
// VERSION is replaced whole: written beside, synced, renamed, the directory synced. It is written
// last when a directory is made, so that one without it is empty, unfinished or somebody else's.
#ifndef SCHEDULED_LIB_STORAGE_DATA_DIRECTORY_H_
#define SCHEDULED_LIB_STORAGE_DATA_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "scheduled/types.h"

namespace rocksdb {
class Env;
}

namespace scheduled {

class DataDirectory {
 public:
  // Locks `path`, makes it a data directory if it is missing or empty, and counts this boot,
  // durably. `fresh_disk_id`, of version 7, becomes the disk id of a new directory; an old one
  // keeps its own. `env` is the disk, null for the real one; LOCK is always on the real one.
  //
  // FAILED_PRECONDITION: in use by another process, not a data directory, of a newer format, or on
  // a read-only file system; PERMISSION_DENIED; DATA_LOSS: VERSION or a part is damaged or missing;
  // NOT_FOUND: the parent directory is missing; RESOURCE_EXHAUSTED: the disk is full; UNAVAILABLE:
  // another I/O error. Each message is one sentence that says what to do.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path,
                                                             const Uuid& fresh_disk_id,
                                                             rocksdb::Env* env = nullptr);
  // Unlocks.
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  // Stays with the directory for ever: a member that comes back with another disk is not the same.
  const Uuid& disk_id() const { return version_.disk_id; }
  // The cluster that this node is a member of; none before it has joined one. Never changes again.
  const std::optional<Uuid>& cluster_id() const { return version_.cluster_id; }
  // Grows by one each time that the directory is opened. It begins at the milliseconds of the
  // directory's making, so that a node's life on a new disk is not taken for one on the disk that
  // it has lost.
  uint64_t boot_counter() const { return version_.boot_counter; }

  // Durable on return. Setting the same id again is a no-op; another one is FAILED_PRECONDITION.
  absl::Status SetClusterId(const Uuid& cluster_id);

  const std::string& path() const { return path_; }
  std::string raft_dir() const { return path_ + "/raft"; }
  std::string state_dir(GroupId group) const {
    return path_ + "/state/" + std::to_string(group.value);
  }
  std::string snapshots_dir() const { return path_ + "/snapshots"; }

 private:
  struct Version {
    Uuid disk_id;
    std::optional<Uuid> cluster_id;
    uint64_t boot_counter = 0;
  };

  DataDirectory(std::string path, rocksdb::Env* env) : path_(std::move(path)), env_(env) {}

  std::string VersionPath() const { return path_ + "/VERSION"; }
  absl::Status Lock();
  absl::Status CheckIsOurs() const;
  absl::Status Create(const Uuid& disk_id);
  absl::StatusOr<Version> ReadVersion() const;
  absl::Status WriteVersion(const Version& version) const;

  const std::string path_;
  rocksdb::Env* const env_;
  Version version_;
  int lock_fd_ = -1;  // open while locked
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_DATA_DIRECTORY_H_
