// The container of a snapshot, the directories that it lies in, and what a power cut leaves of
// them.
#include <algorithm>
#include <catch2/catch.hpp>

#include "storage/directory_snapshot_files.h"
#include "storage/durable_file.h"
#include "storage/memory_snapshot_files.h"
#include "storage/memory_table_store.h"
#include "storage/snapshot_container.h"
#include "storage/world.h"

namespace scheduled {
namespace {

const SnapshotManifest kManifest{
    SnapshotId(0x0102030405060708), "what it stands for", {{"CURRENT", 16}, {"a.sst", 1 << 20}}};

TEST_CASE("a manifest is read back, and every damage to it is noticed") {
  const std::string record = EncodeManifest(kManifest);
  const auto decoded = DecodeManifest(record);
  REQUIRE(decoded.ok());
  CHECK(*decoded == kManifest);
  CHECK(decoded->bytes() == (1 << 20) + 16);
  for (size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    CHECK_FALSE(DecodeManifest(damaged).ok());
    CHECK_FALSE(DecodeManifest(std::string_view(record).substr(0, i)).ok());
  }
  CHECK_FALSE(DecodeManifest(record + "x").ok());
}

TEST_CASE("a piece is read back, and every damage to it is noticed") {
  const std::string record = EncodePiece({SnapshotId(9), {3, 77}, "some bytes of a file"}, 100);
  const auto decoded = DecodePiece(record);
  REQUIRE(decoded.ok());
  CHECK(decoded->id == SnapshotId(9));
  CHECK(decoded->place == SnapshotPlace{3, 77});
  CHECK(decoded->bytes == "some bytes of a file");
  for (size_t i = 0; i < record.size(); ++i) {
    std::string damaged = record;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    CHECK_FALSE(DecodePiece(damaged).ok());
    CHECK_FALSE(DecodePiece(std::string_view(record).substr(0, i)).ok());
  }
  CHECK_FALSE(DecodePiece(EncodeManifest(kManifest)).ok());
  CHECK_FALSE(DecodeManifest(record).ok());
}

TEST_CASE("a record of a newer version is told as such") {
  std::string manifest = EncodeManifest(kManifest);
  manifest[0] = 2;
  CHECK(absl::IsUnimplemented(DecodeManifest(manifest).status()));
  std::string piece = EncodePiece({SnapshotId(9), {0, 0}, "x"});
  piece[0] = 2;
  CHECK(absl::IsUnimplemented(DecodePiece(piece).status()));
}

TEST_CASE("a manifest names no place outside of its directory, and no name twice") {
  const auto with = [](std::vector<std::string> names) {
    SnapshotManifest manifest{SnapshotId(1), "", {}};
    for (std::string& name : names) manifest.files.push_back({std::move(name), 1});
    return manifest;
  };
  CHECK(IsWithinBounds(with({"a", "b"})));
  CHECK(IsWithinBounds(with({std::string(255, 'x')})));
  CHECK_FALSE(IsWithinBounds(with({})));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../a"), std::string("/a"),
        std::string("a\0b", 3), std::string(256, 'x')}) {
    CHECK_FALSE(IsWithinBounds(with({name})));
  }
  CHECK_FALSE(IsWithinBounds(with({"a", "a"})));
  CHECK_FALSE(IsWithinBounds(with({"b", "a"})));
  SnapshotManifest huge = with({"a", "b"});
  huge.files[0].size = UINT64_MAX;
  CHECK_FALSE(IsWithinBounds(huge));
}

TEST_CASE("a place at the end of a file is the beginning of the next that has bytes") {
  const SnapshotManifest manifest{SnapshotId(1), "", {{"a", 3}, {"b", 0}, {"c", 1}, {"d", 0}}};
  CHECK(Settle(manifest, kSnapshotBegin) == SnapshotPlace{0, 0});
  CHECK(Settle(manifest, {0, 3}) == SnapshotPlace{2, 0});
  CHECK(Settle(manifest, {2, 1}) == SnapshotPlace{4, 0});
}

void CheckFiles(SnapshotFiles& files) {
  REQUIRE(files.RemoveAll().ok());
  CHECK(absl::IsNotFound(files.List("x").status()));
  REQUIRE(files.Create("x").ok());
  CHECK(files.List("x")->empty());
  REQUIRE(files.Append("x", "empty", "").ok());
  REQUIRE(files.Append("x", "two", "hello ").ok());
  REQUIRE(files.Append("x", "two", "world").ok());
  REQUIRE(files.Append("x", "three", "!").ok());
  REQUIRE(files.Finish("x").ok());
  CHECK(*files.List("x") == std::vector<SnapshotFile>{{"empty", 0}, {"three", 1}, {"two", 11}});
  CHECK(*files.Read("x", "two", 4, 3) == "o w");
  CHECK(*files.Read("x", "two", 0, 11) == "hello world");
  CHECK(absl::IsDataLoss(files.Read("x", "two", 5, 7).status()));
  CHECK(absl::IsNotFound(files.Read("x", "four", 0, 1).status()));
  REQUIRE(files.Create("x").ok());
  CHECK(files.List("x")->empty());
  REQUIRE(files.Create("y").ok());
  REQUIRE(files.Append("y", "open", "still").ok());
  REQUIRE(files.Remove("y").ok());
  REQUIRE(files.Remove("y").ok());
  REQUIRE(files.RemoveAll().ok());
  CHECK(absl::IsNotFound(files.List("x").status()));
}

