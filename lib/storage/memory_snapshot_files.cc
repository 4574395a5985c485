// See memory_snapshot_files.h. Any thread, under one lock.
#include "storage/memory_snapshot_files.h"

namespace scheduled {
namespace {

absl::Status Missing() { return absl::NotFoundError("there is no such snapshot file"); }

}  // namespace

absl::StatusOr<std::vector<SnapshotFile>> MemorySnapshotFiles::List(std::string_view dir) {
  std::lock_guard lock(mutex_);
  const auto found = directories_.find(dir);
  if (found == directories_.end()) return Missing();
  std::vector<SnapshotFile> files;
  for (const auto& [name, bytes] : found->second) files.push_back({name, bytes.size()});
  return files;
}

absl::StatusOr<std::string> MemorySnapshotFiles::Read(std::string_view dir, std::string_view file,
                                                      uint64_t offset, size_t size) {
  std::lock_guard lock(mutex_);
  const auto directory = directories_.find(dir);
  if (directory == directories_.end()) return Missing();
  const auto found = directory->second.find(file);
  if (found == directory->second.end()) return Missing();
  const std::string& bytes = found->second;
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return absl::DataLossError("a snapshot file ends early");
  }
  return bytes.substr(offset, size);
}

absl::Status MemorySnapshotFiles::Create(std::string_view dir) {
  std::lock_guard lock(mutex_);
  directories_.insert_or_assign(std::string(dir), Directory());
  return absl::OkStatus();
}

absl::Status MemorySnapshotFiles::Append(std::string_view dir, std::string_view file,
                                         std::string_view bytes) {
  std::lock_guard lock(mutex_);
  const auto directory = directories_.find(dir);
  if (directory == directories_.end()) return Missing();
  directory->second[std::string(file)].append(bytes);
  return absl::OkStatus();
}

absl::Status MemorySnapshotFiles::Finish(std::string_view) { return absl::OkStatus(); }

absl::Status MemorySnapshotFiles::Remove(std::string_view dir) {
  std::lock_guard lock(mutex_);
  if (const auto found = directories_.find(dir); found != directories_.end()) {
    directories_.erase(found);
  }
  return absl::OkStatus();
}

absl::Status MemorySnapshotFiles::RemoveAll() {
  std::lock_guard lock(mutex_);
  directories_.clear();
  return absl::OkStatus();
}

size_t MemorySnapshotFiles::directories() const {
  std::lock_guard lock(mutex_);
  return directories_.size();
}

absl::StatusOr<std::string> ReadSnapshotFile(SnapshotFiles& files, std::string_view dir,
                                             std::string_view file) {
  absl::StatusOr<std::vector<SnapshotFile>> list = files.List(dir);
  if (!list.ok()) return list.status();
  for (const SnapshotFile& each : *list) {
    if (each.name == file) return files.Read(dir, file, 0, each.size);
  }
  return Missing();
}

}  // namespace scheduled
