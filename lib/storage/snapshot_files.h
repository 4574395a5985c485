// The port to the directories of snapshots in transfer: where a state machine writes a copy of
// itself, from where the copy is read piece by piece, and where the pieces of another node's copy
// are put together. Everything in it is temporary: a node that starts removes all of it. Owned by
// the host of a process. Implementations: DirectorySnapshotFiles on disk, MemorySnapshotFiles.
//
// Directories and files are named by plain names, without a path; directories are flat.
#ifndef SCHEDULED_LIB_STORAGE_SNAPSHOT_FILES_H_
#define SCHEDULED_LIB_STORAGE_SNAPSHOT_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace scheduled {

struct SnapshotFile {
  std::string name;
  uint64_t size = 0;
  bool operator==(const SnapshotFile&) const = default;
};

// Calls on one directory come one at a time, from any thread; calls on different ones may overlap.
// Errors. NOT_FOUND: no such directory or file; RESOURCE_EXHAUSTED: the disk is full; UNAVAILABLE:
// another I/O error. An error ends what the directory was for; it stops no node.
class SnapshotFiles {
 public:
  virtual ~SnapshotFiles() = default;

  // What StateMachine::Checkpoint and Install are given for the directory `dir`.
  virtual std::string PathOf(std::string_view dir) const = 0;

  // Its files with their sizes, sorted by name.
  virtual absl::StatusOr<std::vector<SnapshotFile>> List(std::string_view dir) = 0;
  // `size` bytes from `offset` on. DATA_LOSS: the file ends before.
  virtual absl::StatusOr<std::string> Read(std::string_view dir, std::string_view file,
                                           uint64_t offset, size_t size) = 0;

  // An empty directory, whatever was there.
  virtual absl::Status Create(std::string_view dir) = 0;
  // Adds to the end of a file, which begins empty. Files are written one after the other.
  virtual absl::Status Append(std::string_view dir, std::string_view file,
                              std::string_view bytes) = 0;
  // Everything that was appended is durable on return.
  virtual absl::Status Finish(std::string_view dir) = 0;

  // Removes the directory; one that is not there is no error.
  virtual absl::Status Remove(std::string_view dir) = 0;
  // Removes all directories. Before anything else is called.
  virtual absl::Status RemoveAll() = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_SNAPSHOT_FILES_H_
