// The transitions of the table in the header, in its order.
#include "executor/circuit_breaker.h"

#include "base/assert.h"

namespace scheduled {

CircuitBreaker::Answer CircuitBreaker::Ask(MonoTime now) {
  if (const std::optional<MonoTime> until = PausedUntil(now)) return Paused{*until};
  if (state_ == State::kOpen) BecomeHalfOpen();
  if (state_ == State::kHalfOpen) {
    if (probe_out_) return Probing{};
    probe_out_ = true;
  }
  return Ticket{round_};
}

std::optional<MonoTime> CircuitBreaker::PausedUntil(MonoTime now) const {
  if (state_ != State::kOpen || now >= reopens_at_) return std::nullopt;
  return reopens_at_;
}

void CircuitBreaker::Report(Ticket ticket, Verdict verdict, MonoTime now) {
  SCHEDULED_ASSERT(ticket.round <= round_, "a ticket is from this round or an earlier one");
  if (ticket.round != round_) return;
  if (state_ == State::kHalfOpen) {
    SCHEDULED_ASSERT(probe_out_, "the only ticket of a half-open round is the probe's");
    if (verdict == Verdict::kSuccess) return BecomeClosed();
    if (verdict == Verdict::kFailure) return BecomeOpen(now);
    probe_out_ = false;
    return;
  }
  SCHEDULED_ASSERT(state_ == State::kClosed, "an open round hands out no ticket");
  if (verdict == Verdict::kSuccess) failures_ = 0;
  if (verdict != Verdict::kFailure || limits_.failures == 0) return;
  if (++failures_ >= limits_.failures) BecomeOpen(now);
}

void CircuitBreaker::BecomeClosed() {
  state_ = State::kClosed;
  ++round_;
  failures_ = 0;
  probe_out_ = false;
}

void CircuitBreaker::BecomeOpen(MonoTime now) {
  state_ = State::kOpen;
  ++round_;
  failures_ = 0;
  probe_out_ = false;
  reopens_at_ = now + limits_.pause;
}

void CircuitBreaker::BecomeHalfOpen() {
  state_ = State::kHalfOpen;
  ++round_;
  probe_out_ = false;
}

void CircuitBreaker::CheckInvariants() const {
  SCHEDULED_ASSERT(state_ == State::kClosed || failures_ == 0, "failures count while closed");
  SCHEDULED_ASSERT(limits_.failures == 0 || failures_ < limits_.failures,
                   "a closed breaker is below its limit");
  SCHEDULED_ASSERT(limits_.failures > 0 || state_ == State::kClosed,
                   "a breaker without a limit never opens");
  SCHEDULED_ASSERT(state_ == State::kHalfOpen || !probe_out_, "a probe is out only half-open");
}

}  // namespace scheduled
