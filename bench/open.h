// What several benches do with a scheduler: open one of a single node, fill it, stop on an error.
#ifndef SCHEDULED_BENCH_OPEN_H_
#define SCHEDULED_BENCH_OPEN_H_

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>

#include "report.h"
#include "scheduled/scheduler.h"

namespace scheduled::bench {

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    fmt::print(stderr, "bench: {}\n", value.status().ToString());
    std::exit(1);
  }
  return *std::move(value);
}

inline void Must(const absl::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "bench: {}\n", status.ToString());
  std::exit(1);
}

inline std::unique_ptr<Scheduler> OpenNode(const std::string& dir) {
  Options options;
  options.data_dir = dir;
  options.drain_timeout = absl::ZeroDuration();
  return Must(Scheduler::Open(std::move(options)));
}

// Creates `jobs` jobs made by `make(number)`, in batches, several in flight; blocks until all are
// acknowledged.
void Fill(Scheduler& scheduler, uint64_t jobs, const std::function<Job(uint64_t)>& make,
          const std::string& what);

// Keeps `callers` calls of `batch` jobs in flight until `jobs` are acknowledged; the time of each
// call is added to `times` if given.
void RunCallers(Scheduler& scheduler, int callers, int batch, uint64_t jobs,
                const std::function<Job(uint64_t)>& make, const std::string& what, Samples* times);

}  // namespace scheduled::bench

#endif  // SCHEDULED_BENCH_OPEN_H_
