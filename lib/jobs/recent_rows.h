// Rows that were read or written a moment ago and will soon be wanted again: a claim's schedule and
// flight, which its finish reads. A bounded map, the oldest given up first, always equal to the
// tables; what it saves is the way through the store. Owned by the ApplyContext; apply lane.
#ifndef SCHEDULED_LIB_JOBS_RECENT_ROWS_H_
#define SCHEDULED_LIB_JOBS_RECENT_ROWS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace scheduled::jobs {

class RecentRows {
 public:
  // Some 300 bytes a row.
  explicit RecentRows(size_t capacity) : capacity_(capacity) {}

  // Null if it is not held, which says nothing of the tables. Valid until the next change.
  const std::string* Find(std::string_view key) const;
  // A row as it is in the tables.
  void Hold(std::string_view key, std::string_view value);
  // It was written, or deleted: what is held of it follows.
  void Update(std::string_view key, std::string_view value);
  void Forget(std::string_view key);
  void Clear();

 private:
  // Absl's own view type is what its maps look strings up by.
  static absl::string_view View(std::string_view key) { return {key.data(), key.size()}; }

  absl::flat_hash_map<std::string, std::string> rows_;
  const size_t capacity_;
  // A ring, once it is full: the key that came to each place; it may be gone since.
  std::vector<std::string> order_;
  size_t next_ = 0;
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_RECENT_ROWS_H_
