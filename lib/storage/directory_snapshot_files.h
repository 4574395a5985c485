// SnapshotFiles on disk: each directory is one below `<data>/snapshots/`, on the file system of the
// tables, so that a checkpoint links files and an install renames them. Thread-safe as the port
// says. Owned by whoever owns the data directory.
#ifndef SCHEDULED_LIB_STORAGE_DIRECTORY_SNAPSHOT_FILES_H_
#define SCHEDULED_LIB_STORAGE_DIRECTORY_SNAPSHOT_FILES_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "storage/snapshot_files.h"

namespace rocksdb {
class Env;
class WritableFile;
}  // namespace rocksdb

namespace scheduled {

class DirectorySnapshotFiles : public SnapshotFiles {
 public:
  // `root` exists. `env` is the disk, null for the real one.
  explicit DirectorySnapshotFiles(std::string root, rocksdb::Env* env = nullptr);
  ~DirectorySnapshotFiles() override;

  std::string PathOf(std::string_view dir) const override;
  absl::StatusOr<std::vector<SnapshotFile>> List(std::string_view dir) override;
  absl::StatusOr<std::string> Read(std::string_view dir, std::string_view file, uint64_t offset,
                                   size_t size) override;
  absl::Status Create(std::string_view dir) override;
  absl::Status Append(std::string_view dir, std::string_view file, std::string_view bytes) override;
  absl::Status Finish(std::string_view dir) override;
  absl::Status Remove(std::string_view dir) override;
  absl::Status RemoveAll() override;

 private:
  // The file of a directory that is being written.
  struct Open {
    std::string name;
    std::unique_ptr<rocksdb::WritableFile> file;
  };

  Open& OpenOf(std::string_view dir);
  static absl::Status Close(Open& open);

  const std::string root_;
  rocksdb::Env* const env_;
  std::mutex mutex_;
  std::map<std::string, Open, std::less<>> open_;  // the map is guarded; an element is its caller's
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_DIRECTORY_SNAPSHOT_FILES_H_
