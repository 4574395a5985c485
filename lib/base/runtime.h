// What a node runs on: where its lanes, its clock and its randomness come from. There are two: the
// threads of a process (thread_runtime.h) and a virtual-time event loop (virtual_loop.h), which
// serves ManualClock and the simulator. Nothing else in the library starts a thread, reads a clock
// or asks for random bits, but executors and transports, which are at the edge.
#ifndef SCHEDULED_LIB_BASE_RUNTIME_H_
#define SCHEDULED_LIB_BASE_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/lane.h"
#include "scheduled/clock.h"

namespace scheduled {

// Thread-safe. Outlives every lane that it made.
class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual const Clock& clock() const = 0;
  virtual std::unique_ptr<Lane> NewLane(std::string_view name) = 0;
  // 64 random bits: from the operating system in production, from the seed in the simulator.
  virtual uint64_t Random() = 0;

  // Blocks the calling thread, which is on no lane, until `done` returns true. `done` is looked at
  // again after each call of Wake, so call that once for many results; on a virtual loop, waiting
  // runs the loop without moving time, and gives up (returns false) when nothing is left that could
  // run.
  virtual bool Await(const std::function<bool()>& done) = 0;
  virtual void Wake() = 0;

  // Between these two calls something outside of the lanes is at work and will post to one: an
  // executor's own thread. A virtual loop does not move time meanwhile, so what was done is posted
  // before the end is told. Threads ignore it.
  virtual void BeginExternal() {}
  virtual void EndExternal() {}
};

// What belongs to a clock: the event loop of a ManualClock, else threads. Null means the system's
// clock. The runtime keeps the clock alive.
std::unique_ptr<Runtime> MakeRuntime(std::shared_ptr<const Clock> clock);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_RUNTIME_H_
