// See faulty_disk.h.
#include "storage/faulty_disk.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace scheduled {
namespace {

using rocksdb::IOStatus;

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::vector<std::string> PartsOf(const std::string& path) {
  std::vector<std::string> parts;
  std::string part;
  for (char c : path + "/") {
    if (c != '/') {
      part += c;
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, ""));
    }
  }
  return parts;
}

IOStatus NoSuchFile(const std::string& path) {
  return IOStatus::PathNotFound(path, "No such file or directory");
}

}  // namespace

// ---- faults ----

void FaultyDisk::CutPowerAfter(uint64_t changes) {
  std::lock_guard lock(mutex_);
  power_off_at_ = changes_ + changes;
  if (changes == 0) has_power_ = false;
}

bool FaultyDisk::HasPower() const {
  std::lock_guard lock(mutex_);
  return has_power_;
}

uint64_t FaultyDisk::changes() const {
  std::lock_guard lock(mutex_);
  return changes_;
}

void FaultyDisk::Reboot(Tail tail) {
  std::lock_guard lock(mutex_);
  // A journal keeps the order of names: what survives of it is a first part.
  const uint64_t survives = random_.Uniform(journal_.size() + 1);
  for (uint64_t i = 0; i < survives; ++i) MakeDurable(journal_[i]);
  journal_.clear();
  Restore(*root_, tail);
  has_power_ = true;
  power_off_at_.reset();
}

void FaultyDisk::Restore(DiskNode& node, Tail tail) {
  if (node.is_directory) {
    node.names = node.durable;
    for (auto& [name, child] : node.names) Restore(*child, tail);
    return;
  }
  if (tail == Tail::kAny) tail = static_cast<Tail>(random_.Uniform(3));
  const size_t whole = node.data.size();
  const size_t unsynced = whole - node.synced;
  const size_t kept = tail == Tail::kDropped ? 0 : random_.Uniform(unsynced + 1);
  node.data.resize(node.synced + kept);
  if (tail == Tail::kTornThenZeros) node.data.resize(whole, '\0');
  node.synced = node.data.size();
  node.sync_failed = false;
}

void FaultyDisk::FailNextSync(std::string suffix) {
  std::lock_guard lock(mutex_);
  fail_sync_ = std::move(suffix);
}

void FaultyDisk::IgnoreSyncs(bool ignore) {
  std::lock_guard lock(mutex_);
  ignore_syncs_ = ignore;
}

void FaultyDisk::FailAppends(std::optional<std::string> suffix) {
  std::lock_guard lock(mutex_);
  fail_appends_ = std::move(suffix);
}

void FaultyDisk::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void FaultyDisk::SetReadOnly(bool read_only) {
  std::lock_guard lock(mutex_);
  read_only_ = read_only;
}

void FaultyDisk::FlipBit(const std::string& path, size_t offset) {
  std::lock_guard lock(mutex_);
  const DiskNodePtr node = Walk(path);
  SCHEDULED_ASSERT(node != nullptr && offset < node->data.size(), "there is a bit to flip");
  node->data[offset] = static_cast<char>(node->data[offset] ^ 0x10);
}

void FaultyDisk::CutFile(const std::string& path, size_t bytes_left) {
  std::lock_guard lock(mutex_);
  const DiskNodePtr node = Walk(path);
  SCHEDULED_ASSERT(node != nullptr && bytes_left <= node->data.size(), "there is a file to cut");
  node->data.resize(bytes_left);
  node->synced = std::min(node->synced, bytes_left);
}

std::vector<std::string> FaultyDisk::FilesEndingWith(const std::string& dir,
                                                     std::string_view suffix) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  const DiskNodePtr node = Walk(dir);
  if (node == nullptr) return paths;
  for (const auto& [name, child] : node->names) {
    if (EndsWith(name, suffix)) paths.push_back(dir + "/" + name);
  }
  return paths;
}

size_t FaultyDisk::SizeOf(const std::string& path) const {
  std::lock_guard lock(mutex_);
  const DiskNodePtr node = Walk(path);
  return node == nullptr ? 0 : node->data.size();
}

// ---- the file system ----

IOStatus FaultyDisk::BeginChange() {
  ++changes_;
  if (power_off_at_.has_value() && changes_ >= *power_off_at_) has_power_ = false;
  if (!has_power_) return IOStatus::IOError("the power is off");
  if (read_only_) return IOStatus::IOError("Read-only file system");
  return IOStatus::OK();
}

DiskNodePtr FaultyDisk::Walk(const std::string& path) const {
  DiskNodePtr node = root_;
  for (const std::string& part : PartsOf(path)) {
    const auto next = node->names.find(part);
    if (next == node->names.end()) return nullptr;
    node = next->second;
  }
  return node;
}

IOStatus FaultyDisk::PlaceOf(const std::string& path, Place* place) const {
  std::vector<std::string> parts = PartsOf(path);
  SCHEDULED_ASSERT(!parts.empty(), "the root is not renamed");
  place->name = parts.back();
  DiskNodePtr node = root_;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto next = node->names.find(parts[i]);
    if (next == node->names.end() || !next->second->is_directory) return NoSuchFile(path);
    node = next->second;
  }
  place->directory = node;
  return IOStatus::OK();
}

void FaultyDisk::Commit(NameOp op) {
  for (const NameChange& change : op) {
    if (change.node == nullptr) {
      change.directory->names.erase(change.name);
    } else {
      change.directory->names[change.name] = change.node;
    }
  }
  journal_.push_back(std::move(op));
}

void FaultyDisk::MakeDurable(const NameOp& op) {
  for (const NameChange& change : op) {
    if (change.node == nullptr) {
      change.directory->durable.erase(change.name);
    } else {
      change.directory->durable[change.name] = change.node;
    }
  }
}

