// How long a machine's disk takes, and when it fails. Shared by the two stores of one machine; the
// faults change it while the simulation runs. A call that takes time spends it on the lane that
// makes the call (VirtualLoop::Spend).
#ifndef SCHEDULED_TESTS_SIM_SYNC_MODEL_H_
#define SCHEDULED_TESTS_SIM_SYNC_MODEL_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/random.h"
#include "base/virtual_loop.h"

namespace scheduled::sim {

class SyncModel {
 public:
  SyncModel(VirtualLoop* loop, Random random) : loop_(*loop), random_(random) {}

  // What an ordinary sync takes: between the two, and now and then ten times as long.
  void SetPace(absl::Duration low, absl::Duration high) { low_ = low, high_ = high; }
  // The next sync takes so much longer.
  void StallNext(absl::Duration by) { stall_ = by; }
  // The next sync fails.
  void FailNext() { fail_ = true; }
  // While the disk is full, nothing can be written.
  void SetFull(bool full) { full_ = full; }
  bool full() const { return full_; }
  void Heal() { stall_ = absl::ZeroDuration(), fail_ = full_ = false; }

  // Spends the time of one sync on the calling lane. An error: it failed, after that time.
  absl::Status Sync();
  MonoTime now() const { return loop_.now(); }
  Random& random() { return random_; }

 private:
  VirtualLoop& loop_;
  Random random_;
  absl::Duration low_ = absl::Microseconds(100);
  absl::Duration high_ = absl::Milliseconds(1);
  absl::Duration stall_ = absl::ZeroDuration();
  bool fail_ = false;
  bool full_ = false;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SYNC_MODEL_H_
