// See directory_snapshot_files.h. A file is synced when the next one begins, or at the end.
#include "storage/directory_snapshot_files.h"

#include "absl/strings/str_cat.h"
#include "rocksdb/env.h"
#include "storage/durable_file.h"
#include "storage/rocks_options.h"

namespace scheduled {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status FileStatus(const rocksdb::Status& status, std::string_view doing,
                        const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string what = absl::StrCat(View(doing), " ", path);
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return absl::NotFoundError(absl::StrCat(what, ": there is no such file or directory"));
  }
  return FromRocks(status, what);
}

}  // namespace

DirectorySnapshotFiles::DirectorySnapshotFiles(std::string root, rocksdb::Env* env)
    : root_(std::move(root)), env_(env != nullptr ? env : rocksdb::Env::Default()) {}

DirectorySnapshotFiles::~DirectorySnapshotFiles() = default;

std::string DirectorySnapshotFiles::PathOf(std::string_view dir) const {
  return absl::StrCat(root_, "/", View(dir));
}

DirectorySnapshotFiles::Open& DirectorySnapshotFiles::OpenOf(std::string_view dir) {
  std::lock_guard lock(mutex_);
  return open_[std::string(dir)];
}

absl::Status DirectorySnapshotFiles::Close(Open& open) {
  if (open.file == nullptr) return absl::OkStatus();
  rocksdb::Status status = open.file->Sync();
  if (status.ok()) status = open.file->Close();
  open.file = nullptr;
  return FileStatus(status, "cannot write", open.name);
}

absl::StatusOr<std::vector<SnapshotFile>> DirectorySnapshotFiles::List(std::string_view dir) {
  const std::string path = PathOf(dir);
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env_, path);
  if (!names.ok()) return names.status();
  std::vector<SnapshotFile> files;
  for (std::string& name : *names) {
    uint64_t size = 0;
    const rocksdb::Status status = env_->GetFileSize(absl::StrCat(path, "/", name), &size);
    if (!status.ok()) return FileStatus(status, "cannot read", path);
    files.push_back({std::move(name), size});
  }
  return files;
}

absl::StatusOr<std::string> DirectorySnapshotFiles::Read(std::string_view dir,
                                                         std::string_view file, uint64_t offset,
                                                         size_t size) {
  const std::string path = absl::StrCat(PathOf(dir), "/", View(file));
  std::unique_ptr<rocksdb::RandomAccessFile> opened;
  rocksdb::Status status = env_->NewRandomAccessFile(path, &opened, rocksdb::EnvOptions());
  if (!status.ok()) return FileStatus(status, "cannot read", path);
  std::string bytes(size, '\0');
  rocksdb::Slice got;
  status = opened->Read(offset, size, &got, bytes.data());
  if (!status.ok()) return FileStatus(status, "cannot read", path);
  if (got.size() != size) {
    return absl::DataLossError(absl::StrCat(path, " ends before byte ", offset + size));
  }
  if (got.data() != bytes.data()) bytes.assign(got.data(), got.size());
  return bytes;
}

absl::Status DirectorySnapshotFiles::Create(std::string_view dir) {
  if (absl::Status removed = Remove(dir); !removed.ok()) return removed;
  return CreateDirectoryDurably(env_, PathOf(dir));
}

absl::Status DirectorySnapshotFiles::Append(std::string_view dir, std::string_view file,
                                            std::string_view bytes) {
  Open& open = OpenOf(dir);
  const std::string path = absl::StrCat(PathOf(dir), "/", View(file));
  if (open.file == nullptr || open.name != path) {
    if (absl::Status closed = Close(open); !closed.ok()) return closed;
    open.name = path;
    const rocksdb::Status made = env_->NewWritableFile(path, &open.file, rocksdb::EnvOptions());
    if (!made.ok()) return FileStatus(made, "cannot create", path);
  }
  return FileStatus(open.file->Append(rocksdb::Slice(bytes.data(), bytes.size())), "cannot write",
                    path);
}

absl::Status DirectorySnapshotFiles::Finish(std::string_view dir) {
  if (absl::Status closed = Close(OpenOf(dir)); !closed.ok()) return closed;
  return SyncDirectory(env_, PathOf(dir));
}

absl::Status DirectorySnapshotFiles::Remove(std::string_view dir) {
  {
    std::lock_guard lock(mutex_);
    if (const auto open = open_.find(dir); open != open_.end()) open_.erase(open);
  }
  return RemoveFlatDirectory(env_, PathOf(dir));
}

absl::Status DirectorySnapshotFiles::RemoveAll() {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env_, root_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (absl::Status removed = Remove(name); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

}  // namespace scheduled
