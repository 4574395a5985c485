// The benches, one function each; main.cc gives them their options.
#ifndef SCHEDULED_BENCH_BENCHES_H_
#define SCHEDULED_BENCH_BENCHES_H_

#include <cstdint>
#include <string>

#include "report.h"

namespace scheduled::bench {

struct Common {
  std::string dir = "./bench-data";  // where scratch folders are made: the disk that is measured
  bool json = false;
};

// What this machine can do: the physical points that every figure is compared with.
Report Reference(const Common& common);

struct RaftCoreOptions {
  uint64_t entries = 2'000'000;
  int batch = 64;     // entries in a proposal
  int payload = 256;  // bytes of an entry
};
Report RaftCore(const RaftCoreOptions& options);

struct CreateOptions {
  int callers = 64;  // each has one call in flight
  int batch = 1;     // jobs in a call
  uint64_t jobs = 500'000;
  int payload = 100;  // bytes
};
Report Create(const Common& common, const CreateOptions& options);

struct LatenessOptions {
  int at_one_instant = 1000;
  int per_second = 500;
  int seconds = 20;
};
Report Lateness(const Common& common, const LatenessOptions& options);

struct DrainOptions {
  uint64_t jobs = 200'000;
};
Report Drain(const Common& common, const DrainOptions& options);

struct RecoverOptions {
  uint64_t jobs = 1'000'000;
  bool killed = true;  // else stopped cleanly
};
Report Recover(const Common& common, const RecoverOptions& options);

struct StartOptions {
  std::string server;  // the server binary; empty: beside this program
  int rounds = 20;
};
Report Start(const Common& common, const StartOptions& options);

struct FailoverOptions {
  std::string server;  // as StartOptions
  int rounds = 10;
};
Report Failover(const Common& common, const FailoverOptions& options);

struct CatchUpOptions {
  std::string server;         // as StartOptions
  uint64_t jobs = 2'000'000;  // written while one is away
  int callers = 4;            // each has one batch of 500 in flight
  uint64_t compact_log_bytes = uint64_t{64} << 20;
  uint64_t bytes_per_second = uint64_t{64} << 20;  // of the snapshot
};
Report CatchUp(const Common& common, const CatchUpOptions& options);

}  // namespace scheduled::bench

#endif  // SCHEDULED_BENCH_BENCHES_H_
