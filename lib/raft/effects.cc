// Keeping the buffers of effects.
#include "raft/effects.h"

namespace scheduled::raft {

bool Effects::empty() const {
  return role_changes.empty() && !configuration && !persist && sends.empty() && proposed.empty() &&
         proposals_failed.empty() && !apply && reads_ready.empty() && reads_failed.empty() &&
         fetches.empty() && snapshot_answers.empty() && send_snapshots.empty() && !install &&
         transfers_ended.empty();
}

void Effects::Clear() {
  lease_until = MonoTime{INT64_MIN};
  role_changes.clear();
  configuration.reset();
  persist.reset();
  sends.clear();
  proposed.clear();
  proposals_failed.clear();
  apply.reset();
  reads_ready.clear();
  reads_failed.clear();
  fetches.clear();
  snapshot_answers.clear();
  send_snapshots.clear();
  install.reset();
  transfers_ended.clear();
  next_deadline = MonoTime::Infinite();
}

}  // namespace scheduled::raft
