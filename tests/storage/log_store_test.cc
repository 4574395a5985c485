// What every LogStore must do, held against both of them: the one in memory and the one on disk.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "storage/memory_log_store.h"
#include "storage/world.h"

namespace scheduled {
namespace {

// A store of the kind that the section is about, empty and loaded.
struct LogWorld {
  explicit LogWorld(bool on_disk) {
    if (on_disk) {
      disk = std::make_unique<DiskWorld>();
      absl::StatusOr<std::unique_ptr<RocksLogStore>> opened = disk->OpenLog();
      REQUIRE(opened.ok());
      store = *std::move(opened);
    } else {
      store = std::make_unique<MemoryLogStore>();
    }
    REQUIRE(store->Load(kGroup).ok());
  }

  void Write(const LogWrite& write) { REQUIRE(store->Write({&write, 1}).ok()); }
  LogContents Contents() {
    absl::StatusOr<LogContents> contents = ContentsOf(*store);
    REQUIRE(contents.ok());
    return *contents;
  }
  // What is on disk, read by another object. The store in memory has no other.
  LogContents ContentsAfterReopening() {
    if (disk != nullptr) {
      store.reset();
      absl::StatusOr<std::unique_ptr<RocksLogStore>> opened = disk->OpenLog();
      REQUIRE(opened.ok());
      store = *std::move(opened);
    }
    return Contents();
  }
  absl::Status ReadStatus(uint64_t from, uint64_t to) {
    return store->Read(kGroup, LogIndex(from), LogIndex(to), SIZE_MAX).status();
  }

  std::unique_ptr<DiskWorld> disk;
  std::unique_ptr<LogStore> store;
};

LogPosition At(uint64_t index, uint64_t term) { return {LogIndex(index), Term(term)}; }

TEST_CASE("a log that was never written is empty") {
  LogWorld world(GENERATE(false, true));
  const LogContents contents = world.Contents();
  REQUIRE(contents.entries.empty());
  REQUIRE(contents.state.first == LogIndex(1));
  REQUIRE(contents.state.last == LogIndex(0));
  REQUIRE(contents.state.before_first == At(0, 0));
  REQUIRE(contents.state.hard_state == HardState{});
}

TEST_CASE("what was appended is read back, term by term") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 4, 1)));
  world.Write(Append(Entries(5, 5, 2)));
  world.Write(Append(Entries(6, 20, 7)));
  const LogContents contents = world.ContentsAfterReopening();
  REQUIRE(contents.state.last == LogIndex(20));
  REQUIRE(contents.state.term_runs == std::vector<TermRun>{{LogIndex(1), Term(1)},
                                                           {LogIndex(5), Term(2)},
                                                           {LogIndex(6), Term(7)}});
  REQUIRE(contents.entries.size() == 20);
  REQUIRE(contents.entries[4] == Entry(5, 2, "entry 5 of 2"));
}

TEST_CASE("term and vote are kept, and a vote's absence too") {
  LogWorld world(GENERATE(false, true));
  world.Write({.group = kGroup, .hard_state = Promise(3, "node-b")});
  REQUIRE(world.ContentsAfterReopening().state.hard_state == Promise(3, "node-b"));
  world.Write({.group = kGroup, .hard_state = Promise(4)});
  REQUIRE(world.ContentsAfterReopening().state.hard_state == Promise(4));
}

TEST_CASE("a truncation and what overwrites it are one step") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 10, 1)));
  LogWrite write = Append(Entries(6, 7, 2));
  write.truncate_from = LogIndex(6);
  world.Write(write);
  const LogContents contents = world.ContentsAfterReopening();
  REQUIRE(contents.state.last == LogIndex(7));
  REQUIRE(contents.entries[4] == Entry(5, 1, "entry 5 of 1"));
  REQUIRE(contents.entries[5] == Entry(6, 2, "entry 6 of 2"));
}

TEST_CASE("a truncation may leave nothing, or drop nothing") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 3, 1)));
  world.Write({.group = kGroup, .truncate_from = LogIndex(4)});
  REQUIRE(world.ContentsAfterReopening().entries.size() == 3);
  world.Write({.group = kGroup, .truncate_from = LogIndex(1)});
  REQUIRE(world.ContentsAfterReopening().state.empty());
}

TEST_CASE("a cut drops the front and remembers the term before it") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 5, 1)));
  world.Write(Append(Entries(6, 10, 3)));
  REQUIRE(world.store->CutBefore(kGroup, LogIndex(8)).ok());
  LogContents contents = world.ContentsAfterReopening();
  REQUIRE(contents.state.first == LogIndex(8));
  REQUIRE(contents.state.before_first == At(7, 3));
  REQUIRE(contents.state.term_runs == std::vector<TermRun>{{LogIndex(8), Term(3)}});
  REQUIRE(contents.entries.front().index == LogIndex(8));

  REQUIRE(world.store->CutBefore(kGroup, LogIndex(2)).ok());  // behind it already
  REQUIRE(world.ContentsAfterReopening() == contents);
  REQUIRE(world.store->CutBefore(kGroup, LogIndex(11)).ok());  // all of it
  contents = world.ContentsAfterReopening();
  REQUIRE(contents.state.empty());
  REQUIRE(contents.state.before_first == At(10, 3));
  world.Write(Append(Entries(11, 12, 3)));
  REQUIRE(world.ContentsAfterReopening().entries.size() == 2);
}

