// See clock_agreement.h.
#include "scheduler/clock_agreement.h"

namespace scheduled {

void ClockAgreement::Note(const NodeId& peer, absl::Time peer_wall, MonoTime now) {
  if (peer != self_) readings_[peer] = {peer_wall, now};
}

ClockAgreement::Verdict ClockAgreement::Look(ClockReading own) const {
  if (voters_.size() <= 1) return Verdict::kAgrees;
  const size_t majority = voters_.size() / 2 + 1;
  size_t agree = 0;
  size_t disagree = 0;
  for (const NodeId& voter : voters_) {
    if (voter == self_) {
      ++agree;
      continue;
    }
    const auto it = readings_.find(voter);
    if (it == readings_.end()) continue;
    const absl::Duration age = own.mono - it->second.mono;
    if (age > fresh_) continue;
    const absl::Duration skew = absl::AbsDuration(it->second.wall + age - own.wall);
    ++(skew <= max_skew_ ? agree : disagree);
  }
  if (agree >= majority) return Verdict::kAgrees;
  return voters_.size() - disagree < majority ? Verdict::kDisagrees : Verdict::kUnknown;
}

}  // namespace scheduled
