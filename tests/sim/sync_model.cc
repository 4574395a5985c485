// See sync_model.h.
#include "sim/sync_model.h"

#include <utility>

#include "base/assert.h"

namespace scheduled::sim {

absl::Status SyncModel::Sync() {
  absl::Duration takes = random_.Between(low_, high_);
  if (random_.Chance(1, 100)) takes *= 10;
  if (stall_ > absl::ZeroDuration()) Probe("disk.sync-stalled");
  takes += std::exchange(stall_, absl::ZeroDuration());
  loop_.Spend(takes);
  if (std::exchange(fail_, false)) {
    Probe("disk.sync-failed");
    return absl::UnavailableError("simulated: the sync failed");
  }
  return absl::OkStatus();
}

}  // namespace scheduled::sim
