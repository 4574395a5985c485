// See sync_model.h.
#include "sim/sync_model.h"

#include <utility>

namespace scheduled::sim {

absl::Status SyncModel::Sync() {
  absl::Duration takes = random_.Between(low_, high_);
  if (random_.Chance(1, 100)) takes *= 10;
  takes += std::exchange(stall_, absl::ZeroDuration());
  loop_.Spend(takes);
  if (std::exchange(fail_, false)) return absl::UnavailableError("simulated: the sync failed");
  return absl::OkStatus();
}

}  // namespace scheduled::sim
