// The data directory: made whole or not at all, locked, counted, and refused with a clear sentence.
#include "storage/data_directory.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "storage/durable_file.h"
#include "storage/world.h"

namespace scheduled {
namespace {

Uuid Id(uint8_t number) {
  Uuid uuid = *Uuid::Parse("01900000-0000-7000-8000-000000000000");
  uuid.bytes[15] = number;
  return uuid;
}

absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& path) {
  return DataDirectory::Open(path, Id(1));
}

void RequireRefused(const std::string& path, absl::StatusCode code, const std::string& saying) {
  const absl::Status status = Open(path).status();
  INFO(status.ToString());
  REQUIRE(status.code() == code);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(saying));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains(path));
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_CASE("a new directory gets an id, and counts its boots") {
  TempDirectory temp;
  const std::string path = temp.path() + "/data";
  for (uint64_t boot = 1; boot <= 3; ++boot) {
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
        DataDirectory::Open(path, Id(static_cast<uint8_t>(boot)));
    REQUIRE(directory.ok());
    REQUIRE((*directory)->disk_id() == Id(1));
    REQUIRE((*directory)->boot_counter() == Id(1).unix_ms() + boot);
    REQUIRE_FALSE((*directory)->cluster_id().has_value());
    REQUIRE(std::filesystem::is_directory((*directory)->raft_dir()));
    REQUIRE(std::filesystem::is_directory(path + "/state"));
    REQUIRE(std::filesystem::is_directory((*directory)->snapshots_dir()));
    REQUIRE((*directory)->state_dir(GroupId(0)) == path + "/state/0");
  }
}

TEST_CASE("a cluster id is set once, and stays") {
  TempDirectory temp;
  {
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory = Open(temp.path());
    REQUIRE(directory.ok());
    REQUIRE((*directory)->SetClusterId(Id(9)).ok());
    REQUIRE((*directory)->SetClusterId(Id(9)).ok());
    const absl::Status status = (*directory)->SetClusterId(Id(8));
    REQUIRE(absl::IsFailedPrecondition(status));
    REQUIRE((*directory)->cluster_id() == Id(9));
  }
  absl::StatusOr<std::unique_ptr<DataDirectory>> directory = Open(temp.path());
  REQUIRE(directory.ok());
  REQUIRE((*directory)->cluster_id() == Id(9));
}

TEST_CASE("a directory in use is refused, and free again afterwards") {
  TempDirectory temp;
  {
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory = Open(temp.path());
    REQUIRE(directory.ok());
    RequireRefused(temp.path(), absl::StatusCode::kFailedPrecondition, "in use by another process");
  }
  REQUIRE(Open(temp.path()).ok());
}

TEST_CASE("somebody else's directory is refused and left as it is") {
  TempDirectory temp;
  WriteFile(temp.path() + "/thesis.tex", "years of work");
  RequireRefused(temp.path(), absl::StatusCode::kFailedPrecondition, "not a data directory");
  REQUIRE_FALSE(std::filesystem::exists(temp.path() + "/LOCK"));
}

TEST_CASE("a directory whose making was interrupted is made anew") {
  TempDirectory temp;
  std::filesystem::create_directory(temp.path() + "/raft");
  WriteFile(temp.path() + "/LOCK", "");
  WriteFile(temp.path() + "/VERSION.new", "sche");
  REQUIRE(Open(temp.path()).ok());
}

TEST_CASE("a directory that lost its VERSION or a part is refused") {
  TempDirectory temp;
  REQUIRE(Open(temp.path()).ok());
  SECTION("VERSION") {
    WriteFile(temp.path() + "/raft/CURRENT", "MANIFEST-000001\n");
    std::filesystem::remove(temp.path() + "/VERSION");
    RequireRefused(temp.path(), absl::StatusCode::kDataLoss, "lost its VERSION");
  }
  SECTION("the log") {
    std::filesystem::remove(temp.path() + "/raft");
    RequireRefused(temp.path(), absl::StatusCode::kDataLoss, "lost its part raft");
  }
}

