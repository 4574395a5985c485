// The physical reference: what disk, loopback and RocksDB do on this machine without us.
#include <fcntl.h>
#include <rocksdb/db.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "absl/time/clock.h"
#include "benches.h"
#include "open.h"

namespace scheduled::bench {
namespace {

constexpr absl::Duration kLong = absl::Seconds(1);

// How often `work` can be done in a second.
template <typename Work>
double Rate(Work work) {
  for (int i = 0; i < 10; ++i) work();
  uint64_t done = 0;
  const absl::Time begun = absl::Now();
  absl::Duration spent;
  do {
    work();
    ++done;
    spent = absl::Now() - begun;
  } while (spent < kLong);
  return static_cast<double>(done) / absl::ToDoubleSeconds(spent);
}

double SyncsPerSecond(const std::string& dir) {
  const int file = open((dir + "/sync").c_str(), O_CREAT | O_WRONLY, 0600);
  const std::string block(4096, 'x');
  off_t at = 0;
  const double rate = Rate([&] {
    if (pwrite(file, block.data(), block.size(), at) < 0 || fdatasync(file) != 0) std::exit(1);
    at += static_cast<off_t>(block.size());
  });
  close(file);
  return rate;
}

double RoundTripsPerSecond() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) std::exit(1);
  const pid_t child = fork();
  if (child == 0) {
    close(pair[0]);
    char byte;
    while (read(pair[1], &byte, 1) == 1 && write(pair[1], &byte, 1) == 1) {
    }
    _exit(0);
  }
  close(pair[1]);
  char byte = 'x';
  const double rate = Rate([&] {
    if (write(pair[0], &byte, 1) != 1 || read(pair[0], &byte, 1) != 1) std::exit(1);
  });
  close(pair[0]);
  waitpid(child, nullptr, 0);
  return rate;
}

std::unique_ptr<rocksdb::DB> OpenRocks(const std::string& dir) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::Open(options, dir, &db).ok()) std::exit(1);
  return std::unique_ptr<rocksdb::DB>(db);
}

std::string Key(uint64_t n) { return fmt::format("{:016x}", n); }

double SyncedEntriesPerSecond(const std::string& dir, int batch) {
  const auto db = OpenRocks(fmt::format("{}/log-{}", dir, batch));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const std::string entry(256, 'x');
  uint64_t n = 0;
  return batch * Rate([&] {
           rocksdb::WriteBatch writes;
           for (int i = 0; i < batch; ++i) writes.Put(Key(n++), entry);
           if (!db->Write(synced, &writes).ok()) std::exit(1);
         });
}

// What a durable create writes at least: one log entry synced, three table rows not synced.
double BareCreatesPerSecond(const std::string& dir, int batch) {
  const auto log = OpenRocks(fmt::format("{}/bare-log-{}", dir, batch));
  const auto tables = OpenRocks(fmt::format("{}/bare-tables-{}", dir, batch));
  rocksdb::WriteOptions synced, unlogged;
  synced.sync = true;
  unlogged.disableWAL = true;
  const std::string entry(256, 'x'), row(150, 'x'), small(20, 'x');
  uint64_t n = 0;
  return batch * Rate([&] {
           rocksdb::WriteBatch entries, rows;
           entries.Put(Key(n), std::string(256 * static_cast<size_t>(batch), 'x'));
           for (int i = 0; i < batch; ++i, ++n) {
             rows.Put("j" + Key(n), row);
             rows.Put("s" + Key(n), small);
             rows.Put("q" + Key(n), small);
           }
           if (!log->Write(synced, &entries).ok() || !tables->Write(unlogged, &rows).ok()) {
             std::exit(1);
           }
         });
}

}  // namespace

Report Reference(const Common& common) {
  const ScratchFolder scratch(common.dir);
  Report report("reference: this machine without us");
  report.Add("fdatasync of 4 KiB", SyncsPerSecond(scratch.path()), "/s");
  report.Add("round trips between two processes", RoundTripsPerSecond(), "/s");
  for (const int batch : {1, 16, 64, 256}) {
    report.Add(fmt::format("RocksDB synced entries, {} a batch", batch),
               SyncedEntriesPerSecond(scratch.path(), batch), "/s");
  }
  for (const int batch : {1, 64}) {
    report.Add(fmt::format("bare two-write creates, {} a batch", batch),
               BareCreatesPerSecond(scratch.path(), batch), "/s");
  }
  return report;
}

}  // namespace scheduled::bench
