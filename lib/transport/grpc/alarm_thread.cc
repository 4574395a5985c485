// See alarm_thread.h.
#include "transport/grpc/alarm_thread.h"

#include <utility>

namespace scheduled::peer {

AlarmThread::AlarmThread() : thread_([this] { Run(); }) {}

AlarmThread::~AlarmThread() { Stop(); }

void AlarmThread::After(absl::Duration delay, Work work) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  waiting_.emplace(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay),
                   std::move(work));
  changed_.notify_one();
}

void AlarmThread::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void AlarmThread::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
    } else if (auto first = waiting_.begin(); first->first > std::chrono::steady_clock::now()) {
      // A copy: the node may be gone when the wait looks at its deadline again.
      const Instant until = first->first;
      changed_.wait_until(lock, until);
    } else {
      Work work = std::move(first->second);
      waiting_.erase(first);
      lock.unlock();
      std::move(work)();
      work = nullptr;
      lock.lock();
    }
  }
  std::multimap<Instant, Work> dropped = std::move(waiting_);
  lock.unlock();
}

}  // namespace scheduled::peer