IOStatus FaultyDisk::Find(const std::string& path, DiskNodePtr* node) const {
  std::lock_guard lock(mutex_);
  if (!has_power_) return IOStatus::IOError("the power is off");
  *node = Walk(path);
  return *node == nullptr ? NoSuchFile(path) : IOStatus::OK();
}

IOStatus FaultyDisk::Create(const std::string& path, bool keep, DiskNodePtr* node) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  if (*node = Walk(path); *node != nullptr && keep) return IOStatus::OK();
  Place place;
  if (IOStatus status = PlaceOf(path, &place); !status.ok()) return status;
  *node = std::make_shared<DiskNode>();
  Commit({{place.directory, place.name, *node}});
  return IOStatus::OK();
}

IOStatus FaultyDisk::MakeDirectory(const std::string& path, bool may_exist) {
  std::lock_guard lock(mutex_);
  if (const DiskNodePtr found = Walk(path); found != nullptr) {
    if (may_exist && found->is_directory) return IOStatus::OK();
    return IOStatus::IOError(path, "File exists");
  }
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  Place place;
  if (IOStatus status = PlaceOf(path, &place); !status.ok()) return status;
  Commit(
      {{place.directory, place.name, std::make_shared<DiskNode>(DiskNode{.is_directory = true})}});
  return IOStatus::OK();
}

IOStatus FaultyDisk::Remove(const std::string& path, bool directory) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  const DiskNodePtr node = Walk(path);
  if (node == nullptr || node->is_directory != directory) return NoSuchFile(path);
  if (!node->names.empty()) return IOStatus::IOError(path, "Directory not empty");
  Place place;
  if (IOStatus status = PlaceOf(path, &place); !status.ok()) return status;
  Commit({{place.directory, place.name, nullptr}});
  return IOStatus::OK();
}

IOStatus FaultyDisk::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  const DiskNodePtr node = Walk(from);
  if (node == nullptr) return NoSuchFile(from);
  Place old_place, new_place;
  if (IOStatus status = PlaceOf(from, &old_place); !status.ok()) return status;
  if (IOStatus status = PlaceOf(to, &new_place); !status.ok()) return status;
  Commit({{old_place.directory, old_place.name, nullptr},
          {new_place.directory, new_place.name, node}});
  return IOStatus::OK();
}

IOStatus FaultyDisk::Link(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  const DiskNodePtr node = Walk(from);
  if (node == nullptr) return NoSuchFile(from);
  Place place;
  if (IOStatus status = PlaceOf(to, &place); !status.ok()) return status;
  Commit({{place.directory, place.name, node}});
  return IOStatus::OK();
}

IOStatus FaultyDisk::List(const std::string& path, std::vector<std::string>* names) const {
  std::lock_guard lock(mutex_);
  if (!has_power_) return IOStatus::IOError("the power is off");
  const DiskNodePtr node = Walk(path);
  if (node == nullptr || !node->is_directory) return NoSuchFile(path);
  names->clear();
  for (const auto& [name, child] : node->names) names->push_back(name);
  return IOStatus::OK();
}

uint64_t FaultyDisk::Used(const DiskNode& node) const {
  uint64_t used = node.data.size();
  for (const auto& [name, child] : node.names) used += Used(*child);
  return used;
}

IOStatus FaultyDisk::Append(const std::string& path, DiskNode& file, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  if (fail_appends_.has_value() && EndsWith(path, *fail_appends_)) {
    return IOStatus::IOError(path, "Input/output error");
  }
  if (capacity_.has_value()) {
    const uint64_t used = Used(*root_);
    const uint64_t room = used < *capacity_ ? *capacity_ - used : 0;
    if (bytes.size() > room) {
      file.data.append(bytes.substr(0, room));
      return IOStatus::NoSpace(path, "No space left on device");
    }
  }
  file.data.append(bytes);
  return IOStatus::OK();
}

IOStatus FaultyDisk::Sync(const std::string& path, DiskNode& file) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  if (fail_sync_.has_value() && EndsWith(path, *fail_sync_)) {
    fail_sync_.reset();
    file.sync_failed = true;
    return IOStatus::IOError(path, "Input/output error");
  }
  if (!file.sync_failed && !ignore_syncs_) file.synced = file.data.size();
  return IOStatus::OK();
}

IOStatus FaultyDisk::SyncDirectory(DiskNode& directory) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok() || ignore_syncs_) return status;
  std::vector<NameOp> rest;
  for (NameOp& op : journal_) {
    const bool touches = std::any_of(op.begin(), op.end(), [&](const NameChange& change) {
      return change.directory.get() == &directory;
    });
    if (touches) {
      MakeDurable(op);
    } else {
      rest.push_back(std::move(op));
    }
  }
  journal_ = std::move(rest);
  return IOStatus::OK();
}

IOStatus FaultyDisk::Read(const DiskNode& file, uint64_t offset, size_t size, char* to,
                          size_t* got) const {
  std::lock_guard lock(mutex_);
  if (!has_power_) return IOStatus::IOError("the power is off");
  *got = offset >= file.data.size() ? 0 : std::min<size_t>(size, file.data.size() - offset);
  if (*got > 0) std::memcpy(to, file.data.data() + offset, *got);
  return IOStatus::OK();
}

IOStatus FaultyDisk::Truncate(DiskNode& file, uint64_t size) {
  std::lock_guard lock(mutex_);
  if (IOStatus status = BeginChange(); !status.ok()) return status;
  file.data.resize(size);
  file.synced = std::min<size_t>(file.synced, size);
  return IOStatus::OK();
}

uint64_t FaultyDisk::Size(const DiskNode& file) const {
  std::lock_guard lock(mutex_);
  return file.data.size();
}

}  // namespace scheduled
