// See flusher.h. The decision is made on the raft lane; the flush runs where the host says.
#include "consensus/flusher.h"

#include <algorithm>

namespace scheduled {

void Flusher::Applied(size_t bytes) {
  unflushed_bytes_ += bytes;
  if (flushing_) return;
  if (unflushed_bytes_ >= std::min(kFlushLogBytes, parts_.log_bytes)) {
    Begin();
  } else if (!armed_) {
    armed_ = true;
    timer_ = parts_.apply->PostAt(parts_.clock->MonoNow() + kFlushInterval, [this] {
      armed_ = false;
      if (!flushing_) Begin();
    });
  }
}

void Flusher::Begin() {
  if (armed_) parts_.apply->Cancel(timer_);
  armed_ = false;
  flushing_ = true;
  unflushed_bytes_ = 0;
  if (parts_.flush == nullptr) {
    // Behind what waits: whoever is answered now need not wait for the flush.
    parts_.apply->Post([this] {
      FlushNow();
      Ended();
    });
    return;
  }
  parts_.flush->Post([this] {
    FlushNow();
    parts_.apply->Post([this] { Ended(); });
  });
}

void Flusher::FlushNow() {
  absl::Status flushed = parts_.state_machine->Flush();
  if (!flushed.ok()) {
    events_.failed(flushed);
    return;
  }
  absl::StatusOr<LogIndex> durable = parts_.state_machine->Durable();
  if (!durable.ok()) {
    events_.failed(durable.status());
    return;
  }
  events_.flushed(*durable);
}

void Flusher::Ended() {
  flushing_ = false;
  // What came meanwhile waits for the timer from now on, or is enough for the next.
  if (unflushed_bytes_ > 0) Applied(0);
}

}  // namespace scheduled
