// Bookkeeping of the writes that are under way; there are few at any time.
#include "raft/writes.h"

#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"

namespace scheduled::raft {

void Writes::Truncated(LogIndex from) {
  SCHEDULED_ASSERT(from.value > 0, "a truncation begins at an entry");
  if (from > handed_out_) return;  // nothing of it has left memory
  truncate_from_ = truncate_from_ ? std::min(*truncate_from_, from) : from;
  handed_out_ = from.Prev();
  if (!IsPlanted(Bug::kDurableNotRolledBack)) durable_ = std::min(durable_, handed_out_);
  if (IsPlanted(Bug::kLateCompletionCounts)) return;
  for (Write& write : pending_) write.last = std::min(write.last, handed_out_);
}

void Writes::Reset(LogIndex index) {
  // Whatever is still under way was for a log that is gone.
  for (Write& write : pending_) write.last = index;
  truncate_from_.reset();
  handed_out_ = index;
  durable_ = index;
}

IoSeq Writes::HardStateSeq() const {
  if (hard_state_dirty_) return next_;
  return hard_state_seq_ > done_ ? hard_state_seq_ : IoSeq();
}

IoSeq Writes::SeqFor(LogIndex index) const {
  const IoSeq hard_state = HardStateSeq();
  if (index <= durable_) return hard_state;
  if (index > handed_out_) return next_;
  const auto write = std::find_if(pending_.begin(), pending_.end(),
                                  [&](const Write& each) { return each.last >= index; });
  SCHEDULED_ASSERT(write != pending_.end(), "what was handed out and is not durable is under way");
  return std::max(hard_state, write->seq);
}

std::optional<Writes::Next> Writes::Take(MonoTime now, LogIndex last) {
  SCHEDULED_ASSERT(handed_out_ <= last, "no entry is written that is not in the log");
  if (!hard_state_dirty_ && !truncate_from_ && handed_out_ == last) return std::nullopt;
  Next next{next_, hard_state_dirty_, truncate_from_, handed_out_.Next()};
  if (hard_state_dirty_) hard_state_seq_ = next_;
  hard_state_dirty_ = false;
  truncate_from_.reset();
  handed_out_ = last;
  pending_.push_back(Write{next_, last, now});
  next_ = next_.Next();
  return next;
}

bool Writes::Done(IoSeq seq) {
  SCHEDULED_ASSERT(seq < next_, "a write is done that was handed out");
  if (seq <= done_) return false;  // a late or repeated word
  const auto first_left = std::find_if(pending_.begin(), pending_.end(),
                                       [&](const Write& each) { return each.seq > seq; });
  for (auto done = pending_.begin(); done != first_left; ++done) {
    durable_ = std::max(durable_, done->last);
  }
  pending_.erase(pending_.begin(), first_left);
  done_ = seq;
  return true;
}

std::optional<MonoTime> Writes::OldestSince() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.front().since;
}

void Writes::CheckInvariants(LogIndex last) const {
  SCHEDULED_ASSERT(durable_ <= handed_out_, "what is durable was handed out");
  SCHEDULED_ASSERT(handed_out_ <= last, "no entry is written that is not in the log");
  IoSeq seq = done_;
  LogIndex through = durable_;
  for (const Write& write : pending_) {
    SCHEDULED_ASSERT(write.seq == seq.Next(), "writes are numbered without a gap");
    SCHEDULED_ASSERT(write.last >= through, "a later write never makes less durable");
    seq = write.seq;
    through = write.last;
  }
  SCHEDULED_ASSERT(seq.Next() == next_, "every write that is not done is under way");
  SCHEDULED_ASSERT(through == handed_out_, "what was handed out is durable or under way");
}

}  // namespace scheduled::raft
