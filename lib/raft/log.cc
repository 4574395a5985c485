// A ring of shared entries and a short list of term boundaries. In the steady state nothing is
// allocated for an entry: slots are used again, and bytes are shared.
#include "raft/log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.h"

namespace scheduled::raft {
namespace {

// The run that `index` falls into: the last one that begins at or before it.
std::vector<TermRun>::const_iterator RunOf(const std::vector<TermRun>& runs, LogIndex index) {
  if (!runs.empty() && runs.back().first <= index) return std::prev(runs.end());
  const auto after = std::upper_bound(runs.begin(), runs.end(), index,
                                      [](LogIndex i, const TermRun& run) { return i < run.first; });
  return after == runs.begin() ? runs.end() : std::prev(after);
}

}  // namespace

Log::Log(LogPosition base, LogIndex last, std::vector<TermRun> runs)
    : base_(base), last_(last), runs_(std::move(runs)) {
  SCHEDULED_ASSERT(base_.index <= last_, "a log ends at or behind its base");
  SCHEDULED_ASSERT(runs_.empty() == (base_.index == last_), "every entry of the log has a term");
  SCHEDULED_ASSERT(runs_.empty() || runs_.front().first == first(),
                   "terms are known from the first");
  CheckInvariants();
}

LogPosition Log::last_position() const {
  if (runs_.empty()) return base_;
  return LogPosition{last_, runs_.back().term};
}

std::optional<Term> Log::TermAt(LogIndex index) const {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last_) return std::nullopt;
  return RunOf(runs_, index)->term;
}

LogPosition Log::LastAtOrBefore(LogIndex index, Term term) const {
  LogIndex at = std::min(index, last_);
  if (at <= base_.index) return base_;
  // Terms only grow along the log: step from run to run until one is small enough.
  auto run = RunOf(runs_, at);
  while (run->term > term) {
    at = run->first.Prev();
    if (at == base_.index) return base_;
    --run;
  }
  return LogPosition{at, run->term};
}

void Log::Copy(LogIndex from, LogIndex to, size_t max_bytes, size_t max_entries,
               std::vector<Entry>* out) const {
  if (from < tail_first()) return;
  to = std::min(to, last_);
  if (from > to) return;
  out->reserve(out->size() + std::min<uint64_t>({to.value - from.value + 1, max_entries, 1024}));
  size_t bytes = 0;
  size_t count = 0;
  for (LogIndex i = from; i <= to && count < max_entries; i = i.Next(), ++count) {
    const Entry& entry = SlotAt(i).entry;
    bytes += EntryWeight(entry);
    if (count > 0 && bytes > max_bytes) return;
    out->push_back(entry);
  }
}

uint64_t Log::WeightAfter(LogIndex index) const {
  if (tail_.empty() || index >= last_) return 0;
  const uint64_t through = tail_.back().weight_through;
  if (index < tail_first()) return through - weight_before_;
  return through - SlotAt(index).weight_through;
}

void Log::Append(Entry entry) {
  SCHEDULED_ASSERT(entry.index == last_.Next(), "entries follow each other without a gap");
  SCHEDULED_ASSERT(entry.term >= last_position().term, "terms only grow along the log");
  if (runs_.empty() || runs_.back().term != entry.term) {
    runs_.push_back(TermRun{entry.term, entry.index});
  }
  const uint64_t before = tail_.empty() ? weight_before_ : tail_.back().weight_through;
  last_ = entry.index;
  const uint64_t through = before + EntryWeight(entry);
  tail_.push_back(Slot{std::move(entry), through});
}

void Log::TruncateFrom(LogIndex index) {
  SCHEDULED_ASSERT(index > base_.index, "what was cut into a snapshot is never truncated");
  while (!tail_.empty() && last_ >= index) {
    tail_.pop_back();
    last_ = last_.Prev();
  }
  last_ = std::min(last_, index.Prev());
  while (!runs_.empty() && runs_.back().first > last_) runs_.pop_back();
}

void Log::PopFront() {
  weight_before_ = tail_.front().weight_through;
  tail_.pop_front();
}

void Log::Trim(LogIndex through, uint64_t keep) {
  while (!tail_.empty() && tail_first() <= through && TailWeight() > keep) PopFront();
}

LogIndex Log::LastOfRun(std::vector<TermRun>::const_iterator run) const {
  const auto next = std::next(run);
  return next == runs_.end() ? last_ : next->first.Prev();
}

void Log::CutThrough(LogIndex index) {
  SCHEDULED_ASSERT(index >= base_.index && index <= last_, "a cut is within the log");
  const LogPosition base{index, *TermAt(index)};
  while (!tail_.empty() && tail_first() <= index) PopFront();
  // The run that the next entry falls into stays, and begins there.
  auto run = runs_.begin();
  while (run != runs_.end() && LastOfRun(run) <= index) ++run;
  runs_.erase(runs_.begin(), run);
  if (!runs_.empty()) runs_.front().first = std::max(runs_.front().first, index.Next());
  base_ = base;
}

void Log::ResetTo(LogPosition position) {
  while (!tail_.empty()) PopFront();
  runs_.clear();
  base_ = position;
  last_ = position.index;
}

void Log::CheckInvariants(uint64_t newest) const {
  SCHEDULED_ASSERT(base_.index <= last_, "a log ends at or behind its base");
  SCHEDULED_ASSERT(tail_.size() <= last_.value - base_.index.value, "the tail lies within the log");
  Term term = base_.term;
  LogIndex index = base_.index;
  for (const TermRun& run : runs_) {
    SCHEDULED_ASSERT(run.term > term || (run.term == term && index == base_.index),
                     "terms only grow along the log");
    SCHEDULED_ASSERT(run.first > index && run.first <= last_, "runs lie within the log, in order");
    term = run.term;
    index = run.first;
  }
  if (tail_.empty() || newest == 0) return;
  const bool whole = newest >= tail_.size();
  const LogIndex from = whole ? tail_first() : LogIndex(last_.value - newest + 1);
  uint64_t weight = whole ? weight_before_ : SlotAt(from.Prev()).weight_through;
  auto run = RunOf(runs_, from);
  for (LogIndex i = from; i <= last_; i = i.Next()) {
    while (std::next(run) != runs_.end() && std::next(run)->first <= i) ++run;
    const Slot& slot = SlotAt(i);
    weight += EntryWeight(slot.entry);
    SCHEDULED_ASSERT(slot.entry.index == i, "an entry stands at its index");
    SCHEDULED_ASSERT(slot.entry.term == run->term, "an entry has the term that the runs say");
    SCHEDULED_ASSERT(slot.weight_through == weight, "weights add up");
  }
}

}  // namespace scheduled::raft
