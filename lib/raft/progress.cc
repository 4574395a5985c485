// The transitions of progress.h. Whatever a peer claims, match never falls and next stays above it.
#include "raft/progress.h"

#include <algorithm>

#include "base/assert.h"
#include "base/planted.h"

namespace scheduled::raft {

bool Progress::IsPaused(size_t max_messages, size_t max_bytes) const {
  switch (state_) {
    case PeerState::kProbe:
      return probe_sent_;
    case PeerState::kReplicate:
      return inflight_.size() >= max_messages || inflight_bytes_ >= max_bytes;
    case PeerState::kSnapshot:
      return true;
  }
  return true;
}

void Progress::Sent(MonoTime now, LogIndex last, size_t bytes) {
  if (state_ == PeerState::kProbe) {
    probe_sent_ = true;
    stirred_ = now;
    return;
  }
  SCHEDULED_ASSERT(state_ == PeerState::kReplicate, "nothing is sent during a snapshot");
  if (last < next_) return;
  if (inflight_.empty()) stirred_ = now;
  inflight_.push_back(Inflight{last, bytes});
  inflight_bytes_ += bytes;
  next_ = last.Next();
}

bool Progress::Taken(MonoTime now, LogIndex index) {
  const bool fresh = index > match_ || IsPlanted(Bug::kStaleAckMovesMatch);
  if (fresh) {
    match_ = index;
    stirred_ = now;
  }
  while (!inflight_.empty() && inflight_.front().last <= match_) {
    inflight_bytes_ -= inflight_.front().bytes;
    inflight_.pop_front();
  }
  if (state_ == PeerState::kProbe && (fresh || index.Next() >= next_)) {
    BecomeReplicate();
  }
  next_ = std::max(next_, match_.Next());
  return fresh;
}

bool Progress::Refused(LogIndex previous, LogIndex next_guess) {
  if (previous <= match_) return false;  // it has been taken since
  if (state_ == PeerState::kSnapshot) return false;
  if (state_ == PeerState::kProbe && previous.Next() != next_) return false;
  if (previous >= next_) return false;  // sent before the last time that it was probed
  BecomeProbe();
  next_ = std::max(match_.Next(), std::min(previous, next_guess));
  return true;
}

bool Progress::AnsweredHeartbeat(MonoTime now, absl::Duration patience) {
  const bool waiting = state_ == PeerState::kProbe ? probe_sent_ : !inflight_.empty();
  if (!waiting || now < stirred_ + patience) return false;
  if (state_ == PeerState::kProbe) {
    probe_sent_ = false;
    return false;
  }
  stirred_ = now;
  return state_ == PeerState::kReplicate;
}

void Progress::BecomeProbe() {
  state_ = PeerState::kProbe;
  probe_sent_ = false;
  next_ = match_.Next();
  ClearInflight();
}

void Progress::BecomeReplicate() {
  state_ = PeerState::kReplicate;
  probe_sent_ = false;
  next_ = match_.Next();
  ClearInflight();
}

void Progress::BecomeSnapshot() {
  state_ = PeerState::kSnapshot;
  ClearInflight();
}

void Progress::SnapshotEnded(LogIndex index, bool installed) {
  if (state_ != PeerState::kSnapshot) return;
  BecomeProbe();
  if (installed) next_ = std::max(next_, index.Next());
}

void Progress::ClearInflight() {
  inflight_.clear();
  inflight_bytes_ = 0;
  fetch = 0;
}

void Progress::CheckInvariants(LogIndex last) const {
  SCHEDULED_ASSERT(match_ < next_, "next is behind match");
  SCHEDULED_ASSERT(match_ <= last && next_.value <= last.value + 1, "a follower is within the log");
  SCHEDULED_ASSERT(state_ == PeerState::kReplicate || inflight_.empty(),
                   "a window belongs to replication");
  size_t bytes = 0;
  LogIndex through = match_;
  for (size_t i = 0; i < inflight_.size(); ++i) {
    const Inflight& each = inflight_[i];
    SCHEDULED_ASSERT(each.last > through && each.last < next_, "a window lies in [match, next)");
    through = each.last;
    bytes += each.bytes;
  }
  SCHEDULED_ASSERT(bytes == inflight_bytes_, "permits of a window add up");
  SCHEDULED_ASSERT(inflight_.empty() || through.Next() == next_, "a window ends at next");
}

}  // namespace scheduled::raft
