// See hot_window.h.
#include "slots/hot_window.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/codec.h"

namespace scheduled {

HotWindow::HotWindow(const TableStore& store, std::string prefix, Limits limits, bool empty)
    : store_(store),
      prefix_(std::move(prefix)),
      limits_(limits),
      loaded_before_(prefix_),
      all_loaded_(empty) {
  SCHEDULED_ASSERT(limits.rows > 0 && limits.load > 0, "a window has room for a row");
}

void HotWindow::Inserted(std::string_view key) {
  if (!IsLoaded(key)) return;
  rows_.emplace(key);
  if (rows_.size() > limits_.rows) DropLargest();
}

void HotWindow::Erased(std::string_view key) {
  const auto row = rows_.find(key);
  if (row != rows_.end()) {
    rows_.erase(row);
  } else {
    taken_.erase(std::string(key));
  }
}

std::optional<std::string_view> HotWindow::First() {
  // Each round reads at least one row or ends; a round that finds taken rows alone is followed by
  // another, and there are no more of these than taken rows.
  while (rows_.empty() && !all_loaded_ && status_.ok()) Load();
  if (rows_.empty() || !status_.ok()) return std::nullopt;
  return *rows_.begin();
}

std::string HotWindow::TakeFirst() {
  SCHEDULED_ASSERT(!rows_.empty(), "there is a first row to take");
  std::string key = std::move(rows_.extract(rows_.begin()).value());
  const bool is_new = taken_.insert(key).second;
  SCHEDULED_ASSERT(is_new, "a row is taken once");
  return key;
}

void HotWindow::Return(std::string_view key) {
  if (taken_.erase(std::string(key)) == 0) return;
  // Beyond the mark it is found again when the range is loaded.
  Inserted(key);
}

void HotWindow::SetLimit(size_t rows) {
  SCHEDULED_ASSERT(rows > 0, "a window has room for a row");
  limits_.rows = rows;
  while (rows_.size() > limits_.rows) DropLargest();
}

void HotWindow::Load() {
  const size_t wanted = std::min(limits_.load, limits_.rows);
  absl::StatusOr<std::vector<TableRow>> found =
      store_.Scan(loaded_before_, PrefixEnd(prefix_), wanted);
  if (!found.ok()) {
    status_ = found.status();
    return;
  }
  all_loaded_ = found->size() < wanted;
  if (!all_loaded_) loaded_before_ = KeyAfter(found->back().key);
  for (TableRow& row : *found) {
    if (!taken_.contains(row.key)) rows_.insert(std::move(row.key));
  }
}

void HotWindow::DropLargest() {
  Probe("slots: a window overflows");
  const auto largest = std::prev(rows_.end());
  loaded_before_ = *largest;
  all_loaded_ = false;
  rows_.erase(largest);
}

void HotWindow::CheckInvariants() const {
  if (!status_.ok()) return;
  SCHEDULED_ASSERT(rows_.size() <= limits_.rows, "the window keeps its bound");
  const absl::StatusOr<std::vector<TableRow>> all =
      store_.Scan(prefix_, PrefixEnd(prefix_), SIZE_MAX);
  SCHEDULED_ASSERT(all.ok(), "the store can be read");
  size_t held = 0, taken = 0;
  for (const TableRow& row : *all) {
    const bool is_taken = taken_.contains(row.key);
    const bool is_held = rows_.contains(row.key);
    SCHEDULED_ASSERT(!(is_taken && is_held), "a taken row is not offered");
    SCHEDULED_ASSERT(is_held == (IsLoaded(row.key) && !is_taken),
                     "exactly what was loaded and not taken is held");
    held += is_held ? 1 : 0;
    taken += is_taken ? 1 : 0;
  }
  SCHEDULED_ASSERT(held == rows_.size(), "every held row is in the store");
  SCHEDULED_ASSERT(taken == taken_.size(), "every taken row is in the store");
}

}  // namespace scheduled
