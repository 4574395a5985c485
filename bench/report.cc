// Printing and the few helpers that every bench needs.
#include "report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace scheduled::bench {
namespace {

std::string Shown(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  if (value >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3f}", value);
}

}  // namespace

void Samples::Merge(const Samples& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  sorted_ = false;
}

double Samples::At(double share) const {
  if (values_.empty()) return 0;
  if (!sorted_) std::sort(values_.begin(), values_.end());
  sorted_ = true;
  const auto index = static_cast<size_t>(std::ceil(share * static_cast<double>(values_.size())));
  return values_[std::min(values_.size() - 1, index == 0 ? 0 : index - 1)];
}

void Report::Add(std::string name, double value, std::string unit) {
  rows_.push_back({std::move(name), value, std::move(unit)});
}

void Report::Add(const std::string& name, const Samples& samples) {
  Add(name + " p50", samples.At(0.5), "ms");
  Add(name + " p99", samples.At(0.99), "ms");
  Add(name + " max", samples.At(1), "ms");
}

void Report::Print(bool json) const {
  if (json) {
    std::string text = fmt::format("{{\"bench\":\"{}\"", title_);
    for (const Row& row : rows_) {
      text += fmt::format(",\"{} ({})\":{}", row.name, row.unit, row.value);
    }
    std::puts((text + "}").c_str());
    return;
  }
  fmt::print("{}\n", title_);
  for (const Row& row : rows_) {
    fmt::print("  {:<52} {:>12} {}\n", row.name, Shown(row.value), row.unit);
  }
  std::fflush(stdout);
}

void Progress(const std::string& what, uint64_t done, uint64_t of) {
  if (!isatty(STDERR_FILENO)) return;
  fmt::print(stderr, "\r\033[K{}: {} of {}", what, done, of);
  if (done >= of) fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

double ResidentMiB() {
  std::ifstream statm("/proc/self/statm");
  double total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

ScratchFolder::ScratchFolder(const std::string& base) {
  std::filesystem::create_directories(base);
  std::string pattern = base + "/bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    std::perror(base.c_str());
    std::exit(1);
  }
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  // What it lay in goes as well, if nothing else is there.
  std::filesystem::remove(std::filesystem::path(path_).parent_path(), ignored);
}

}  // namespace scheduled::bench
