// One thread for what a transport does later: the next attempt to connect, and the destruction of
// what gRPC has just called from (a stream and its channel must not die inside of their own
// callback). Owned by the transport.
#ifndef SCHEDULED_LIB_TRANSPORT_GRPC_ALARM_THREAD_H_
#define SCHEDULED_LIB_TRANSPORT_GRPC_ALARM_THREAD_H_

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace scheduled::peer {

class AlarmThread {
 public:
  using Work = absl::AnyInvocable<void() &&>;

  AlarmThread();
  ~AlarmThread();  // implies Stop

  // Runs `work` on the thread after `delay`; dropped, on this or the calling thread, after Stop.
  void After(absl::Duration delay, Work work);
  // Runs nothing more and drops what waits. Not from the thread itself. Idempotent.
  void Stop();

 private:
  using Instant = std::chrono::steady_clock::time_point;

  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Instant, Work> waiting_;  // guarded by mutex_
  bool stopped_ = false;                  // guarded by mutex_
  std::thread thread_;
};

}  // namespace scheduled::peer

#endif  // SCHEDULED_LIB_TRANSPORT_GRPC_ALARM_THREAD_H_
