// Two vectors under a lock, swapped out as a whole. A busy I/O thread is not woken: it looks in at
// each round.
#include "executor/webhook/inbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/assert.h"

namespace scheduled::webhook {

Inbox::Inbox() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  SCHEDULED_ASSERT(wake_ >= 0, "the system has a file descriptor left for an eventfd");
}

Inbox::~Inbox() { close(wake_); }

void Inbox::Submit(Submission submission) {
  Put([&](Batch& batch) { batch.runs.push_back(std::move(submission)); });
}

void Inbox::Cancel(DeliveryId id) {
  Put([&](Batch& batch) { batch.cancels.push_back(id); });
}

void Inbox::Stop() {
  Put([](Batch& batch) { batch.stop = true; });
}

template <typename Change>
void Inbox::Put(Change change) {
  {
    std::lock_guard lock(mutex_);
    change(batch_);
    if (std::exchange(signalled_, true)) return;
  }
  const uint64_t one = 1;
  const ssize_t written = write(wake_, &one, sizeof(one));
  // A full counter is a wake as well.
  (void)written;
}

void Inbox::Take(Batch* batch) {
  batch->runs.clear();
  batch->cancels.clear();
  std::lock_guard lock(mutex_);
  batch->runs.swap(batch_.runs);
  batch->cancels.swap(batch_.cancels);
  batch->stop = batch_.stop;
  signalled_ = false;
}

}  // namespace scheduled::webhook
