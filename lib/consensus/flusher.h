// Decides when what was applied is made durable: after so much log, or so long after the oldest
// write that is not. (The table store flushes by itself when its memory is full.) What is durable
// then may be cut from the log. Works on the apply lane, and flushes there or, where the owner
// gives a lane for it, beside Apply. Owned by the host.
//
// A flush is the one thing that touches the state machine elsewhere than on the apply lane, and all
// of them begin here: so whoever has to be alone with the state, an install, asks here.
#ifndef SCHEDULED_LIB_CONSENSUS_FLUSHER_H_
#define SCHEDULED_LIB_CONSENSUS_FLUSHER_H_

#include <cstddef>
#include <functional>
#include <vector>

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

  // All on the apply lane. So many bytes of log were applied.
  void Applied(size_t bytes);
  // Calls `then`; where there is a lane for it, once a flush beside Apply has left little that
  // `then` would have to flush itself. Never, if that flush fails.
  void FlushBeside(Task then);
  // Calls `held` once no flush is under way; none begins until Release.
  void Hold(Task held);
  void Release();

 private:
  void Begin();
  bool FlushNow();
  void Ended(bool flushed);
  void GoOn();

  const FlusherParts parts_;
  const FlusherEvents events_;

  // Apply lane.
  size_t unflushed_bytes_ = 0;  // since the last flush began
  bool armed_ = false;
  TimerId timer_;
  bool flushing_ = false;
  std::vector<Task> ending_;   // with the flush that is under way
  std::vector<Task> waiting_;  // for the next one
  bool held_ = false;          // no flush begins
  Task on_held_;               // waits for the end of the flush that is under way
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_FLUSHER_H_
