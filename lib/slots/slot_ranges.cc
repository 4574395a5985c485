// See slot_ranges.h.
#include "slots/slot_ranges.h"

#include <compare>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "slots/slot_key.h"

namespace scheduled {
namespace {

constexpr size_t kRowsPerScan = 512;

Slot MakeSlot(int64_t number, absl::Duration gap) {
  Slot slot;
  slot.key = number;
  slot.min_time = absl::UnixEpoch() + number * gap;
  slot.max_time = slot.min_time + gap - absl::Seconds(1);
  return slot;
}

// Where a row stands in the order of a listing: by slot, then by queue and time as its key has
// them. Without a key it is the begin of the slot.
struct Position {
  int64_t slot = 0;
  std::string key;
  auto operator<=>(const Position&) const = default;
};

std::string EncodePosition(const Position& position) {
  return KeyWriter().I64(position.slot).Raw(position.key).Take();
}

bool DecodePosition(std::string_view bytes, absl::Duration gap, Position* position) {
  KeyReader reader(bytes);
  reader.I64(&position->slot);
  position->key = std::string(reader.rest());
  return reader.ok() && position->slot >= SlotNumber(absl::InfinitePast(), gap) &&
         position->slot <= SlotNumber(absl::InfiniteFuture(), gap);
}

// Reads queue after queue, and keeps the first rows of all in the order of the listing: whatever
// does not fit drops what stands last.
class PageReader {
 public:
  PageReader(const TableStore& store, const SlotRange& range, Position begin)
      : store_(store), range_(range), begin_(std::move(begin)) {
    SCHEDULED_ASSERT(range.limit > 0 && range.max_ids > 0, "a page has room for something");
  }

  // Reads one queue until its rows lie behind the end of the page.
  absl::Status Read(const std::string& prefix);
  SlotPage Take();

 private:
  bool Add(Position position, SlotEntry entry);
  std::string FirstKey(const std::string& prefix) const;

  const TableStore& store_;
  const SlotRange& range_;
  const Position begin_;
  std::optional<Position> end_;  // where the next page begins; none: nothing was left out yet
  std::map<int64_t, Slot> found_;
  size_t ids_ = 0;
};

// Of the slot in which the page begins, queues before that of its key have been read.
std::string PageReader::FirstKey(const std::string& prefix) const {
  const auto start_of = [&](int64_t slot) {
    return FirstSlotKey(prefix, absl::UnixEpoch() + slot * range_.gap);
  };
  if (begin_.key.empty()) return start_of(begin_.slot);
  if (begin_.key.starts_with(prefix)) return begin_.key;
  return prefix < begin_.key ? start_of(begin_.slot + 1) : start_of(begin_.slot);
}

absl::Status PageReader::Read(const std::string& prefix) {
  std::string from = FirstKey(prefix);
  while (true) {
    absl::StatusOr<std::vector<TableRow>> rows = store_.Scan(from, PrefixEnd(prefix), kRowsPerScan);
    if (!rows.ok()) return rows.status();
    const bool is_end = rows->size() < kRowsPerScan;
    if (!is_end) from = KeyAfter(rows->back().key);
    for (TableRow& row : *rows) {
      SlotEntry entry;
      if (!DecodeSlotEntry(prefix, row.key, &entry)) {
        return absl::DataLossError("a row of the slots has a damaged key");
      }
      const int64_t slot = SlotNumber(entry.due, range_.gap);
      if (!Add({.slot = slot, .key = std::move(row.key)}, std::move(entry))) {
        return absl::OkStatus();
      }
    }
    if (is_end) return absl::OkStatus();
  }
}

// False if the row, and so all that follow in its queue, lie behind the page.
bool PageReader::Add(Position position, SlotEntry entry) {
  if (end_ && position >= *end_) return false;
  const auto [slot, is_new] = found_.try_emplace(position.slot);
  if (is_new) slot->second = MakeSlot(position.slot, range_.gap);
  slot->second.job_ids.push_back(std::move(entry.id));
  ++ids_;
  if (found_.size() <= range_.limit && ids_ <= range_.max_ids) return true;
  if (found_.size() == 1) {
    // The slot alone is more than a page: it goes on in the next one.
    slot->second.job_ids.pop_back();
    --ids_;
    end_ = std::move(position);
    return false;
  }
  // The last slot of those found is for the next page, as a whole.
  const auto last = std::prev(found_.end());
  const bool was_last = last->first == position.slot;
  end_ = Position{.slot = last->first};
  ids_ -= last->second.job_ids.size();
  found_.erase(last);
  return !was_last;
}

SlotPage PageReader::Take() {
  SlotPage page;
  page.slots.reserve(found_.size());
  for (auto& [number, slot] : found_) page.slots.push_back(std::move(slot));
  if (end_) page.next = EncodePosition(*end_);
  return page;
}

}  // namespace

absl::Status ValidateSlotGap(absl::Duration gap) {
  const int64_t seconds = absl::ToInt64Seconds(gap);
  if (seconds >= 1 && gap == absl::Seconds(seconds)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the slot gap is ", absl::FormatDuration(gap),
                                                 "; it needs to be whole seconds, at least 1s"));
}

int64_t SlotNumber(absl::Time due, absl::Duration gap) {
  SCHEDULED_ASSERT(gap >= absl::Seconds(1), "a slot is a second wide at least");
  const int64_t width = absl::ToInt64Microseconds(gap);
  const int64_t micros = absl::ToUnixMicros(due);
  return micros / width - (micros % width < 0 ? 1 : 0);
}

absl::StatusOr<SlotPage> ReadSlots(const TableStore& store, std::span<const std::string> prefixes,
                                   const SlotRange& range) {
  if (range.limit == 0) return SlotPage();
  Position begin{.slot = SlotNumber(range.from, range.gap)};
  if (!range.after.empty() && !DecodePosition(range.after, range.gap, &begin)) {
    return absl::InvalidArgumentError("the page to go on from is none that was given out");
  }
  PageReader reader(store, range, std::move(begin));
  for (const std::string& prefix : prefixes) {
    if (absl::Status status = reader.Read(prefix); !status.ok()) return status;
  }
  return reader.Take();
}

}  // namespace scheduled
