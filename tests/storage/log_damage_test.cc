// What happens to a log on disk: lost files, flipped bits, cut ends, failing and full disks. What
// can be told from a crash is an error that stops the node; what is only a crash is not.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "storage/durable_file.h"
#include "storage/torn_tail.h"
#include "storage/world.h"

namespace scheduled {
namespace {

// A log of entries 1..50, written in ten writes, closed as by a crash.
struct WrittenLog : DiskWorld {
  explicit WrittenLog(Buffers buffers = Buffers::kLarge) : DiskWorld(1, buffers) {
    OpenStore();
    for (uint64_t first = 1; first <= 50; first += 5) {
      const LogWrite write = Append(Entries(first, first + 4, 1));
      REQUIRE(store->Write({&write, 1}).ok());
    }
  }

  void OpenStore(const RocksLogOptions& options = {}) {
    absl::StatusOr<std::unique_ptr<RocksLogStore>> opened = OpenLog(options);
    REQUIRE(opened.ok());
    store = *std::move(opened);
    REQUIRE(store->Load(kGroup).ok());
  }
  void Close() { store.reset(); }
  // The status of opening and loading everything; OK is followed by what was found.
  absl::StatusOr<LogContents> Reopen(const RocksLogOptions& options = {}) {
    Close();
    absl::StatusOr<std::unique_ptr<RocksLogStore>> opened = OpenLog(options);
    if (!opened.ok()) return opened.status();
    store = *std::move(opened);
    return ContentsOf(*store);
  }
  void DeleteFile(const std::string& path) { REQUIRE(env->DeleteFile(path).ok()); }

