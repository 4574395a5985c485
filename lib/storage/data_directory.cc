// See data_directory.h.
#include "storage/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "rocksdb/env.h"
#include "storage/durable_file.h"

namespace scheduled {
namespace {

constexpr std::string_view kTitle = "scheduled data directory";
constexpr uint64_t kFormat = 1;
constexpr std::string_view kNoCluster = "none";
constexpr std::array<std::string_view, 3> kParts = {"raft", "state", "snapshots"};

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What may lie in a directory whose making was interrupted before VERSION was there.
bool IsOfUnfinished(std::string_view name) {
  return name == "LOCK" || name == "VERSION.new" ||
         std::find(kParts.begin(), kParts.end(), name) != kParts.end();
}

absl::Status FromErrno(int error, const std::string& what) {
  switch (error) {
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(what, ": this user may not; give the directory to the user that runs this"));
    case EROFS:
      return absl::FailedPreconditionError(absl::StrCat(what, ": the file system is read-only"));
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(what, ": the disk is full"));
    default:
      return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(error)));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path,
                                                                   const Uuid& fresh_disk_id,
                                                                   rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, env));
  if (absl::Status status = CreateDirectoryDurably(env, path); !status.ok()) return status;
  // Before the lock, so that nothing is put into a directory that is somebody else's.
  if (absl::Status status = directory->CheckIsOurs(); !status.ok()) return status;
  if (absl::Status status = directory->Lock(); !status.ok()) return status;
  absl::StatusOr<Version> version = directory->ReadVersion();
  if (absl::IsNotFound(version.status())) {
    if (absl::Status status = directory->Create(fresh_disk_id); !status.ok()) return status;
    version = directory->ReadVersion();
  }
  if (!version.ok()) return version.status();
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, path);
  if (!names.ok()) return names.status();
  for (std::string_view part : kParts) {
    if (Contains(*names, part)) continue;
    return absl::DataLossError(absl::StrCat("the data directory ", path, " has lost its part ",
                                            absl::string_view(part.data(), part.size()),
                                            "; restore it, or start with an empty directory"));
  }
  ++version->boot_counter;
  if (absl::Status status = directory->WriteVersion(*version); !status.ok()) return status;
  directory->version_ = *version;
  return directory;
}

DataDirectory::~DataDirectory() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::Status DataDirectory::CheckIsOurs() const {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(env_, path_);
  if (!names.ok()) return names.status();
  if (Contains(*names, "VERSION")) return absl::OkStatus();
  for (const std::string& name : *names) {
    if (IsOfUnfinished(name)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " is not a data directory: it has no VERSION, but a file ", name,
                     "; name an empty directory or a new one"));
  }
  for (std::string_view part : kParts) {
    if (!Contains(*names, part)) continue;
    const std::string place = absl::StrCat(path_, "/", absl::string_view(part.data(), part.size()));
    absl::StatusOr<std::vector<std::string>> inside = ListDirectory(env_, place);
    if (!inside.ok()) return inside.status();
    if (inside->empty()) continue;
    return absl::DataLossError(
        absl::StrCat("the data directory ", path_,
                     " has lost its VERSION; restore it, or start with an empty directory"));
  }
  return absl::OkStatus();
}

absl::Status DataDirectory::Lock() {
  const std::string lock_path = path_ + "/LOCK";
  lock_fd_ = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return FromErrno(errno, absl::StrCat("cannot open ", lock_path));
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno != EWOULDBLOCK) return FromErrno(errno, absl::StrCat("cannot lock ", lock_path));
  return absl::FailedPreconditionError(
      absl::StrCat("the data directory ", path_,
                   " is in use by another process; stop that one, or name another directory"));
}

absl::Status DataDirectory::Create(const Uuid& disk_id) {
  for (std::string_view part : kParts) {
    const std::string place = absl::StrCat(path_, "/", absl::string_view(part.data(), part.size()));
    if (absl::Status status = CreateDirectoryDurably(env_, place); !status.ok()) return status;
  }
  return WriteVersion(
      Version{.disk_id = disk_id, .cluster_id = std::nullopt, .boot_counter = disk_id.unix_ms()});
}

absl::StatusOr<DataDirectory::Version> DataDirectory::ReadVersion() const {
  absl::StatusOr<std::string> text = ReadWholeFile(env_, VersionPath());
  if (!text.ok()) return text.status();
  const auto damaged = [this](std::string_view how) {
    return absl::DataLossError(
        absl::StrCat(VersionPath(), " is damaged: ", absl::string_view(how.data(), how.size()),
                     "; restore it, or start with an empty directory"));
  };
  absl::StatusOr<FileRecord> record = FileRecord::Decode(kTitle, *text);
  if (!record.ok()) return damaged(std::string(record.status().message()));
  absl::StatusOr<uint64_t> format = record->GetNumber("format");
  if (!format.ok()) return damaged(std::string(format.status().message()));
  if (*format != kFormat) {
    return absl::FailedPreconditionError(absl::StrCat("the data directory ", path_, " has format ",
                                                      *format, ", and this program knows ", kFormat,
                                                      ": run the newer program on it"));
  }
  absl::StatusOr<uint64_t> boots = record->GetNumber("boots");
  absl::StatusOr<std::string> disk = record->Get("disk");
  absl::StatusOr<std::string> cluster = record->Get("cluster");
  if (!boots.ok() || !disk.ok() || !cluster.ok()) return damaged("a field is missing");
  const std::optional<Uuid> disk_id = Uuid::Parse(*disk);
  const std::optional<Uuid> cluster_id =
      *cluster == kNoCluster ? std::nullopt : Uuid::Parse(*cluster);
  if (!disk_id.has_value()) return damaged("its disk id is no id");
  if (!cluster_id.has_value() && *cluster != kNoCluster) return damaged("its cluster id is no id");
  return Version{.disk_id = *disk_id, .cluster_id = cluster_id, .boot_counter = *boots};
}

absl::Status DataDirectory::WriteVersion(const Version& version) const {
  SCHEDULED_ASSERT(Uuid::Parse(version.disk_id.ToString()).has_value(),
                   "a disk id can be read back");
  const std::string cluster =
      version.cluster_id.has_value() ? version.cluster_id->ToString() : std::string(kNoCluster);
  const FileRecord record{.title = std::string(kTitle),
                          .fields = {{"format", absl::StrCat(kFormat)},
                                     {"disk", version.disk_id.ToString()},
                                     {"cluster", cluster},
                                     {"boots", absl::StrCat(version.boot_counter)}}};
  return WriteFileDurably(env_, VersionPath(), record.Encode());
}

absl::Status DataDirectory::SetClusterId(const Uuid& cluster_id) {
  if (version_.cluster_id == cluster_id) return absl::OkStatus();
  if (version_.cluster_id.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the data directory ", path_, " belongs to cluster ", version_.cluster_id->ToString(),
        " and not to ", cluster_id.ToString(), "; start with an empty directory to join another"));
  }
  Version next = version_;
  next.cluster_id = cluster_id;
  if (absl::Status status = WriteVersion(next); !status.ok()) return status;
  version_ = next;
  return absl::OkStatus();
}

}  // namespace scheduled
