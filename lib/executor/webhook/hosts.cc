// The turns. Waiting runs are a set of growing numbers, which is a queue that a cancel can reach
// into.
#include "executor/webhook/hosts.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "base/assert.h"

namespace scheduled::webhook {

void Hosts::Offer(std::string_view name, Offered run, MonoTime now, Work* work) {
  Host& host = Find(name, now);
  SCHEDULED_ASSERT(host.waiting.empty() || *host.waiting.rbegin() < run.id, "delivery ids grow");
  const bool added = turns_.emplace(run.id, Turn{&host, run.give_up_at, false, {}}).second;
  SCHEDULED_ASSERT(added, "a delivery is offered once");
  host.waiting.insert(run.id);
  expiries_.emplace(run.give_up_at, run.id);
  Advance(host, now, work);
}

void Hosts::Finish(DeliveryId id, Verdict verdict, MonoTime now, Work* work) {
  const auto found = turns_.find(id);
  SCHEDULED_ASSERT(found != turns_.end() && found->second.started, "what ends was started");
  const Turn turn = found->second;
  turns_.erase(found);
  SCHEDULED_ASSERT(turn.host->in_flight > 0, "what ends was in flight");
  --turn.host->in_flight;
  turn.host->breaker.Report(turn.ticket, verdict, now);
  Advance(*turn.host, now, work);
}

void Hosts::Withdraw(DeliveryId id) {
  const auto found = turns_.find(id);
  SCHEDULED_ASSERT(found != turns_.end() && !found->second.started, "what is withdrawn waits");
  Host& host = *found->second.host;
  Leave(host, id);
  turns_.erase(id);
}

void Hosts::Expire(MonoTime now, Work* work) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const DeliveryId id = expiries_.begin()->second;
    Withdraw(id);
    work->returns.push_back({id, kTurnWait, false});
  }
}

MonoTime Hosts::NextExpiry() const {
  return expiries_.empty() ? MonoTime::Infinite() : expiries_.begin()->first;
}

void Hosts::Advance(Host& host, MonoTime now, Work* work) {
  if (const std::optional<MonoTime> until = host.breaker.PausedUntil(now)) {
    return ReturnAfter(host, 0, *until - now, work);
  }
  while (!host.waiting.empty() && host.in_flight < limits_.in_flight) {
    if (!StartFirst(host, now, work)) {
      const absl::Duration wait = std::min(kTurnWait, limits_.breaker.pause);
      return ReturnAfter(host, limits_.in_flight, wait, work);
    }
  }
}

// False if a probe is out and has to be waited for.
bool Hosts::StartFirst(Host& host, MonoTime now, Work* work) {
  const CircuitBreaker::Answer answer = host.breaker.Ask(now);
  const auto* ticket = std::get_if<CircuitBreaker::Ticket>(&answer);
  if (ticket == nullptr) return false;
  const DeliveryId id = *host.waiting.begin();
  Leave(host, id);
  Turn& turn = turns_.find(id)->second;
  turn.started = true;
  turn.ticket = *ticket;
  ++host.in_flight;
  work->starts.push_back(id);
  return true;
}

// Returns what waits behind the first `kept`.
void Hosts::ReturnAfter(Host& host, size_t kept, absl::Duration wait, Work* work) {
  while (host.waiting.size() > kept) {
    const DeliveryId id = *std::next(host.waiting.begin(), static_cast<ptrdiff_t>(kept));
    Leave(host, id);
    turns_.erase(id);
    work->returns.push_back({id, wait, true});
  }
}

// Takes a run out of the waiting ones; its turn stays.
void Hosts::Leave(Host& host, DeliveryId id) {
  const size_t waited = host.waiting.erase(id);
  const size_t expiring = expiries_.erase({turns_.find(id)->second.give_up_at, id});
  SCHEDULED_ASSERT(waited == 1 && expiring == 1, "a waiting run is in both sets");
}

Hosts::Host& Hosts::Find(std::string_view name, MonoTime now) {
  const auto found = hosts_.find(absl::string_view(name.data(), name.size()));
  if (found != hosts_.end()) return *found->second;
  if (hosts_.size() >= forget_at_) ForgetIdle(now);
  return *hosts_.emplace(std::string(name), std::make_unique<Host>(limits_.breaker)).first->second;
}

// Keeps what is in use or paused. What stays is bounded by the runs taken and the hosts that failed
// within one pause; the next look comes when the number has doubled.
void Hosts::ForgetIdle(MonoTime now) {
  absl::erase_if(hosts_, [now](const auto& entry) {
    const Host& host = *entry.second;
    return host.in_flight == 0 && host.waiting.empty() && !host.breaker.PausedUntil(now);
  });
  forget_at_ = std::max(kForgetAt, 2 * hosts_.size());
}

void Hosts::CheckInvariants() const {
  size_t waiting = 0;
  size_t in_flight = 0;
  for (const auto& [name, host] : hosts_) {
    host->breaker.CheckInvariants();
    SCHEDULED_ASSERT(0 <= host->in_flight && host->in_flight <= limits_.in_flight,
                     "a host's requests are within the limit");
    waiting += host->waiting.size();
    in_flight += host->in_flight;
  }
  SCHEDULED_ASSERT(waiting == expiries_.size(), "each waiting run has its limit");
  SCHEDULED_ASSERT(waiting + in_flight == turns_.size(), "each turn waits or is in flight");
}

}  // namespace scheduled::webhook
