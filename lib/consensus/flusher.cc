// See flusher.h. The decision is made on the apply lane; the flush runs where the host says.
#include "consensus/flusher.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace scheduled {

void Flusher::Applied(size_t bytes) {
  unflushed_bytes_ += bytes;
  if (flushing_ || held_) return;
  if (unflushed_bytes_ >= std::min(kFlushLogBytes, parts_.log_bytes)) {
    Begin();
  } else if (!armed_) {
    armed_ = true;
    timer_ = parts_.apply->PostAt(parts_.clock->MonoNow() + kFlushInterval, [this] {
      armed_ = false;
      if (!flushing_ && !held_) Begin();
    });
  }
}

void Flusher::FlushBeside(Task then) {
  if (parts_.flush == nullptr) {
    std::move(then)();
    return;
  }
  waiting_.push_back(std::move(then));
  if (!flushing_ && !held_) Begin();
}

void Flusher::Hold(Task held) {
  SCHEDULED_ASSERT(!held_, "one at a time is alone with the state");
  held_ = true;
  if (flushing_) {
    on_held_ = std::move(held);
  } else {
    parts_.apply->Post(std::move(held));
  }
}

void Flusher::Release() {
  SCHEDULED_ASSERT(held_ && !flushing_, "nothing was flushed while it was held");
  held_ = false;
  GoOn();
}

void Flusher::Begin() {
  SCHEDULED_ASSERT(!flushing_ && !held_, "one flush at a time, and none beside an install");
  if (armed_) parts_.apply->Cancel(timer_);
  armed_ = false;
  flushing_ = true;
  unflushed_bytes_ = 0;
  ending_ = std::exchange(waiting_, {});
  if (parts_.flush == nullptr) {
    // Behind what waits: whoever is answered now need not wait for the flush.
    parts_.apply->Post([this] { Ended(FlushNow()); });
    return;
  }
  parts_.flush->Post([this] {
    const bool flushed = FlushNow();
    parts_.apply->Post([this, flushed] { Ended(flushed); });
  });
}

bool Flusher::FlushNow() {
  absl::Status flushed = parts_.state_machine->Flush();
  if (!flushed.ok()) {
    events_.failed(flushed);
    return false;
  }
  absl::StatusOr<LogIndex> durable = parts_.state_machine->Durable();
  if (!durable.ok()) {
    events_.failed(durable.status());
    return false;
  }
  events_.flushed(*durable);
  return true;
}

void Flusher::Ended(bool flushed) {
  flushing_ = false;
  for (Task& then : std::exchange(ending_, {})) {
    if (flushed) std::move(then)();
  }
  if (held_) {
    std::exchange(on_held_, nullptr)();
  } else {
    GoOn();
  }
}

void Flusher::GoOn() {
  if (!waiting_.empty()) {
    Begin();
  } else if (unflushed_bytes_ > 0) {
    // What came meanwhile waits for the timer from now on, or is enough for the next.
    Applied(0);
  }
}

}  // namespace scheduled
