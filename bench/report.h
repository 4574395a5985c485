// What a bench prints: rows of named figures, for a reader or as JSON, medians and percentiles
// included, and a progress line on long work.
#ifndef SCHEDULED_BENCH_REPORT_H_
#define SCHEDULED_BENCH_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace scheduled::bench {

// Durations that were measured, one by one.
class Samples {
 public:
  void Add(absl::Duration d) { values_.push_back(absl::ToDoubleMilliseconds(d)); }
  void Merge(const Samples& other);
  size_t size() const { return values_.size(); }
  // In milliseconds; `share` from 0 to 1. 0 without samples.
  double At(double share) const;

 private:
  mutable std::vector<double> values_;
  mutable bool sorted_ = false;
};

class Report {
 public:
  explicit Report(std::string title) : title_(std::move(title)) {}
  // `unit` is shown behind the value; JSON has it in the key.
  void Add(std::string name, double value, std::string unit);
  // p50, p99 and the largest.
  void Add(const std::string& name, const Samples& samples);
  void Print(bool json) const;

 private:
  struct Row {
    std::string name;
    double value;
    std::string unit;
  };
  std::string title_;
  std::vector<Row> rows_;
};

// "create: 120,000 of 1,000,000" on standard error, on one line, if that is a terminal.
void Progress(const std::string& what, uint64_t done, uint64_t of);

// Of this process, in MiB.
double ResidentMiB();

// A new empty folder below `base`; removed with all that is in it at the end.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& base);
  ~ScratchFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace scheduled::bench

#endif  // SCHEDULED_BENCH_REPORT_H_