TEST_CASE("directories of snapshots keep files, in memory and on disk") {
  MemorySnapshotFiles memory;
  CheckFiles(memory);
  TempDirectory root;
  DirectorySnapshotFiles real(root.path());
  CheckFiles(real);
  DiskWorld world;
  REQUIRE(CreateDirectoryDurably(world.env.get(), "/data/snapshots").ok());
  DirectorySnapshotFiles modelled("/data/snapshots", world.env.get());
  CheckFiles(modelled);
}

// A copy of some tables, as the files of a checkpoint.
std::map<std::string, std::string> CopyOf(const Rows& rows, Rows* all) {
  DiskWorld source(1);
  auto tables = source.OpenTables();
  REQUIRE(tables.ok());
  REQUIRE(CreateDirectoryDurably(source.env.get(), "/data/snapshots").ok());
  DirectorySnapshotFiles out("/data/snapshots", source.env.get());
  REQUIRE(ApplyRows(**tables, 9, rows).ok());
  REQUIRE((*tables)->Checkpoint(out.PathOf("out")).ok());
  std::map<std::string, std::string> copy;
  const auto files = out.List("out");
  REQUIRE(files.ok());
  for (const SnapshotFile& file : *files) {
    copy[file.name] = *out.Read("out", file.name, 0, file.size);
  }
  *all = RowsOf(**tables);
  return copy;
}

// Takes the copy in, piece by piece, and installs it; stops where the disk does.
absl::Status TakeIn(const std::map<std::string, std::string>& copy, DirectorySnapshotFiles& in,
                    RocksTableStore& tables) {
  if (absl::Status s = in.Create("in"); !s.ok()) return s;
  for (const auto& [name, bytes] : copy) {
    for (size_t at = 0; at < bytes.size(); at += 500) {
      absl::Status s = in.Append("in", name, std::string_view(bytes).substr(at, 500));
      if (!s.ok()) return s;
    }
  }
  if (absl::Status s = in.Finish("in"); !s.ok()) return s;
  return tables.InstallFrom(in.PathOf("in"), std::nullopt);
}

TEST_CASE("the power may fail at any change of a transfer and of its install") {
  Rows after;
  const auto copy = CopyOf({{"a", "new"}, {"c", "3"}}, &after);
  bool done = false;
  int old_kept = 0, new_found = 0;
  for (uint64_t change = 1; !done; ++change) {
    INFO("power cut at change " << change);
    DiskWorld world(change);
    REQUIRE(CreateDirectoryDurably(world.env.get(), "/data/snapshots").ok());
    auto in = std::make_unique<DirectorySnapshotFiles>("/data/snapshots", world.env.get());
    auto tables = world.OpenTables();
    REQUIRE(tables.ok());
    REQUIRE(ApplyRows(**tables, 5, {{"a", "old"}, {"b", "2"}}).ok());
    REQUIRE((*tables)->Flush().ok());
    const Rows before = RowsOf(**tables);
    world.disk.CutPowerAfter(change);
    done = TakeIn(copy, *in, **tables).ok();
    tables->reset();
    in.reset();
    world.disk.Reboot(Tail::kAny);
    in = std::make_unique<DirectorySnapshotFiles>("/data/snapshots", world.env.get());
    tables = world.OpenTables();
    REQUIRE(tables.ok());
    const Rows found = RowsOf(**tables);
    REQUIRE((found == before || found == after));
    if (done) REQUIRE(found == after);
    ++(found == after ? new_found : old_kept);
    // Whatever is left of it, the next one goes through.
    REQUIRE(in->RemoveAll().ok());
    REQUIRE(TakeIn(copy, *in, **tables).ok());
    REQUIRE(RowsOf(**tables) == after);
  }
  REQUIRE(old_kept > 20);
  REQUIRE(new_found > 1);
}

TEST_CASE(
    "tables in memory are copied through directories in memory, and a damaged copy is refused") {
  MemorySnapshotFiles files;
  MemoryTableStore from(&files), to(&files);
  REQUIRE(ApplyRows(from, 7, {{"a", "1"}, {"b", std::string(300, 'x')}}).ok());
  REQUIRE(ApplyRows(to, 3, {{"z", "9"}}).ok());
  REQUIRE(from.Checkpoint("copy").ok());
  REQUIRE(to.InstallFrom("copy", std::nullopt).ok());
  CHECK(RowsOf(to) == RowsOf(from));
  CHECK(*to.FlushedIndex() == LogIndex(7));
  CHECK(files.directories() == 0);
  REQUIRE(from.Checkpoint("copy").ok());
  REQUIRE(files.Append("copy", "rows", "more").ok());
  CHECK(absl::IsInvalidArgument(to.InstallFrom("copy", std::nullopt)));
  CHECK(absl::IsInvalidArgument(to.InstallFrom("none", std::nullopt)));
  CHECK(RowsOf(to) == RowsOf(from));
}

}  // namespace
}  // namespace scheduled
