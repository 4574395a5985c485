// What every TableStore must do, held against both of them, and the batch over either.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/assert.h"
#include "base/random.h"
#include "storage/applied_row.h"
#include "storage/durable_file.h"
#include "storage/memory_table_store.h"
#include "storage/table_batch.h"
#include "storage/world.h"

namespace scheduled {
namespace {

// A store of the kind that the section is about, and room beside it for copies.
struct TableWorld {
  explicit TableWorld(bool on_disk) {
    if (on_disk) {
      absl::StatusOr<std::unique_ptr<RocksTableStore>> opened =
          RocksTableStore::Open(directory.path() + "/tables", resources);
      REQUIRE(opened.ok());
      store = *std::move(opened);
    } else {
      store = std::make_unique<MemoryTableStore>();
    }
  }

  void Apply(uint64_t index, const Rows& rows) { REQUIRE(ApplyRows(*store, index, rows).ok()); }
  std::optional<std::string> Get(std::string_view key) const {
    absl::StatusOr<std::optional<std::string>> value = store->Get(key);
    REQUIRE(value.ok());
    return *value;
  }
  std::vector<std::string> Keys(std::string_view from, std::string_view to, size_t limit) const {
    absl::StatusOr<std::vector<TableRow>> rows = store->Scan(from, to, limit);
    REQUIRE(rows.ok());
    std::vector<std::string> keys;
    for (const TableRow& row : *rows) keys.push_back(row.key);
    return keys;
  }

