// Decides when what was applied is made durable: after so much log, or so long after the oldest
// write that is not. (The table store flushes by itself when its memory is full.) What is durable
// then may be cut from the log. Works on the apply lane, and flushes there or, where the owner
// gives a lane for it, beside Apply. Owned by the host.
#ifndef SCHEDULED_LIB_CONSENSUS_FLUSHER_H_
#define SCHEDULED_LIB_CONSENSUS_FLUSHER_H_

#include <cstddef>
#include <functional>

#include "base/lane.h"
#include "base/runtime.h"
#include "scheduled/state_machine.h"

namespace scheduled {

// The more, the longer the replay after a crash, and the more log is kept.
inline constexpr size_t kFlushLogBytes = size_t{32} << 20;
inline constexpr absl::Duration kFlushInterval = absl::Seconds(60);

struct FlusherParts {
  const Clock* clock = nullptr;
  StateMachine* state_machine = nullptr;
  Lane* apply = nullptr;
  Lane* flush = nullptr;              // null: the apply lane
  size_t log_bytes = kFlushLogBytes;  // no more than that
};

// Called on the lane that flushes.
struct FlusherEvents {
  std::function<void(LogIndex durable)> flushed;
  std::function<void(absl::Status)> failed;
};

class Flusher {
 public:
  Flusher(FlusherParts parts, FlusherEvents events) : parts_(parts), events_(std::move(events)) {}

  // Apply lane: so many bytes of log were applied.
  void Applied(size_t bytes);

 private:
  void Begin();
  void FlushNow();
  void Ended();

  const FlusherParts parts_;
  const FlusherEvents events_;

  // Apply lane.
  size_t unflushed_bytes_ = 0;  // since the last flush began
  bool armed_ = false;
  TimerId timer_;
  bool flushing_ = false;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_FLUSHER_H_