TEST_CASE("a damaged VERSION is refused at whatever byte") {
  TempDirectory temp;
  REQUIRE(Open(temp.path()).ok());
  const std::string path = temp.path() + "/VERSION";
  const std::string text = ReadFile(path);
  for (size_t byte = 0; byte < text.size(); ++byte) {
    std::string damaged = text;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1);
    WriteFile(path, damaged);
    RequireRefused(temp.path(), absl::StatusCode::kDataLoss, "VERSION is damaged");
  }
  WriteFile(path, "");
  RequireRefused(temp.path(), absl::StatusCode::kDataLoss, "VERSION is damaged");
}

TEST_CASE("a newer format is refused by name") {
  TempDirectory temp;
  REQUIRE(Open(temp.path()).ok());
  const FileRecord newer{.title = "scheduled data directory",
                         .fields = {{"format", "2"}, {"whatever", "follows"}}};
  WriteFile(temp.path() + "/VERSION", newer.Encode());
  RequireRefused(temp.path(), absl::StatusCode::kFailedPrecondition, "has format 2");
}

TEST_CASE("a path that cannot be a directory is refused") {
  TempDirectory temp;
  RequireRefused(temp.path() + "/missing/data", absl::StatusCode::kNotFound, "no such file");
  WriteFile(temp.path() + "/file", "");
  RequireRefused(temp.path() + "/file", absl::StatusCode::kFailedPrecondition, "not a directory");
}

TEST_CASE("a directory that this user may not write is refused") {
  if (geteuid() != 0) return;  // only root can become somebody else
  TempDirectory temp;
  REQUIRE(Open(temp.path()).ok());
  using std::filesystem::perms;
  const perms readable = perms::owner_all | perms::group_read | perms::group_exec |
                         perms::others_read | perms::others_exec;
  std::filesystem::permissions(temp.path(), readable);
  REQUIRE(seteuid(65534) == 0);
  const absl::Status status = Open(temp.path()).status();
  const absl::Status fresh = Open(temp.path() + "/raft/data").status();
  REQUIRE(seteuid(0) == 0);
  std::filesystem::permissions(temp.path(), perms::owner_all);
  REQUIRE(seteuid(65534) == 0);
  const absl::Status unreadable = Open(temp.path()).status();
  REQUIRE(seteuid(0) == 0);
  REQUIRE(absl::IsPermissionDenied(unreadable));
  INFO(status.ToString());
  REQUIRE(absl::IsPermissionDenied(status));
  REQUIRE(absl::IsPermissionDenied(fresh));
}

TEST_CASE("a read-only file system is refused as such") {
  TempDirectory temp;  // LOCK is on the real disk
  FaultyDisk disk(1);
  const std::unique_ptr<rocksdb::Env> env = NewFaultyEnv(&disk);
  REQUIRE(env->CreateDir("/tmp").ok());
  REQUIRE(env->CreateDir(temp.path()).ok());
  REQUIRE(DataDirectory::Open(temp.path(), Id(1), env.get()).ok());
  disk.SetReadOnly(true);
  const absl::Status status = DataDirectory::Open(temp.path(), Id(1), env.get()).status();
  REQUIRE(absl::IsFailedPrecondition(status));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("read-only"));
}

TEST_CASE("the power may fail at any change of a first and of a second start") {
  TempDirectory temp;
  bool done = false;
  for (uint64_t change = 1; !done; ++change) {
    FaultyDisk disk(change);
    const std::unique_ptr<rocksdb::Env> env = NewFaultyEnv(&disk);
    REQUIRE(env->CreateDir("/tmp").ok());
    REQUIRE(SyncParentOf(env.get(), "/tmp").ok());
    disk.CutPowerAfter(change);
    uint64_t boots = 0;
    for (uint8_t start = 1; start <= 2; ++start) {
      absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
          DataDirectory::Open(temp.path(), Id(start), env.get());
      if (directory.ok()) boots = (*directory)->boot_counter();
      done = start == 2 && directory.ok();
    }
    disk.Reboot(Tail::kAny);
    absl::StatusOr<std::unique_ptr<DataDirectory>> directory =
        DataDirectory::Open(temp.path(), Id(3), env.get());
    INFO("change " << change << ": " << directory.status().ToString());
    REQUIRE(directory.ok());
    REQUIRE((*directory)->boot_counter() > boots);
    if (boots > 0) REQUIRE((*directory)->disk_id() == Id(1));
  }
}

}  // namespace
}  // namespace scheduled
