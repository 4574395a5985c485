// SnapshotFiles in memory, for stores that have no disk: tests, hosts on a ManualClock, simulated
// nodes. PathOf gives back the name, and stores that know this object find their files in it.
// Thread-safe.
#ifndef SCHEDULED_LIB_STORAGE_MEMORY_SNAPSHOT_FILES_H_
#define SCHEDULED_LIB_STORAGE_MEMORY_SNAPSHOT_FILES_H_

#include <map>
#include <mutex>
#include <string>

#include "storage/snapshot_files.h"

namespace scheduled {

class MemorySnapshotFiles : public SnapshotFiles {
 public:
  std::string PathOf(std::string_view dir) const override { return std::string(dir); }
  absl::StatusOr<std::vector<SnapshotFile>> List(std::string_view dir) override;
  absl::StatusOr<std::string> Read(std::string_view dir, std::string_view file, uint64_t offset,
                                   size_t size) override;
  absl::Status Create(std::string_view dir) override;
  absl::Status Append(std::string_view dir, std::string_view file, std::string_view bytes) override;
  absl::Status Finish(std::string_view dir) override;
  absl::Status Remove(std::string_view dir) override;
  absl::Status RemoveAll() override;

  size_t directories() const;

 private:
  using Directory = std::map<std::string, std::string, std::less<>>;

  mutable std::mutex mutex_;
  std::map<std::string, Directory, std::less<>> directories_;  // guarded by mutex_
};

// A whole file of a directory, for stores that keep one.
absl::StatusOr<std::string> ReadSnapshotFile(SnapshotFiles& files, std::string_view dir,
                                             std::string_view file);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_MEMORY_SNAPSHOT_FILES_H_
