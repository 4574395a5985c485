// The public SlotQueue: a hot window over rows that it writes itself (InMemory, Open), or that
// somebody else writes (Over).
#include "scheduled/slot_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "slots/hot_window.h"
#include "slots/slot_key.h"
#include "slots/slot_ranges.h"
#include "slots/slot_store.h"
#include "storage/table_store.h"

namespace scheduled {

class SlotQueue::Impl {
 public:
  Impl(std::unique_ptr<SlotStore> store, const SlotQueueOptions& options)
      : own_(std::move(store)),
        tables_(own_->tables()),
        prefix_(SlotStore::kPrefix),
        gap_(options.gap),
        window_(tables_, prefix_, {.rows = options.window, .load = options.load},
                own_->entries() == 0) {
    CheckGap();
  }

  Impl(const TableStore& tables, std::string prefix, uint64_t size, const SlotQueueOptions& options)
      : tables_(tables),
        prefix_(std::move(prefix)),
        gap_(options.gap),
        size_(size),
        window_(tables, prefix_, {.rows = options.window, .load = options.load}, size == 0) {
    CheckGap();
  }

  absl::Status Add(const SlotEntry& entry);
  absl::Status Remove(const SlotEntry& entry);
  std::optional<SlotEntry> Peek();
  std::vector<SlotEntry> Take(absl::Time until, size_t max);
  void Inserted(const SlotEntry& entry);
  void Erased(const SlotEntry& entry);

  std::string Key(const SlotEntry& entry) const { return EncodeSlotEntry(prefix_, entry); }
  SlotEntry Parse(std::string_view key) const;

  HotWindow& window() { return window_; }
  const HotWindow& window() const { return window_; }
  const TableStore& tables() const { return tables_; }
  const std::string& prefix() const { return prefix_; }
  absl::Duration gap() const { return gap_; }
  uint64_t size() const { return own_ != nullptr ? own_->entries() : size_; }

 private:
  void CheckGap() const {
    SCHEDULED_ASSERT(ValidateSlotGap(gap_).ok(), "the gap is whole seconds, at least one");
  }

