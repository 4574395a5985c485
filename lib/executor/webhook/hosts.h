// Who may be sent to now: the turn of each run at its host. Bounds the requests in flight to a
// host, keeps the runs that wait for it in order, and keeps away from a host whose breaker is open.
// Pure: runs are numbers, time is a parameter, and what is to be done comes out as lists. Owned by
// the webhook executor, used on its I/O thread.
//
//   offered ──room at the host──> started ──> finished
//      └──no room──> waiting ──room──> started
//                       └── host paused, or waited too long ──> returned ("not now")
//
// A dead or slow host must hold neither attempts nor capacity: what cannot be sent soon goes back
// to the scheduler, uncounted, with a time to come again, and its place is free for other hosts. So
//   - a run that is offered to a paused host is returned until the pause ends, and so is everything
//     that waits when a host becomes paused;
//   - while a probe is out, at most as many runs wait as may be in flight, the others come again
//     after kTurnWait;
//   - a run waits until its own limit (give_up_at) at most.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_HOSTS_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_HOSTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "executor/circuit_breaker.h"
#include "scheduled/types.h"

namespace scheduled::webhook {

// One delivery within this executor, in order of arrival.
using DeliveryId = StrongInt<struct DeliveryIdTag>;

class Hosts {
 public:
  struct Limits {
    int in_flight = 32;  // requests to one host
    BreakerLimits breaker;
  };
  struct Offered {
    DeliveryId id;
    MonoTime give_up_at;
  };
  struct Returned {
    DeliveryId id;
    absl::Duration wait;
    bool paused = false;  // the breaker is open, or its probe is out; else it waited too long
  };
  // What the calls below ask for; they append.
  struct Work {
    std::vector<DeliveryId> starts;  // send it, then Finish
    std::vector<Returned> returns;   // answer "not now"; it is forgotten here
    bool empty() const { return starts.empty() && returns.empty(); }
  };

  // When a run that had no turn should come again.
  static constexpr absl::Duration kTurnWait = absl::Seconds(5);

  explicit Hosts(Limits limits) : limits_(limits) {}

  // Precondition: ids grow.
  void Offer(std::string_view host, Offered run, MonoTime now, Work* work);
  // A started run ended. kNone: it was cut off, or never sent.
  void Finish(DeliveryId id, Verdict verdict, MonoTime now, Work* work);
  // A waiting run is no longer wanted.
  void Withdraw(DeliveryId id);
  // Returns what waited too long.
  void Expire(MonoTime now, Work* work);
  // When Expire has something to do; Infinite if nothing waits.
  MonoTime NextExpiry() const;

  size_t size() const { return hosts_.size(); }
  void CheckInvariants() const;

 private:
  static constexpr size_t kForgetAt = 1024;

  struct Host {
    explicit Host(BreakerLimits limits) : breaker(limits) {}
    CircuitBreaker breaker;
    int in_flight = 0;
    absl::btree_set<DeliveryId> waiting;
  };
  struct Turn {
    Host* host = nullptr;
    MonoTime give_up_at;
    bool started = false;
    CircuitBreaker::Ticket ticket;  // once started
  };

  Host& Find(std::string_view name, MonoTime now);
  void Advance(Host& host, MonoTime now, Work* work);
  bool StartFirst(Host& host, MonoTime now, Work* work);
  void ReturnAfter(Host& host, size_t kept, absl::Duration wait, Work* work);
  void Leave(Host& host, DeliveryId id);
  void ForgetIdle(MonoTime now);

  const Limits limits_;
  absl::flat_hash_map<std::string, std::unique_ptr<Host>> hosts_;
  absl::flat_hash_map<DeliveryId, Turn> turns_;                // waiting and started
  absl::btree_set<std::pair<MonoTime, DeliveryId>> expiries_;  // of the waiting ones
  size_t forget_at_ = kForgetAt;  // the number of hosts at which idle ones are looked for
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_HOSTS_H_