  TempDirectory directory;
  RocksResources resources;
  std::unique_ptr<TableStore> store;
};

using Found = std::optional<std::string>;
using KeyList = std::vector<std::string>;

TEST_CASE("rows that were applied are found, deleted ones are not") {
  TableWorld world(GENERATE(false, true));
  REQUIRE(world.Get("a") == std::nullopt);
  world.Apply(1, {{"a", "1"}, {"b", "2"}});
  world.Apply(2, {{"a", ""}, {"c", std::string(100'000, 'c')}});
  REQUIRE(world.Get("a") == std::nullopt);
  REQUIRE(world.Get("b") == Found("2"));
  REQUIRE(world.Get("c") == Found(std::string(100'000, 'c')));
}

TEST_CASE("a value may be empty, which is not the same as none") {
  TableWorld world(GENERATE(false, true));
  TableBatch batch(*world.store);
  batch.Put("tag", "");
  PutApplied(batch, {LogIndex(1), Term(1)});
  REQUIRE(world.store->Apply(batch).ok());
  REQUIRE(world.Get("tag") == Found(""));
}

// A failed assertion, as a test sees it.
struct AssertionFailed {};

TEST_CASE("a batch says how far it goes, and none goes back") {
  TableWorld world(GENERATE(false, true));
  world.Apply(5, {{"a", "1"}});
  SetAssertHandler(
      [](const char*, const char*, int, std::string_view) { throw AssertionFailed(); });
  TableBatch silent(*world.store);
  silent.Put("a", "2");
  CHECK_THROWS_AS(world.store->Apply(silent), AssertionFailed);
  TableBatch damaged(*world.store);
  damaged.Put(kAppliedRowKey, "six");
  CHECK_THROWS_AS(world.store->Apply(damaged), AssertionFailed);
  CHECK_THROWS_AS(ApplyRows(*world.store, 4, {{"a", "2"}}), AssertionFailed);
  SetAssertHandler(nullptr);
  REQUIRE(world.Get("a") == Found("1"));
  world.Apply(5, {{"a", "2"}});
  REQUIRE(world.Get("a") == Found("2"));
}

TEST_CASE("a scan gives keys in the order of bytes, within its range and limit") {
  TableWorld world(GENERATE(false, true));
  const std::string high = "a\xff";
  const std::string zero("a\0", 2);
  world.Apply(1, {{"a", "1"}, {zero, "1"}, {high, "1"}, {"b", "1"}, {"B", "1"}});
  REQUIRE(world.Keys("a", "b", 10) == KeyList{"a", zero, high});
  REQUIRE(world.Keys("a", "b", 2) == KeyList{"a", zero});
  REQUIRE(world.Keys(zero, "", 10) == KeyList{zero, high, "b"});
  REQUIRE(world.Keys("b", "a", 10).empty());
  REQUIRE(world.Keys("a", "a", 10).empty());
  REQUIRE(world.Keys("", "", 0).empty());
  REQUIRE(world.Keys("", "", 10) ==
          KeyList{"B", std::string(kAppliedRowKey), "a", zero, high, "b"});
}

TEST_CASE("a batch reads its own writes first, then what is committed") {
  TableWorld world(GENERATE(false, true));
  world.Apply(1, {{"a", "old"}, {"b", "old"}});
  TableBatch batch(*world.store);
  REQUIRE(*batch.Get("a") == Found("old"));
  batch.Put("a", "new");
  batch.Delete("b");
  batch.Put("c", "once");
  batch.Put("c", "twice");
  REQUIRE(*batch.Get("a") == Found("new"));
  REQUIRE(*batch.Get("b") == std::nullopt);
  REQUIRE(*batch.Get("c") == Found("twice"));
  REQUIRE(*batch.Get("d") == std::nullopt);
  REQUIRE(world.Get("a") == Found("old"));  // not yet committed
  batch.Put("b", "again");
  batch.Delete("c");
  PutApplied(batch, {LogIndex(2), Term(1)});
  REQUIRE(batch.ops().size() == 7);
  REQUIRE(world.store->Apply(batch).ok());
  REQUIRE(world.Get("a") == Found("new"));
  REQUIRE(world.Get("b") == Found("again"));
  REQUIRE(world.Get("c") == std::nullopt);
}

TEST_CASE("a batch is as good as new once it is cleared") {
  TableWorld world(false);
  TableBatch batch(*world.store);
  for (int round = 0; round < 3; ++round) {
    // Small pieces, pieces that end a block, and pieces larger than any block.
    Rows expected;
    for (int i = 0; i < 300; ++i) {
      const std::string key = "k" + std::to_string(round) + "." + std::to_string(i);
      const size_t size = i % 50 == 0 ? 200'000 : static_cast<size_t>(i) * 7;
      expected[key] = std::string(size, static_cast<char>('a' + i % 26));
      batch.Put(key, expected[key]);
    }
    for (const auto& [key, value] : expected) REQUIRE(*batch.Get(key) == Found(value));
    REQUIRE(batch.bytes() > 6 * 200'000);
    PutApplied(batch, {LogIndex(static_cast<uint64_t>(round) + 1), Term(1)});
    REQUIRE(world.store->Apply(batch).ok());
    batch.Clear();
    REQUIRE(batch.empty());
    REQUIRE(batch.bytes() == 0);
    for (const auto& [key, value] : expected) REQUIRE(world.Get(key) == Found(value));
  }
}

TEST_CASE("random batches leave what a map would hold") {
  TableWorld world(GENERATE(false, true));
  Random random(7);
  Rows model;
  TableBatch batch(*world.store);
  for (uint64_t index = 1; index <= 200; ++index) {
    for (uint64_t i = random.Uniform(20); i > 0; --i) {
      const std::string key = "k" + std::to_string(random.Uniform(100));
      const auto in_model = model.find(key);
      REQUIRE(*batch.Get(key) ==
              (in_model == model.end() ? std::nullopt : Found(in_model->second)));
      if (random.Chance(1, 3)) {
        batch.Delete(key);
        model.erase(key);
      } else {
        model[key] = std::to_string(random.Next());
        batch.Put(key, model[key]);
      }
    }
    PutApplied(batch, {LogIndex(index), Term(1)});
    model[std::string(kAppliedRowKey)] = AppliedRowOf(index);
    REQUIRE(world.store->Apply(batch).ok());
    batch.Clear();
    if (random.Chance(1, 20)) REQUIRE(world.store->Flush().ok());
  }
  REQUIRE(RowsOf(*world.store) == model);
}

TEST_CASE("what is flushed is what a flush found applied") {
  TableWorld world(GENERATE(false, true));
  REQUIRE(*world.store->FlushedIndex() == LogIndex(0));
  world.Apply(7, {{"a", "1"}});
  REQUIRE(*world.store->FlushedIndex() == LogIndex(0));
  REQUIRE(world.store->Flush().ok());
  world.Apply(9, {{"a", "2"}});
  REQUIRE(*world.store->FlushedIndex() == LogIndex(7));
  REQUIRE(ReadApplied(*world.store)->index == LogIndex(9));
  REQUIRE(world.store->Flush().ok());
  REQUIRE(*world.store->FlushedIndex() == LogIndex(9));
  REQUIRE(world.store->Flush().ok());  // nothing to do
}

TEST_CASE("a copy has what was applied before it, and installs over anything") {
  const bool on_disk = GENERATE(false, true);
  TableWorld source(on_disk);
  source.Apply(5, {{"a", "1"}, {"b", "1"}});
  const std::string copy = source.directory.path() + "/copy";
  REQUIRE(source.store->Checkpoint(copy).ok());
  const Rows expected = RowsOf(*source.store);
  source.Apply(6, {{"a", "later"}});

  TableWorld target(on_disk);
  target.Apply(2, {{"x", "gone"}});
  const std::string arrived = target.directory.path() + "/arrived";
  std::filesystem::copy(copy, arrived);
  REQUIRE(target.store->InstallFrom(arrived, std::nullopt).ok());
  REQUIRE_FALSE(std::filesystem::exists(arrived));
  REQUIRE(RowsOf(*target.store) == expected);
  REQUIRE(*target.store->FlushedIndex() == LogIndex(5));
  target.Apply(6, {{"c", "1"}});
  REQUIRE(target.Get("c") == Found("1"));
  REQUIRE(source.Get("a") == Found("later"));
}

TEST_CASE("a copy that is not intact is refused, and the tables stay") {
  const bool on_disk = GENERATE(false, true);
  TableWorld world(on_disk);
  world.Apply(5, {{"a", "1"}});
  const std::string copy = world.directory.path() + "/copy";
  const auto damage = [&](std::string_view how) {
    REQUIRE(world.store->Checkpoint(copy).ok());
    for (const auto& file : std::filesystem::directory_iterator(copy)) {
      const std::string name = file.path().filename();
      const bool table = name == "rows" || name.ends_with(".sst");
      if (how == "missing" && table) std::filesystem::remove(file.path());
      if (how == "short" && table) {
        // A copy of its own: the file is linked with the one in use.
        const std::string other = copy + ".tmp";
        std::filesystem::copy_file(file.path(), other);
        std::filesystem::resize_file(other, std::filesystem::file_size(other) - 10);
        std::filesystem::rename(other, file.path());
      }
      if (how == "empty") std::filesystem::remove(file.path());
    }
  };
  for (std::string_view how : {"missing", "short", "empty"}) {
    INFO(how);
    damage(how);
    REQUIRE(absl::IsInvalidArgument(world.store->InstallFrom(copy, std::nullopt)));
    std::filesystem::remove_all(copy);
    REQUIRE(world.Get("a") == Found("1"));
  }
  REQUIRE(
      absl::IsInvalidArgument(world.store->InstallFrom(copy, std::nullopt)));  // not there at all
  world.Apply(6, {{"b", "1"}});
  REQUIRE(world.store->Checkpoint(copy).ok());
  REQUIRE(world.store->InstallFrom(copy, std::nullopt).ok());
  REQUIRE(world.Get("b") == Found("1"));
}

TEST_CASE("a copy of another position than it should be is refused, and the tables stay") {
  const bool on_disk = GENERATE(false, true);
  TableWorld world(on_disk);
  world.Apply(5, {{"a", "1"}});
  const absl::StatusOr<LogPosition> at = ReadApplied(*world.store);
  REQUIRE(at.ok());
  const std::string copy = world.directory.path() + "/copy";
  for (const LogPosition& wrong : {LogPosition{at->index.Next(), at->term},
                                   LogPosition{at->index, at->term.Next()}, LogPosition{}}) {
    REQUIRE(world.store->Checkpoint(copy).ok());
    REQUIRE(absl::IsInvalidArgument(world.store->InstallFrom(copy, wrong)));
    std::filesystem::remove_all(copy);
    REQUIRE(world.Get("a") == Found("1"));
  }
  world.Apply(6, {{"a", "2"}});
  REQUIRE(world.store->Checkpoint(copy).ok());
  REQUIRE(world.store->InstallFrom(copy, LogPosition{LogIndex(6), at->term}).ok());
  REQUIRE(world.Get("a") == Found("2"));
}

TEST_CASE("readers on other threads see each batch whole, through installs too") {
  TableWorld world(GENERATE(false, true));
  world.Apply(1, {{"a", "1"}, {"b", "1"}, {"c", "1"}});
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> wrong = 0;
  std::atomic<uint64_t> reads = 0;
  const auto read = [&] {
    while (!stop) {
      absl::StatusOr<std::vector<TableRow>> rows = world.store->Scan("a", "d", 10);
      if (!rows.ok() || rows->size() != 3 || (*rows)[0].value != (*rows)[1].value ||
          (*rows)[1].value != (*rows)[2].value) {
        ++wrong;
      }
      if (!world.store->Get("b").ok()) ++wrong;
      ++reads;
    }
  };
  // So many that there is always one: an install gets its turn all the same.
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) readers.emplace_back(read);
  const std::string copy = world.directory.path() + "/copy";
  uint64_t index = 2;
  for (; index < 200 || (reads < 20 && index < 20'000); ++index) {
    const std::string value = std::to_string(index);
    world.Apply(index, {{"a", value}, {"b", value}, {"c", value}});
    if (index % 50 == 0) {
      REQUIRE(world.store->Checkpoint(copy).ok());
      REQUIRE(world.store->InstallFrom(copy, std::nullopt).ok());
    }
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  REQUIRE(wrong == 0);
  REQUIRE(reads > 0);
}

// ---- on disk alone ----

// Tables on the faulty disk, with the rows of index 1.
struct TablesOnDisk : DiskWorld {
  explicit TablesOnDisk(Buffers buffers = Buffers::kLarge) : DiskWorld(1, buffers) {
    Reopen();
    REQUIRE(ApplyRows(*store, 1, {{"a", "1"}}).ok());
  }
  void Reopen() {
    store.reset();
    absl::StatusOr<std::unique_ptr<RocksTableStore>> opened = OpenTables();
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    store = *std::move(opened);
  }
  std::vector<std::string> Generations() const {
    std::vector<std::string> found;
    for (const std::string& path : disk.FilesEndingWith("/data/tables", "")) {
      if (path.find("/g") != std::string::npos) found.push_back(path);
    }
    return found;
  }
  std::unique_ptr<RocksTableStore> store;
};

TEST_CASE("what was not flushed is lost whole, and what was is kept") {
  TablesOnDisk tables;
  REQUIRE(tables.store->Flush().ok());
  REQUIRE(ApplyRows(*tables.store, 2, {{"a", "2"}, {"b", "2"}}).ok());
  tables.Reopen();
  REQUIRE(RowsOf(*tables.store) ==
          Rows{{"a", "1"}, {std::string(kAppliedRowKey), AppliedRowOf(1)}});
}

TEST_CASE("an install replaces the generation on disk, and removes the old one") {
  TablesOnDisk tables;
  REQUIRE(tables.store->Checkpoint("/data/copy").ok());
  REQUIRE(tables.Generations() == std::vector<std::string>{"/data/tables/g1"});
  REQUIRE(tables.store->InstallFrom("/data/copy", std::nullopt).ok());
  REQUIRE(tables.Generations() == std::vector<std::string>{"/data/tables/g2"});
  tables.Reopen();
  REQUIRE(*tables.store->Get("a") == Found("1"));
}

TEST_CASE("the power may fail at any change of an install") {
  bool done = false;
  int old_kept = 0, new_found = 0;
  for (uint64_t change = 1; !done; ++change) {
    TablesOnDisk tables;
    REQUIRE(tables.store->Checkpoint("/data/copy").ok());
    REQUIRE(ApplyRows(*tables.store, 2, {{"a", "2"}}).ok());
    REQUIRE(tables.store->Flush().ok());
    tables.disk.CutPowerAfter(change);
    done = tables.store->InstallFrom("/data/copy", std::nullopt).ok();
    tables.store.reset();
    tables.disk.Reboot(Tail::kAny);
    tables.Reopen();
    const Found value = *tables.store->Get("a");
    REQUIRE((value == Found("1") || value == Found("2")));
    if (done) REQUIRE(value == Found("1"));
    ++(value == Found("1") ? new_found : old_kept);
    REQUIRE(tables.Generations().size() == 1);
  }
  REQUIRE(old_kept > 5);
  REQUIRE(new_found > 1);
}

TEST_CASE("an install makes durable what nobody had synced before") {
  TablesOnDisk tables;
  REQUIRE(tables.store->Checkpoint("/data/copy").ok());
  // As a transfer leaves it that has written all and synced nothing.
  rocksdb::Env* env = tables.env.get();
  REQUIRE(env->CreateDir("/data/arrived").ok());
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(env, "/data/copy");
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    std::unique_ptr<rocksdb::WritableFile> file;
    REQUIRE(env->NewWritableFile("/data/arrived/" + name, &file, {}).ok());
    REQUIRE(file->Append(*ReadWholeFile(env, "/data/copy/" + name)).ok());
  }
  REQUIRE(ApplyRows(*tables.store, 2, {{"a", "2"}}).ok());
  REQUIRE(tables.store->InstallFrom("/data/arrived", std::nullopt).ok());
  tables.disk.CutPowerAfter(0);
  tables.store.reset();
  tables.disk.Reboot(Tail::kDropped);
  tables.Reopen();
  REQUIRE(*tables.store->Get("a") == Found("1"));
}

TEST_CASE("tables that are missing or damaged are an error") {
  TablesOnDisk tables;
  REQUIRE(tables.store->Flush().ok());
  tables.store.reset();
  const std::string sst = tables.disk.FilesEndingWith("/data/tables/g1", ".sst").front();

  SECTION("a damaged table file") {
    tables.disk.FlipBit(sst, 10);
    absl::StatusOr<std::unique_ptr<RocksTableStore>> opened = tables.OpenTables();
    absl::Status status = opened.status();
    if (status.ok()) status = (*opened)->Get("a").status();
    REQUIRE(absl::IsDataLoss(status));
    if (opened.ok()) REQUIRE(absl::IsDataLoss((*opened)->Flush()));
  }
  SECTION("a missing table file") {
    REQUIRE(tables.env->DeleteFile(sst).ok());
    REQUIRE_FALSE(tables.OpenTables().ok());
  }
  SECTION("a damaged manifest") {
    const std::string current = *ReadWholeFile(tables.env.get(), "/data/tables/g1/CURRENT");
    tables.disk.FlipBit("/data/tables/g1/" + current.substr(0, current.size() - 1), 30);
    REQUIRE(absl::IsDataLoss(tables.OpenTables().status()));
  }
  SECTION("a damaged GENERATION") {
    tables.disk.FlipBit("/data/tables/GENERATION", 20);
    REQUIRE(absl::IsDataLoss(tables.OpenTables().status()));
  }
}

TEST_CASE("a failed flush ends the tables for ever, and what was flushed is safe") {
  TablesOnDisk tables;
  REQUIRE(tables.store->Flush().ok());
  REQUIRE(ApplyRows(*tables.store, 2, {{"a", "2"}}).ok());
  const bool full = GENERATE(false, true);
  if (full) {
    tables.disk.SetCapacity(1);
  } else {
    tables.disk.FailNextSync(".sst");
  }
  const absl::StatusCode code =
      full ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kUnavailable;
  REQUIRE(tables.store->Flush().code() == code);
  REQUIRE(ApplyRows(*tables.store, 3, {{"a", "3"}}).code() == code);
  REQUIRE(tables.store->Get("a").status().code() == code);
  REQUIRE(tables.store->Scan("", "", 1).status().code() == code);
  REQUIRE(tables.store->FlushedIndex().status().code() == code);
  REQUIRE(tables.store->Checkpoint("/data/copy").code() == code);
  REQUIRE(tables.store->InstallFrom("/data/copy", std::nullopt).code() == code);
  tables.disk.SetCapacity(100'000'000);
  tables.Reopen();
  REQUIRE(*tables.store->Get("a") == Found("1"));
}

TEST_CASE("consumed rows are compacted away without being asked") {
  TablesOnDisk tables;
  Rows rows;
  for (int i = 0; i < 5'000; ++i) rows["s" + std::to_string(i)] = "x";
  REQUIRE(ApplyRows(*tables.store, 2, rows).ok());
  REQUIRE(tables.store->Flush().ok());
  for (auto& [key, value] : rows) value.clear();
  REQUIRE(ApplyRows(*tables.store, 3, rows).ok());
  REQUIRE(tables.store->Flush().ok());
  REQUIRE(tables.store->Scan("s", "t", 1)->empty());
  REQUIRE(*tables.store->Get("a") == Found("1"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (tables.store->figures().disk_bytes > 4'096) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::yield();
  }
  REQUIRE(*tables.store->Get("a") == Found("1"));
}

}  // namespace
}  // namespace scheduled