  std::unique_ptr<RocksLogStore> store;
};

TEST_CASE("a log is whole after a crash without a power cut") {
  WrittenLog log;
  const absl::StatusOr<LogContents> contents = log.Reopen();
  REQUIRE(contents.ok());
  REQUIRE(contents->state.last == LogIndex(50));
}

TEST_CASE("a write-ahead log that ends within its last batch loses that batch alone") {
  WrittenLog log;
  log.Close();
  const std::string wal = log.LogFile(".log");
  log.disk.CutFile(wal, log.disk.SizeOf(wal) - 3);
  const absl::StatusOr<LogContents> contents = log.Reopen();
  REQUIRE(contents.ok());
  REQUIRE(contents->state.last == LogIndex(45));
}

// On the real file system too, whose environment has no Truncate of its own.
TEST_CASE("a torn end of a write-ahead log is cut off on the system's file system") {
  const TempDirectory directory;
  const std::string dir = directory.path() + "/raft";
  RocksResources resources;
  {
    auto opened = RocksLogStore::Open(dir, resources);
    REQUIRE(opened.ok());
    REQUIRE((*opened)->Load(kGroup).ok());
    const LogWrite write = Append(Entries(1, 5, 1));
    REQUIRE((*opened)->Write({&write, 1}).ok());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir)) {
    if (file.path().extension() != ".log") continue;
    std::ofstream(file.path(), std::ios::app | std::ios::binary) << "\x01\x02\x03 half a record";
  }
  auto opened = RocksLogStore::Open(dir, resources);
  INFO(opened.status().ToString());
  REQUIRE(opened.ok());
  REQUIRE(ContentsOf(**opened)->state.last == LogIndex(5));
}

TEST_CASE("a flipped bit in the middle of a write-ahead log is an error") {
  WrittenLog log;
  log.Close();
  const std::string wal = log.LogFile(".log");
  const size_t size = log.disk.SizeOf(wal);
  for (size_t tenth = 1; tenth <= 8; ++tenth) {
    INFO("at " << tenth << " tenths");
    log.disk.FlipBit(wal, size * tenth / 10);
    const absl::StatusOr<LogContents> contents = log.Reopen();
    REQUIRE(absl::IsDataLoss(contents.status()));
    log.disk.FlipBit(wal, size * tenth / 10);
  }
  REQUIRE(log.Reopen().ok());
}

TEST_CASE("a missing write-ahead log is an error, at every later start too") {
  WrittenLog log;
  log.Close();
  log.DeleteFile(log.LogFile(".log"));
  for (int start = 0; start < 2; ++start) {
    const absl::StatusOr<LogContents> contents = log.Reopen();
    REQUIRE(absl::IsDataLoss(contents.status()));
    REQUIRE_THAT(std::string(contents.status().message()),
                 Catch::Contains("write-ahead log is missing"));
  }
}

TEST_CASE("a log that ends before what a clean stop recorded is an error") {
  WrittenLog log;
  REQUIRE(log.Reopen().ok());  // so that the entries are in a table file
  const LogWrite write = Append(Entries(51, 60, 2));
  REQUIRE(log.store->Write({&write, 1}).ok());
  // The state of the disk before the stop, with the mark of the stop.
  const std::string wal = log.LogFile(".log");
  const std::string mark_before = *ReadWholeFile(log.env.get(), "/data/raft/MARK");
  log.Close();
  REQUIRE(log.Reopen().ok());
  REQUIRE(log.store->MarkCleanStop().ok());
  const std::string mark = *ReadWholeFile(log.env.get(), "/data/raft/MARK");
  REQUIRE(mark != mark_before);
  log.Close();

  WrittenLog other;
  REQUIRE(other.Reopen().ok());
  other.Close();
  // As if the disk had gone back to before the last entries, but for the mark and the name of the
  // write-ahead log.
  FileRecord record = *FileRecord::Decode("scheduled log mark", mark);
  const FileRecord own =
      *FileRecord::Decode("scheduled log mark", *ReadWholeFile(other.env.get(), "/data/raft/MARK"));
  for (auto& [name, value] : record.fields) {
    if (name == "wal") value = *own.Get("wal");
  }
  REQUIRE(WriteFileDurably(other.env.get(), "/data/raft/MARK", record.Encode()).ok());
  const absl::StatusOr<LogContents> contents = other.Reopen();
  REQUIRE(absl::IsDataLoss(contents.status()));
  REQUIRE_THAT(std::string(contents.status().message()), Catch::Contains("ends before"));
}

TEST_CASE("a clean stop leaves nothing to lose in the write-ahead log") {
  WrittenLog log;
  REQUIRE(log.store->MarkCleanStop().ok());
  log.Close();
  const std::string wal = log.LogFile(".log");
  log.disk.CutFile(wal, 0);
  const absl::StatusOr<LogContents> contents = log.Reopen();
  REQUIRE(contents.ok());
  REQUIRE(contents->state.last == LogIndex(50));
}

TEST_CASE("a damaged table file of the log is an error when it is read") {
  WrittenLog log;
  REQUIRE(log.store->MarkCleanStop().ok());
  log.Close();
  const std::string sst = log.LogFile(".sst");
  log.disk.FlipBit(sst, 200);
  REQUIRE(absl::IsDataLoss(log.Reopen().status()));
  // It stays one: the store answers nothing more.
  if (log.store != nullptr) REQUIRE(absl::IsDataLoss(log.store->Load(kGroup).status()));
}

TEST_CASE("a missing table file of the log is an error") {
  WrittenLog log;
  REQUIRE(log.store->MarkCleanStop().ok());
  log.Close();
  log.DeleteFile(log.LogFile(".sst"));
  REQUIRE_FALSE(log.Reopen().ok());
}

TEST_CASE("a damaged manifest of the log is an error that names the directory") {
  WrittenLog log;
  log.Close();
  const std::string current = *ReadWholeFile(log.env.get(), "/data/raft/CURRENT");
  const std::string manifest = "/data/raft/" + current.substr(0, current.size() - 1);
  const size_t size = log.disk.SizeOf(manifest);
  for (size_t quarter = 0; quarter <= 2; ++quarter) {
    INFO("at " << quarter << " quarters");
    const size_t offset = std::max<size_t>(size * quarter / 4, 10);
    log.disk.FlipBit(manifest, offset);
    const absl::Status status = log.Reopen().status();
    REQUIRE(absl::IsDataLoss(status));
    REQUIRE_THAT(std::string(status.message()), Catch::Contains("/data/raft"));
    log.disk.FlipBit(manifest, offset);
  }
  REQUIRE(log.Reopen().ok());
}

// A log whose table files cannot be written, until it stops: what is acknowledged stands in
// write-ahead logs, of which all but the last are closed.
struct LogWithClosedWal : WrittenLog {
  LogWithClosedWal() : WrittenLog(Buffers::kSmall) {
    disk.FailAppends(".sst");
    absl::Status status;
    for (; status.ok(); ++next) {
      const LogWrite write = Append({Entry(next, 1, std::string(10'000, 'x'))});
      status = store->Write({&write, 1});
    }
    disk.FailAppends(std::nullopt);
    Close();
    const std::vector<std::string> wals = disk.FilesEndingWith("/data/raft", ".log");
    REQUIRE(wals.size() >= 2);
    closed = wals.front();
  }
  // The message of the refusal.
  std::string Refusal() {
    const absl::Status status = Reopen().status();
    INFO(status.ToString());
    REQUIRE(absl::IsDataLoss(status));
    return std::string(status.message());
  }

  uint64_t next = 51;
  std::string closed;
};

TEST_CASE("a damaged write-ahead log that is closed is an error that names the directory") {
  LogWithClosedWal log;
  const size_t size = log.disk.SizeOf(log.closed);
  SECTION("a flipped bit, anywhere") {
    for (size_t tenth = 1; tenth <= 9; ++tenth) {
      INFO("at " << tenth << " tenths");
      log.disk.FlipBit(log.closed, size * tenth / 10);
      CHECK_THAT(log.Refusal(), Catch::Contains("/data/raft"));
      log.disk.FlipBit(log.closed, size * tenth / 10);
    }
    const absl::StatusOr<LogContents> contents = log.Reopen();
    REQUIRE(contents.ok());
    CHECK(contents->state.last >= LogIndex(log.next - 2));
  }
  SECTION("its end is cut off") {
    log.disk.CutFile(log.closed, size - 3);
    CHECK_THAT(log.Refusal(), Catch::Contains("/data/raft"));
  }
  SECTION("whole batches are cut off its end") {
    const std::string half = ReadWholeFile(log.env.get(), log.closed)->substr(0, size / 2);
    log.disk.CutFile(log.closed, FindLogTail(half).whole_bytes);
    CHECK_THAT(log.Refusal(), Catch::Contains("/data/raft"));
  }
  SECTION("it is missing") {
    log.DeleteFile(log.closed);
    CHECK_THAT(log.Refusal(), Catch::Contains("/data/raft"));
  }
}

TEST_CASE("a damaged or missing mark is an error") {
  WrittenLog log;
  log.Close();
  log.disk.FlipBit("/data/raft/MARK", 25);
  REQUIRE(absl::IsDataLoss(log.Reopen().status()));
  log.disk.FlipBit("/data/raft/MARK", 25);
  REQUIRE(log.Reopen().ok());
  log.Close();
  log.DeleteFile("/data/raft/MARK");
  REQUIRE(absl::IsDataLoss(log.Reopen().status()));
}

TEST_CASE("a member's log is never created anew") {
  WrittenLog log;
  REQUIRE(log.Reopen({.must_exist = true}).ok());
  DiskWorld empty;
  const absl::Status status = empty.OpenLog({.must_exist = true}).status();
  REQUIRE(absl::IsDataLoss(status));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("the log is missing"));
}

TEST_CASE("a failed sync ends the store for ever, and every method says so") {
  WrittenLog log;
  log.disk.FailNextSync(".log");
  LogWrite write = Append(Entries(51, 52, 1));
  REQUIRE(absl::IsUnavailable(log.store->Write({&write, 1})));
  write = Append(Entries(53, 54, 1));
  REQUIRE(absl::IsUnavailable(log.store->Write({&write, 1})));
  REQUIRE(absl::IsUnavailable(log.store->CutBefore(kGroup, LogIndex(3))));
  REQUIRE(absl::IsUnavailable(log.store->MarkCleanStop()));
  REQUIRE(absl::IsUnavailable(log.store->Load(kGroup).status()));
  REQUIRE(
      absl::IsUnavailable(log.store->Read(kGroup, LogIndex(1), LogIndex(2), SIZE_MAX).status()));
}

TEST_CASE("a failed append ends the store for ever") {
  WrittenLog log;
  log.disk.FailAppends(".log");
  const LogWrite write = Append(Entries(51, 52, 1));
  REQUIRE(absl::IsUnavailable(log.store->Write({&write, 1})));
  log.disk.FailAppends(std::nullopt);
  REQUIRE(absl::IsUnavailable(log.store->CutBefore(kGroup, LogIndex(3))));
}

TEST_CASE("a failed flush in the background ends the store") {
  WrittenLog log(DiskWorld::Buffers::kSmall);
  log.disk.FailAppends(".sst");
  absl::Status status;
  uint64_t next = 51;
  // The buffers are small: a flush begins after a few of these.
  for (int i = 0; i < 10'000 && status.ok(); ++i, ++next) {
    const LogWrite write = Append({Entry(next, 1, std::string(10'000, 'x'))});
    status = log.store->Write({&write, 1});
  }
  REQUIRE(absl::IsUnavailable(status));
  // All that was acknowledged is in the write-ahead log.
  log.disk.FailAppends(std::nullopt);
  const absl::StatusOr<LogContents> contents = log.Reopen();
  REQUIRE(contents.ok());
  REQUIRE(contents->state.last >= LogIndex(next - 2));
}

TEST_CASE("a full disk is told as such, and loses nothing") {
  WrittenLog log;
  log.disk.SetCapacity(100'000);
  absl::Status status;
  uint64_t next = 51;
  for (; status.ok(); ++next) {
    const LogWrite write = Append({Entry(next, 1, std::string(5'000, 'x'))});
    status = log.store->Write({&write, 1});
  }
  REQUIRE(absl::IsResourceExhausted(status));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("disk is full"));
  log.disk.SetCapacity(100'000'000);
  const absl::StatusOr<LogContents> contents = log.Reopen();
  REQUIRE(contents.ok());
  // The write that failed may have left nothing: it was torn.
  REQUIRE(contents->state.last == LogIndex(next - 2));
}

TEST_CASE("a batch whose pages are empty is torn if it is the last, and damage if it is not") {
  WrittenLog log;
  log.Close();
  const std::string wal = *ReadWholeFile(log.env.get(), log.LogFile(".log"));
  REQUIRE(FindLogTail(wal).kind == LogTail::Kind::kWhole);
  REQUIRE(FindLogTail(wal).whole_bytes == wal.size());
  REQUIRE(FindLogTail("").kind == LogTail::Kind::kWhole);

  std::string torn = wal;
  std::fill(torn.end() - 40, torn.end(), '\0');
  const LogTail tail = FindLogTail(torn);
  REQUIRE(tail.kind == LogTail::Kind::kTorn);
  REQUIRE(tail.whole_bytes < wal.size() - 40);
  REQUIRE(FindLogTail(torn.substr(0, tail.whole_bytes)).kind == LogTail::Kind::kWhole);

  std::string damaged = wal;
  std::fill(damaged.begin() + 200, damaged.begin() + 240, '\0');
  REQUIRE(FindLogTail(damaged).kind == LogTail::Kind::kDamaged);
}

TEST_CASE("batches larger than a block are torn or whole as one") {
  DiskWorld world;
  absl::StatusOr<std::unique_ptr<RocksLogStore>> store = world.OpenLog();
  REQUIRE(store.ok());
  REQUIRE((*store)->Load(kGroup).ok());
  for (uint64_t index = 1; index <= 2; ++index) {
    const LogWrite write = Append({Entry(index, 1, std::string(100'000, 'x'))});
    REQUIRE((*store)->Write({&write, 1}).ok());
  }
  store->reset();
  const std::string wal = *ReadWholeFile(world.env.get(), world.LogFile(".log"));
  REQUIRE(FindLogTail(wal).kind == LogTail::Kind::kWhole);
  std::string hole = wal;  // a page in the middle of the second batch, whole parts behind it
  std::fill(hole.begin() + 140'000, hole.begin() + 144'096, '\0');
  const LogTail tail = FindLogTail(hole);
  REQUIRE(tail.kind == LogTail::Kind::kTorn);
  REQUIRE(tail.whole_bytes > 100'000);
  REQUIRE(tail.whole_bytes < 101'000);
  std::fill(hole.begin() + 50'000, hole.begin() + 50'001, '\0');  // and one in the first
  REQUIRE(FindLogTail(hole).kind == LogTail::Kind::kDamaged);
}

}  // namespace
}  // namespace scheduled
