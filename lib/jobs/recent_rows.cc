// See recent_rows.h.
#include "jobs/recent_rows.h"

namespace scheduled::jobs {

const std::string* RecentRows::Find(std::string_view key) const {
  const auto row = rows_.find(View(key));
  return row == rows_.end() ? nullptr : &row->second;
}

void RecentRows::Hold(std::string_view key, std::string_view value) {
  const auto [row, is_new] = rows_.try_emplace(std::string(key));
  row->second.assign(value);
  if (!is_new) return;
  if (order_.size() < capacity_) {
    order_.emplace_back(key);
    return;
  }
  // A key that was forgotten and came again may be given up with its first place: a row is then
  // held for less long, and never more rows than places.
  std::string& place = order_[next_];
  if (place != key) rows_.erase(View(place));
  place.assign(key);
  next_ = (next_ + 1) % capacity_;
}

void RecentRows::Update(std::string_view key, std::string_view value) {
  const auto row = rows_.find(View(key));
  if (row != rows_.end()) row->second.assign(value);
}

void RecentRows::Forget(std::string_view key) {
  const auto row = rows_.find(View(key));
  if (row != rows_.end()) rows_.erase(row);
}

void RecentRows::Clear() { rows_.clear(); }

}  // namespace scheduled::jobs
