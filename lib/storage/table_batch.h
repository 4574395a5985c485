// The writes of one step of the state machine, gathered in memory until TableStore::Apply takes
// them all at once. Its point reads see its own writes first and the committed tables behind them,
// so that commands applied in one batch see each other. It cannot scan: a command that scans stands
// alone in its batch. Used by one thread at a time, the apply lane; reused from batch to batch.
#ifndef SCHEDULED_LIB_STORAGE_TABLE_BATCH_H_
#define SCHEDULED_LIB_STORAGE_TABLE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/table_store.h"

namespace scheduled {

class TableBatch {
 public:
  // One operation, in the order in which it was added. Views live until Clear or destruction.
  struct Op {
    std::string_view key;
    std::optional<std::string_view> value;  // none deletes the row
  };

  // `store` is read behind the batch's own writes, and must outlive it. No Apply may run while the
  // batch is being filled, or its reads would mix two states: both belong to the apply lane.
  explicit TableBatch(const TableStore& store) : store_(store) {}
  TableBatch(const TableBatch&) = delete;
  TableBatch& operator=(const TableBatch&) = delete;

  // Bytes are copied. A later write of the same key wins.
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);

  // The value as it would be after Apply. Errors are those of TableStore::Get.
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const;

  const std::vector<Op>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }
  // Keys and values together, to bound a batch.
  size_t bytes() const { return bytes_; }

  // Forgets every operation and keeps the memory, to be filled anew after Apply.
  void Clear();

 private:
  std::string_view Copy(std::string_view bytes);
  void Add(std::string_view key, std::optional<std::string_view> value);

  const TableStore& store_;
  std::vector<Op> ops_;
  absl::flat_hash_map<std::string_view, uint32_t> last_op_;  // key -> its last place in ops_
  std::vector<std::unique_ptr<char[]>> blocks_;              // kBlockBytes each
  std::vector<std::unique_ptr<char[]>> large_;               // what does not fit into a block
  size_t block_ = 0;                                         // the block being filled
  size_t block_used_ = 0;
  size_t bytes_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_TABLE_BATCH_H_
