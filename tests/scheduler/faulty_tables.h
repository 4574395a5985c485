// Tables in memory whose reads fail where a test says so, as those of a damaged disk do.
#ifndef SCHEDULED_TESTS_SCHEDULER_FAULTY_TABLES_H_
#define SCHEDULED_TESTS_SCHEDULER_FAULTY_TABLES_H_

#include <functional>
#include <string_view>
#include <utility>

#include "storage/memory_table_store.h"

namespace scheduled::test {

class FaultyTables : public MemoryTableStore {
 public:
  // By the key of a Get, or the first key of a Scan. Null: nothing fails.
  void FailReads(std::function<bool(std::string_view key)> fails) { fails_ = std::move(fails); }

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const override {
    if (fails_ && fails_(key)) return Damaged();
    return MemoryTableStore::Get(key);
  }
  absl::StatusOr<std::vector<TableRow>> Scan(std::string_view from, std::string_view to,
                                             size_t limit) const override {
    if (fails_ && fails_(from)) return Damaged();
    return MemoryTableStore::Scan(from, to, limit);
  }

 private:
  static absl::Status Damaged() { return absl::DataLossError("a block of a table is damaged"); }

  std::function<bool(std::string_view key)> fails_;
};

}  // namespace scheduled::test

#endif  // SCHEDULED_TESTS_SCHEDULER_FAULTY_TABLES_H_
