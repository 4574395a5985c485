// Keeps runs away from a destination that keeps failing. Pure: time is a parameter, and it holds no
// runs; whoever owns it (one for each host) asks before each request and reports each outcome.
//
//   state      what holds in it                event                      next       by
//   closed     failures_ < limit, in a row     success                    closed     Report
//                                              failure, fewer than limit  closed     Report
//                                              failure, the limit-th      open       BecomeOpen
//   open       none is let before reopens_at_  Ask at or after it         half-open  BecomeHalfOpen
//   half-open  at most one request is out,     Ask, no probe out          half-open  Ask
//              the probe                       success of the probe       closed     BecomeClosed
//                                              failure of the probe       open       BecomeOpen
//                                              probe without a verdict    half-open  Report
//
// Each change of state begins a new round. A ticket carries the round in which it was admitted, and
// the outcome of an older round changes nothing: what was sent before the pause says nothing about
// the host after it.
//
// After: M. Nygard, "Release It!" (2007), chapter 5.2.
#ifndef SCHEDULED_LIB_EXECUTOR_CIRCUIT_BREAKER_H_
#define SCHEDULED_LIB_EXECUTOR_CIRCUIT_BREAKER_H_

#include <cstdint>
#include <optional>
#include <variant>

#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

struct BreakerLimits {
  int failures = 5;  // in a row; 0: never opens
  absl::Duration pause = absl::Seconds(30);
};

enum class Verdict : uint8_t {
  kSuccess,  // the destination works
  kFailure,  // it does not
  kNone,     // the request ended without telling, as a cancelled one does
};

class CircuitBreaker {
 public:
  enum class State : uint8_t { kClosed, kOpen, kHalfOpen };

  // Leave to send one request; to be reported exactly once.
  struct Ticket {
    uint64_t round = 0;
  };
  // Not now, and not before `until`.
  struct Paused {
    MonoTime until;
  };
  // Not now: the probe decides. Ask again once it is reported.
  struct Probing {};
  using Answer = std::variant<Ticket, Paused, Probing>;

  explicit CircuitBreaker(BreakerLimits limits) : limits_(limits) {}

  Answer Ask(MonoTime now);
  // When a pause that still holds ends; nullopt: Ask would not answer Paused.
  std::optional<MonoTime> PausedUntil(MonoTime now) const;
  void Report(Ticket ticket, Verdict verdict, MonoTime now);

  State state() const { return state_; }
  // True if a new breaker would behave as this one does: it may be forgotten.
  bool IsFresh() const { return state_ == State::kClosed && failures_ == 0; }
  void CheckInvariants() const;

 private:
  void BecomeClosed();
  void BecomeOpen(MonoTime now);
  void BecomeHalfOpen();

  BreakerLimits limits_;
  State state_ = State::kClosed;
  uint64_t round_ = 1;      // only grows
  int failures_ = 0;        // closed: in a row; else 0
  MonoTime reopens_at_;     // open only
  bool probe_out_ = false;  // half-open only
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_EXECUTOR_CIRCUIT_BREAKER_H_