  std::unique_ptr<SlotStore> own_;  // null if somebody else writes the rows
  const TableStore& tables_;
  const std::string prefix_;
  const absl::Duration gap_;
  uint64_t size_ = 0;  // only without own_
  HotWindow window_;
};

SlotEntry SlotQueue::Impl::Parse(std::string_view key) const {
  SlotEntry entry;
  const bool ok = DecodeSlotEntry(prefix_, key, &entry);
  SCHEDULED_ASSERT(ok, "every key of the range is a slot key");
  return entry;
}

absl::Status SlotQueue::Impl::Add(const SlotEntry& entry) {
  SCHEDULED_ASSERT(own_ != nullptr, "a queue over foreign rows does not write");
  if (absl::Status status = ValidateSlotEntry(entry); !status.ok()) return status;
  const std::string key = Key(entry);
  const absl::StatusOr<bool> exists = own_->Contains(key);
  if (!exists.ok()) return exists.status();
  if (*exists) {
    return absl::AlreadyExistsError(absl::StrCat("an entry with the id \"", entry.id,
                                                 "\", this due time and priority is there"));
  }
  if (absl::Status status = own_->Put(key); !status.ok()) return status;
  window_.Inserted(key);
  return absl::OkStatus();
}

absl::Status SlotQueue::Impl::Remove(const SlotEntry& entry) {
  SCHEDULED_ASSERT(own_ != nullptr, "a queue over foreign rows does not write");
  if (absl::Status status = ValidateSlotEntry(entry); !status.ok()) return status;
  const std::string key = Key(entry);
  const absl::StatusOr<bool> exists = own_->Contains(key);
  if (!exists.ok()) return exists.status();
  if (!*exists) {
    return absl::NotFoundError(absl::StrCat("there is no entry with the id \"", entry.id,
                                            "\", this due time and priority"));
  }
  if (absl::Status status = own_->Delete(key); !status.ok()) return status;
  window_.Erased(key);
  return absl::OkStatus();
}

std::optional<SlotEntry> SlotQueue::Impl::Peek() {
  const std::optional<std::string_view> first = window_.First();
  if (!first.has_value()) return std::nullopt;
  return Parse(*first);
}

std::vector<SlotEntry> SlotQueue::Impl::Take(absl::Time until, size_t max) {
  std::vector<SlotEntry> taken;
  const int64_t until_us = absl::ToUnixMicros(until);
  while (taken.size() < max) {
    const std::optional<std::string_view> first = window_.First();
    if (!first.has_value()) break;
    SlotEntry entry = Parse(*first);
    if (DueMicros(entry) > until_us) break;
    window_.TakeFirst();
    taken.push_back(std::move(entry));
  }
  return taken;
}

void SlotQueue::Impl::Inserted(const SlotEntry& entry) {
  SCHEDULED_ASSERT(own_ == nullptr, "a queue that writes its rows knows of them");
  ++size_;
  window_.Inserted(Key(entry));
}

void SlotQueue::Impl::Erased(const SlotEntry& entry) {
  SCHEDULED_ASSERT(own_ == nullptr, "a queue that writes its rows knows of them");
  SCHEDULED_ASSERT(size_ > 0, "only a row that is there is erased");
  --size_;
  window_.Erased(Key(entry));
}

SlotQueue::SlotQueue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SlotQueue::~SlotQueue() = default;

std::unique_ptr<SlotQueue> SlotQueue::InMemory(SlotQueueOptions options) {
  return std::unique_ptr<SlotQueue>(
      new SlotQueue(std::make_unique<Impl>(SlotStore::InMemory(), options)));
}

absl::StatusOr<std::unique_ptr<SlotQueue>> SlotQueue::Open(const std::string& dir,
                                                           SlotQueueOptions options) {
  if (absl::Status status = ValidateSlotGap(options.gap); !status.ok()) return status;
  if (options.window == 0 || options.load == 0) {
    return absl::InvalidArgumentError("window and load are at least 1");
  }
  absl::StatusOr<std::unique_ptr<SlotStore>> store = SlotStore::Open(dir);
  if (!store.ok()) return store.status();
  return std::unique_ptr<SlotQueue>(
      new SlotQueue(std::make_unique<Impl>(*std::move(store), options)));
}

std::unique_ptr<SlotQueue> SlotQueue::Over(const TableStore& store, std::string prefix,
                                           uint64_t size, SlotQueueOptions options) {
  return std::unique_ptr<SlotQueue>(
      new SlotQueue(std::make_unique<Impl>(store, std::move(prefix), size, options)));
}

absl::Status SlotQueue::Add(const SlotEntry& entry) { return impl_->Add(entry); }
absl::Status SlotQueue::Remove(const SlotEntry& entry) { return impl_->Remove(entry); }
std::optional<SlotEntry> SlotQueue::Peek() { return impl_->Peek(); }

std::vector<SlotEntry> SlotQueue::Take(absl::Time until, size_t max) {
  return impl_->Take(until, max);
}

void SlotQueue::Return(const SlotEntry& entry) {
  if (ValidateSlotEntry(entry).ok()) impl_->window().Return(impl_->Key(entry));
}

absl::Status SlotQueue::status() const { return impl_->window().status(); }

absl::StatusOr<SlotPage> SlotQueue::Slots(absl::Time from, size_t limit,
                                          std::string_view after) const {
  return ReadSlots(impl_->tables(), {&impl_->prefix(), 1},
                   {.gap = impl_->gap(), .from = from, .limit = limit, .after = after});
}

uint64_t SlotQueue::size() const { return impl_->size(); }
absl::Duration SlotQueue::gap() const { return impl_->gap(); }
void SlotQueue::Inserted(const SlotEntry& entry) { impl_->Inserted(entry); }
void SlotQueue::Erased(const SlotEntry& entry) { impl_->Erased(entry); }
void SlotQueue::SetWindow(size_t window) { impl_->window().SetLimit(window); }
size_t SlotQueue::window_size() const { return impl_->window().size(); }
void SlotQueue::CheckInvariants() const { impl_->window().CheckInvariants(); }

}  // namespace scheduled
