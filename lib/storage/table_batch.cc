// See table_batch.h. Keys and values are copied into blocks that are kept from batch to batch, so
// that a batch in steady state allocates nothing but what its hash index needs.
#include "storage/table_batch.h"

#include <cstring>

#include "base/assert.h"

namespace scheduled {
namespace {

constexpr size_t kBlockBytes = size_t{64} << 10;
// A larger piece has an allocation of its own, so that a block is never left mostly empty.
constexpr size_t kLargeBytes = kBlockBytes / 4;

}  // namespace

std::string_view TableBatch::Copy(std::string_view bytes) {
  char* place = nullptr;
  if (bytes.size() > kLargeBytes) {
    large_.push_back(std::make_unique_for_overwrite<char[]>(bytes.size()));
    place = large_.back().get();
  } else {
    if (block_ < blocks_.size() && kBlockBytes - block_used_ < bytes.size()) {
      ++block_;
      block_used_ = 0;
    }
    if (block_ == blocks_.size())
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    place = blocks_[block_].get() + block_used_;
    block_used_ += bytes.size();
  }
  if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
  return {place, bytes.size()};
}

void TableBatch::Add(std::string_view key, std::optional<std::string_view> value) {
  SCHEDULED_ASSERT(!key.empty(), "a key begins with the tag of its table");
  const std::string_view own_key = Copy(key);
  if (value.has_value()) value = Copy(*value);
  last_op_.insert_or_assign(own_key, static_cast<uint32_t>(ops_.size()));
  ops_.push_back({.key = own_key, .value = value});
  bytes_ += key.size() + (value.has_value() ? value->size() : 0);
}

void TableBatch::Put(std::string_view key, std::string_view value) { Add(key, value); }

void TableBatch::Delete(std::string_view key) { Add(key, std::nullopt); }

absl::StatusOr<std::optional<std::string>> TableBatch::Get(std::string_view key) const {
  const auto own = last_op_.find(key);
  if (own == last_op_.end()) return store_.Get(key);
  const std::optional<std::string_view>& value = ops_[own->second].value;
  if (!value.has_value()) return std::optional<std::string>();
  return std::optional<std::string>(*value);
}

void TableBatch::Clear() {
  last_op_.clear();
  ops_.clear();
  large_.clear();
  block_ = 0;
  block_used_ = 0;
  bytes_ = 0;
}

}  // namespace scheduled