TEST_CASE("a reset begins behind a snapshot, and ends the install") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 5, 1)));
  world.Write({.group = kGroup, .installing = At(100, 1)});
  REQUIRE(world.ContentsAfterReopening().state.installing == At(100, 1));
  LogWrite write = Append(Entries(101, 102, 4));
  write.reset_to = At(100, 1);
  world.Write(write);
  const LogContents contents = world.ContentsAfterReopening();
  REQUIRE_FALSE(contents.state.installing.has_value());
  REQUIRE(contents.state.before_first == At(100, 1));
  REQUIRE(contents.state.first == LogIndex(101));
  REQUIRE(contents.entries.size() == 2);
}

TEST_CASE("groups do not see each other, and share a write") {
  LogWorld world(GENERATE(false, true));
  const GroupId other(2);
  REQUIRE(world.store->Load(other).ok());
  std::vector<LogWrite> writes = {Append(Entries(1, 3, 1)), Append(Entries(1, 1, 9)),
                                  Append(Entries(4, 4, 1))};
  writes[1].group = other;
  REQUIRE(world.store->Write(writes).ok());
  REQUIRE(world.store->CutBefore(kGroup, LogIndex(3)).ok());
  REQUIRE(world.ContentsAfterReopening().entries.size() == 2);
  absl::StatusOr<LogContents> contents = ContentsOf(*world.store, other);
  REQUIRE(contents.ok());
  REQUIRE(contents->entries == std::vector<LogRecord>{Entry(1, 9, "entry 1 of 9")});
}

TEST_CASE("a read stops at its bound, and is never empty") {
  LogWorld world(GENERATE(false, true));
  std::vector<LogRecord> entries;
  for (uint64_t i = 1; i <= 10; ++i) entries.push_back(Entry(i, 1, std::string(100, 'x')));
  world.Write(Append(entries));
  const auto count = [&world](uint64_t from, uint64_t to, size_t max_bytes) {
    return world.store->Read(kGroup, LogIndex(from), LogIndex(to), max_bytes)->size();
  };
  REQUIRE(count(1, 11, SIZE_MAX) == 10);
  REQUIRE(count(3, 5, SIZE_MAX) == 2);
  REQUIRE(count(1, 11, 300) == 3);
  REQUIRE(count(1, 11, 299) == 2);
  REQUIRE(count(10, 11, 0) == 1);
}

TEST_CASE("a read of what was cut or truncated is out of range, and stops nobody") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 10, 1)));
  REQUIRE(world.store->CutBefore(kGroup, LogIndex(4)).ok());
  world.Write({.group = kGroup, .truncate_from = LogIndex(9)});
  REQUIRE(absl::IsOutOfRange(world.ReadStatus(3, 5)));
  REQUIRE(absl::IsOutOfRange(world.ReadStatus(8, 10)));
  REQUIRE(world.ReadStatus(4, 9).ok());
}

TEST_CASE("entries of every size and byte come back as they were") {
  LogWorld world(GENERATE(false, true));
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  const std::vector<LogRecord> entries = {Entry(1, 1, ""), Entry(2, 1, every_byte),
                                          Entry(3, 1, std::string(kMaxLogRecordBytes, '\xff'))};
  world.Write(Append(entries));
  REQUIRE(world.ContentsAfterReopening().entries == entries);
}

TEST_CASE("reads from other threads see entries whole while the log is rewritten") {
  LogWorld world(GENERATE(false, true));
  world.Write(Append(Entries(1, 50, 1)));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> reads = 0;
  std::atomic<uint64_t> wrong = 0;
  const auto read = [&] {
    while (!stop) {
      absl::StatusOr<std::vector<LogRecord>> got =
          world.store->Read(kGroup, LogIndex(20), LogIndex(45), SIZE_MAX);
      ++reads;
      if (absl::IsOutOfRange(got.status())) continue;
      if (!got.ok() || got->size() != 25) ++wrong;
      // A suffix is overwritten as one step, so that from its start on all is of one term.
      for (size_t i = 10; got.ok() && i < got->size(); ++i) {
        const LogRecord& entry = (*got)[i];
        const std::string expected =
            "entry " + std::to_string(20 + i) + " of " + std::to_string((*got)[10].term.value);
        if (entry.bytes.view() != expected) ++wrong;
      }
    }
  };
  std::thread first(read);
  std::thread second(read);
  uint64_t term = 2;
  for (; term < 400 || (reads < 20 && term < 20'000); ++term) {
    LogWrite write = Append(Entries(30, 50, term));
    write.truncate_from = LogIndex(30);
    world.Write(write);
    std::this_thread::yield();
  }
  stop = true;
  first.join();
  second.join();
  REQUIRE(wrong == 0);
  REQUIRE(reads > 0);
  REQUIRE(world.ContentsAfterReopening().state.hard_state.term == Term(term - 1));
}

TEST_CASE("a long log of many terms is loaded as it was written") {
  LogWorld world(true);
  ModelLog model;
  uint64_t next = 1;
  for (uint64_t term = 1; term <= 60; ++term) {
    const uint64_t count = 1 + (term * term) % 97;
    const LogWrite write = Append(Entries(next, next + count - 1, term));
    model.Write(write);
    world.Write(write);
    next += count;
  }
  REQUIRE(world.ContentsAfterReopening() == model.Contents());
}

}  // namespace
}  // namespace scheduled
