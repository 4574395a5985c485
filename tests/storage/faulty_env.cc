// See faulty_env.h. Nothing but translation: each class carries one kind of handle over to the
// disk.
#include "storage/faulty_env.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "rocksdb/file_system.h"
#include "rocksdb/system_clock.h"

namespace scheduled {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class SequentialFile : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(FaultyDisk* disk, DiskNodePtr node) : disk_(disk), node_(std::move(node)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    size_t got = 0;
    IOStatus status = disk_->Read(*node_, offset_, n, scratch, &got);
    *result = Slice(scratch, got);
    offset_ += got;
    return status;
  }
  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  FaultyDisk* disk_;
  DiskNodePtr node_;
  uint64_t offset_ = 0;
};

class RandomAccessFile : public rocksdb::FSRandomAccessFile {
 public:
  RandomAccessFile(FaultyDisk* disk, DiskNodePtr node) : disk_(disk), node_(std::move(node)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    size_t got = 0;
    IOStatus status = disk_->Read(*node_, offset, n, scratch, &got);
    *result = Slice(scratch, got);
    return status;
  }

 private:
  FaultyDisk* disk_;
  DiskNodePtr node_;
};

class WritableFile : public rocksdb::FSWritableFile {
 public:
  WritableFile(FaultyDisk* disk, std::string path, DiskNodePtr node)
      : disk_(disk), path_(std::move(path)), node_(std::move(node)) {}
  using rocksdb::FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return disk_->Append(path_, *node_, data.ToStringView());
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    return disk_->Truncate(*node_, size);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_->Sync(path_, *node_); }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return disk_->Size(*node_); }

 private:
  FaultyDisk* disk_;
  std::string path_;
  DiskNodePtr node_;
};

class Directory : public rocksdb::FSDirectory {
 public:
  Directory(FaultyDisk* disk, DiskNodePtr node) : disk_(disk), node_(std::move(node)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return disk_->SyncDirectory(*node_);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  FaultyDisk* disk_;
  DiskNodePtr node_;
};

class Lock : public rocksdb::FileLock {
 public:
  explicit Lock(std::string path) : path(std::move(path)) {}
  const std::string path;
};

class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  size_t GetLogFileSize() const override { return 0; }
};

class FaultyFileSystem : public rocksdb::FileSystem {
 public:
  explicit FaultyFileSystem(FaultyDisk* disk) : disk_(disk) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    if (status.ok()) *result = std::make_unique<SequentialFile>(disk_, node);
    return status;
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    if (status.ok()) *result = std::make_unique<RandomAccessFile>(disk_, node);
    return status;
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext*) override {
    return OpenWritable(path, /*keep=*/false, result);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext*) override {
    return OpenWritable(path, /*keep=*/true, result);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    if (status.ok()) *result = std::make_unique<Directory>(disk_, node);
    return status;
  }
  // Without power nothing is there: the database asserts that a look for a directory cannot fail
  // (WalManager::GetSortedWalFiles).
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    DiskNodePtr node;
    return disk_->Find(path, &node).ok() ? IOStatus::OK() : IOStatus::NotFound();
  }
  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names,
                       IODebugContext*) override {
    IOStatus status = disk_->List(path, names);
    return status.IsPathNotFound() ? IOStatus::NotFound() : status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_->Remove(path, /*directory=*/false);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_->MakeDirectory(path, /*may_exist=*/false);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_->MakeDirectory(path, /*may_exist=*/true);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_->Remove(path, /*directory=*/true);
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    if (status.ok()) *size = disk_->Size(*node);
    return status;
  }
  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    DiskNodePtr node;
    return disk_->Find(path, &node);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return disk_->Rename(from, to);
  }
  IOStatus Truncate(const std::string& path, size_t size, const IOOptions&,
                    IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    return status.ok() ? disk_->Truncate(*node, size) : status;
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                    IODebugContext*) override {
    return disk_->Link(from, to);
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    std::lock_guard guard(mutex_);
    if (!locks_.insert(path).second) return IOStatus::IOError(path, "already locked");
    *lock = new Lock(path);
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    const std::unique_ptr<Lock> owned(static_cast<Lock*>(lock));
    std::lock_guard guard(mutex_);
    locks_.erase(owned->path);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/test";
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<SilentLogger>();
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                           IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                       IODebugContext*) override {
    DiskNodePtr node;
    IOStatus status = disk_->Find(path, &node);
    if (status.ok()) *is_directory = node->is_directory;
    return status;
  }

 private:
  IOStatus OpenWritable(const std::string& path, bool keep,
                        std::unique_ptr<rocksdb::FSWritableFile>* result) {
    DiskNodePtr node;
    IOStatus status = disk_->Create(path, keep, &node);
    if (status.ok()) *result = std::make_unique<WritableFile>(disk_, path, node);
    return status;
  }

  FaultyDisk* disk_;
  std::mutex mutex_;
  std::set<std::string> locks_;  // guarded by mutex_
};

// The database sleeps for a second after a flush that failed, so as not to spin. Tests need not.
class ImpatientClock : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : rocksdb::SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int) override {}
};

class FaultyEnv : public rocksdb::EnvWrapper {
 public:
  explicit FaultyEnv(FaultyDisk* disk)
      : rocksdb::EnvWrapper(rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(disk))) {
    system_clock_ = std::make_shared<ImpatientClock>();
  }
  const char* Name() const override { return "FaultyEnv"; }
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewFaultyEnv(FaultyDisk* disk) {
  return std::make_unique<FaultyEnv>(disk);
}

}  // namespace scheduled
