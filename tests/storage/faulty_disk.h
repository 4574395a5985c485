// A disk in memory that loses what was not synced. It is a model of what a file system promises and
// no more: a synced file keeps its bytes, a synced directory keeps its names, and everything else
// may or may not survive a power cut. It also tears writes, fails syncs, fills up and flips bits.
// Files are only appended to. Thread-safe; faulty_env.h puts a database onto it.
#ifndef SCHEDULED_TESTS_STORAGE_FAULTY_DISK_H_
#define SCHEDULED_TESTS_STORAGE_FAULTY_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "rocksdb/io_status.h"

namespace scheduled {

// A file or a directory. Its fields are guarded by the disk's lock.
struct DiskNode {
  bool is_directory = false;
  std::map<std::string, std::shared_ptr<DiskNode>> names;    // as programs see them
  std::map<std::string, std::shared_ptr<DiskNode>> durable;  // as a power cut leaves them at least
  std::string data;
  size_t synced = 0;         // of data; only grows
  bool sync_failed = false;  // what was not synced then never will be, whatever a later sync says
};
using DiskNodePtr = std::shared_ptr<DiskNode>;

// What becomes of the bytes behind a file's synced part.
enum class Tail {
  kDropped,        // none is left
  kTorn,           // some first part is left
  kTornThenZeros,  // some first part is left, and the file is as long as it was
  kAny,            // one of the above for each file, at random
};

class FaultyDisk {
 public:
  explicit FaultyDisk(uint64_t seed) : random_(seed) {}

  // ---- faults ----

  // Power goes off with the n-th change from now, which does not happen; 0 is now.
  void CutPowerAfter(uint64_t changes);
  bool HasPower() const;
  // Counts what changes the disk: appends, syncs, names.
  uint64_t changes() const;
  // Power comes back: what was not durable is gone, or partly. No file may be open.
  void Reboot(Tail tail);
  // The next sync of a file whose name ends so fails, and what it should have synced is lost.
  void FailNextSync(std::string suffix);
  // Syncs succeed and do nothing from now on: a disk that lies.
  void IgnoreSyncs(bool ignore);
  // Appends to files whose name ends so fail from now on; an empty optional ends it.
  void FailAppends(std::optional<std::string> suffix);
  // Bytes that fit onto the disk in all; an append beyond is cut short and fails.
  void SetCapacity(uint64_t bytes);
  // Everything that writes fails as on a file system that was mounted read-only.
  void SetReadOnly(bool read_only);

  // ---- what lies on it, for tests ----

  void FlipBit(const std::string& path, size_t offset);
  void CutFile(const std::string& path, size_t bytes_left);
  std::vector<std::string> FilesEndingWith(const std::string& dir, std::string_view suffix) const;
  size_t SizeOf(const std::string& path) const;

  // ---- the file system ----

  rocksdb::IOStatus Find(const std::string& path, DiskNodePtr* node) const;
  rocksdb::IOStatus Create(const std::string& path, bool keep, DiskNodePtr* node);
  rocksdb::IOStatus MakeDirectory(const std::string& path, bool may_exist);
  rocksdb::IOStatus Remove(const std::string& path, bool directory);
  rocksdb::IOStatus Rename(const std::string& from, const std::string& to);
  rocksdb::IOStatus Link(const std::string& from, const std::string& to);
  rocksdb::IOStatus List(const std::string& path, std::vector<std::string>* names) const;
  rocksdb::IOStatus Append(const std::string& path, DiskNode& file, std::string_view bytes);
  rocksdb::IOStatus Sync(const std::string& path, DiskNode& file);
  rocksdb::IOStatus SyncDirectory(DiskNode& directory);
  rocksdb::IOStatus Read(const DiskNode& file, uint64_t offset, size_t size, char* to,
                         size_t* got) const;
  rocksdb::IOStatus Truncate(DiskNode& file, uint64_t size);
  uint64_t Size(const DiskNode& file) const;

 private:
  struct NameChange {
    DiskNodePtr directory;
    std::string name;
    DiskNodePtr node;  // null removes the name
  };
  using NameOp = std::vector<NameChange>;  // all or nothing
  struct Place {
    DiskNodePtr directory;
    std::string name;
  };

  rocksdb::IOStatus BeginChange();
  DiskNodePtr Walk(const std::string& path) const;
  rocksdb::IOStatus PlaceOf(const std::string& path, Place* place) const;
  void Commit(NameOp op);
  static void MakeDurable(const NameOp& op);
  void Restore(DiskNode& node, Tail tail);
  uint64_t Used(const DiskNode& node) const;

  mutable std::mutex mutex_;
  Random random_;
  DiskNodePtr root_ = std::make_shared<DiskNode>(DiskNode{.is_directory = true});
  std::vector<NameOp> journal_;  // name changes that no directory sync has covered, in order
  uint64_t changes_ = 0;
  std::optional<uint64_t> power_off_at_;
  bool has_power_ = true;
  bool read_only_ = false;
  bool ignore_syncs_ = false;
  std::optional<std::string> fail_sync_;
  std::optional<std::string> fail_appends_;
  std::optional<uint64_t> capacity_;
};

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_STORAGE_FAULTY_DISK_H_
