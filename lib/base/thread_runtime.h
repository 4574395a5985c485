// The runtime of production: each lane is a thread, time is a Clock's (the system's unless a host
// brings its own), random bits are the operating system's. Timers are precise to some tens of
// microseconds and follow steps of the wall clock at once, in both directions.
#ifndef SCHEDULED_LIB_BASE_THREAD_RUNTIME_H_
#define SCHEDULED_LIB_BASE_THREAD_RUNTIME_H_

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/runtime.h"

namespace scheduled {

class ThreadLane;

// Thread-safe. A lane costs one thread and three file descriptors, and sleeps without polling.
class ThreadRuntime final : public Runtime {
 public:
  // Null means the system's clock.
  explicit ThreadRuntime(std::shared_ptr<const Clock> clock = nullptr);
  ~ThreadRuntime() override;

  const Clock& clock() const override { return *clock_; }
  // The thread is named after the lane, cut to the 15 bytes that Linux allows. It blocks all
  // signals: these are for the host's own threads.
  std::unique_ptr<Lane> NewLane(std::string_view name) override;
  uint64_t Random() override;
  bool Await(const std::function<bool()>& done) override;
  void Wake() override;

  // A host's own clock was stepped: every lane looks at its wall timers again. Steps of the
  // system's clock are noticed without this.
  void ClockStepped();

 private:
  friend class ThreadLane;
  void Forget(ThreadLane* lane);

  const std::shared_ptr<const Clock> clock_;

  std::mutex lanes_mu_;
  std::vector<ThreadLane*> lanes_;

  std::mutex wake_mu_;
  std::condition_variable wake_cv_;
  uint64_t wake_count_ = 0;

  std::mutex random_mu_;
  std::array<uint64_t, 32> random_pool_;
  size_t random_left_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_THREAD_RUNTIME_H_
