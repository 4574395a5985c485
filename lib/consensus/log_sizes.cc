// See log_sizes.h.
#include "consensus/log_sizes.h"

#include <algorithm>

#include "base/assert.h"

namespace scheduled {
namespace {

// Ranges grow to about this much, so that few are kept and a cut is about right.
constexpr uint64_t kRangeBytes = uint64_t{256} << 10;

uint64_t Entries(const LogSizes::Range& range) { return range.last.value - range.first.value + 1; }

// Of a range's bytes, the share of its first `entries`.
uint64_t Share(const LogSizes::Range& range, uint64_t entries) {
  const double share = static_cast<double>(entries) / static_cast<double>(Entries(range));
  return std::min(range.bytes, static_cast<uint64_t>(static_cast<double>(range.bytes) * share));
}

}  // namespace

void LogSizes::Append(const Range& range) {
  if (range.last < range.first) return;
  total_ += range.bytes;
  if (ranges_.empty() || ranges_.back().bytes + range.bytes > kRangeBytes) {
    SCHEDULED_ASSERT(ranges_.empty() || range.first == ranges_.back().last.Next(),
                     "sizes follow each other");
    ranges_.push_back(range);
    return;
  }
  SCHEDULED_ASSERT(range.first == ranges_.back().last.Next(), "sizes follow each other");
  ranges_.back().last = range.last;
  ranges_.back().bytes += range.bytes;
}

void LogSizes::TruncateFrom(LogIndex index) {
  while (!ranges_.empty() && ranges_.back().first >= index) {
    total_ -= ranges_.back().bytes;
    ranges_.pop_back();
  }
  if (ranges_.empty() || ranges_.back().last < index) return;
  Range& last = ranges_.back();
  const uint64_t kept = Share(last, index.value - last.first.value);
  total_ -= last.bytes - kept;
  last.bytes = kept;
  last.last = index.Prev();
}

void LogSizes::CutThrough(LogIndex index) {
  while (!ranges_.empty() && ranges_.front().last <= index) {
    total_ -= ranges_.front().bytes;
    ranges_.pop_front();
  }
  if (ranges_.empty() || ranges_.front().first > index) return;
  Range& first = ranges_.front();
  const uint64_t gone = Share(first, index.value - first.first.value + 1);
  total_ -= gone;
  first.bytes -= gone;
  first.first = index.Next();
}

uint64_t LogSizes::BytesThrough(LogIndex index) const {
  uint64_t bytes = 0;
  for (const Range& range : ranges_) {
    if (range.first > index) break;
    bytes += range.last <= index ? range.bytes : Share(range, index.value - range.first.value + 1);
  }
  return bytes;
}

void LogSizes::Clear() {
  ranges_.clear();
  total_ = 0;
}

uint64_t LogSizes::entries() const {
  return ranges_.empty() ? 0 : ranges_.back().last.value - ranges_.front().first.value + 1;
}

LogIndex LogSizes::LastWithBytesBehind(uint64_t bytes) const {
  uint64_t behind = 0;
  for (auto range = ranges_.rbegin(); range != ranges_.rend(); ++range) {
    behind += range->bytes;
    if (behind < bytes) continue;
    // Within the range: as many of its entries as may go and leave enough.
    const uint64_t spare = behind - bytes;
    const uint64_t average = std::max<uint64_t>(1, range->bytes / Entries(*range));
    return LogIndex(range->first.value - 1 + std::min(Entries(*range), spare / average));
  }
  return LogIndex();
}

LogIndex LogSizes::LastWithEntriesBehind(uint64_t wanted) const {
  return entries() < wanted ? LogIndex()
                            : LogIndex(ranges_.empty() ? 0 : ranges_.back().last.value - wanted);
}

}  // namespace scheduled
