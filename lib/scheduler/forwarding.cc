// See forwarding.h.
#include "scheduler/forwarding.h"

#include <utility>

#include "base/assert.h"

namespace scheduled {
namespace {

bool IsFinal(const absl::Status& status) {
  return !absl::IsUnavailable(status) && !absl::IsUnknown(status);
}

}  // namespace

Forwarding::Forwarding(NodeId self, ForwardingParts parts)
    : self_(std::move(self)),
      parts_(std::move(parts)),
      on_call_end_([this](WriteCallPtr call, WriteResult result) {
        OnCallEndHere(std::move(call), std::move(result));
      }),
      copies_(2 * parts_.request_timeout) {}

void Forwarding::Begin(WriteCallPtr call) {
  if (closed_) return;  // the call answers for itself
  if (!TakesMore(*call)) {
    call->Answer(WithReason(absl::ResourceExhaustedError("too many requests wait at this node"),
                            "overloaded"));
    return;
  }
  Route(std::move(call));
}

bool Forwarding::TakesMore(const WriteCall& call) const {
  if (local_ != nullptr) return own_.Takes(call);
  return pending() < kMaxPending && pending_bytes_ + call.bytes <= kMaxPendingBytes;
}

void Forwarding::Forget(const WriteCall& call) { pending_bytes_ -= call.bytes; }

void Forwarding::Route(WriteCallPtr call) {
  if (local_ != nullptr) {
    own_.Add(*call);
    return local_->Execute(std::move(call));
  }
  if (!leader_.empty() && leader_ != self_) return SendTo(leader_, std::move(call));
  Wait(std::move(call));
}

void Forwarding::Wait(WriteCallPtr call) {
  pending_bytes_ += call->bytes;
  waiting_.push_back(std::move(call));
  ArmTick();
}

void Forwarding::SendTo(const NodeId& leader, WriteCallPtr call) {
  pending_bytes_ += call->bytes;
  // From here on it is out of our hands until an answer says otherwise.
  const bool again = std::exchange(call->maybe_applied, true);
  parts_.send(leader, ForwardRequestMessage{call->request_id(), call->command});
  const std::string id = call->request_id();
  sent_.insert_or_assign(id,
                         Sent{std::move(call), parts_.runtime->clock().MonoNow(), leader, again});
  ArmTick();
}

void Forwarding::OnCallEndHere(WriteCallPtr call, WriteResult result) {
  if (call->forwarded) {
    foreign_.Remove(*call);
    return call->Answer(std::move(result));
  }
  own_.Remove(*call);
  if (result.ok()) return call->Answer(std::move(result));
  if (absl::IsUnknown(result.status())) call->maybe_applied = true;
  // An earlier attempt may be in the log yet: only its own answer can tell.
  const bool final = IsFinal(result.status()) && !call->maybe_applied;
  if (final) return call->Answer(std::move(result));
  if (closed_) return;
  Probe("forwarding.tried-again");
  call->recomputed = 0;
  Wait(std::move(call));  // for the next leader, or the next tick
}

void Forwarding::SetLeader(const NodeId& leader) {
  if (leader == leader_) return;
  leader_ = leader;
  if (leader_.empty()) return;
  // What was sent to another may never be answered.
  std::vector<WriteCallPtr> again;
  for (auto it = sent_.begin(); it != sent_.end();) {
    Forget(*it->second.call);
    again.push_back(std::move(it->second.call));
    it = sent_.erase(it);
  }
  for (WriteCallPtr& call : again) Route(std::move(call));
  RouteWaiting();
}

void Forwarding::SetLocal(LeaderWrites* writes) {
  local_ = writes;
  if (local_ == nullptr) return;
  std::vector<WriteCallPtr> again;
  for (auto& [id, sent] : sent_) again.push_back(std::move(sent.call));
  sent_.clear();
  for (WriteCallPtr& call : again) {
    Forget(*call);
    Route(std::move(call));
  }
  RouteWaiting();
}

void Forwarding::RouteWaiting() {
  std::deque<WriteCallPtr> waiting = std::exchange(waiting_, {});
  for (WriteCallPtr& call : waiting) {
    Forget(*call);
    Route(std::move(call));
  }
}

// --- Between nodes ------------------------------------------------------------------------------

void Forwarding::OnRequest(const NodeId& from, ForwardRequestMessage request) {
  if (copies_.IsUnderWay(request.request_id)) {
    Probe("forwarding.copy-under-way");
    return;  // the first one is answered
  }
  if (const pb::Answer* refusal = copies_.Refusal(request.request_id)) {
    Probe("forwarding.copy-refused");
    return parts_.send(from, ForwardAnswerMessage{request.request_id, *refusal});
  }
  if (local_ == nullptr || closed_) {
    return parts_.send(from,
                       ForwardAnswerMessage{request.request_id,
                                            absl::UnavailableError("this node does not lead")});
  }
  copies_.Begin(request.request_id);
  const auto answer = [this, from, id = request.request_id](WriteResult result) {
    copies_.End(id, result, parts_.runtime->clock().MonoNow());
    parts_.send(from, ForwardAnswerMessage{id, std::move(result)});
  };
  auto call = std::make_unique<WriteCall>(std::move(request.command), answer);
  if (!foreign_.Takes(*call)) {
    return call->Answer(
        WithReason(absl::ResourceExhaustedError("too many requests are under way"), "overloaded"));
  }
  foreign_.Add(*call);
  call->deadline = parts_.runtime->clock().MonoNow() + parts_.request_timeout;
  call->command.set_request_id(request.request_id);
  call->forwarded = true;
  local_->Execute(std::move(call));
}

void Forwarding::OnAnswer(const NodeId& from, ForwardAnswerMessage answer) {
  const auto it = sent_.find(answer.request_id);
  if (it == sent_.end() || it->second.to != from) return;  // of an attempt that was given up
  if (!answer.answer.ok() && (!IsFinal(answer.answer.status()) || it->second.again)) {
    // Not carried out by that leader, or unknown to it; the tick tries again. Even "not applied"
    // and a refusal are said of one attempt alone, and earlier ones may be under way.
    it->second.at = parts_.runtime->clock().MonoNow() - kResend + kTick;
    it->second.refused = absl::IsUnavailable(answer.answer.status());
    return;
  }
  WriteCallPtr call = std::move(it->second.call);
  Forget(*call);
  sent_.erase(it);
  call->Answer(std::move(answer.answer));
}

// --- Time ---------------------------------------------------------------------------------------

void Forwarding::ArmTick() {
  if (tick_ != TimerId()) return;
  tick_ = parts_.dispatch->PostAt(parts_.runtime->clock().MonoNow() + kTick, [this] {
    tick_ = {};
    Tick();
  });
}

void Forwarding::Tick() {
  const MonoTime now = parts_.runtime->clock().MonoNow();
  std::vector<WriteCallPtr> expired;
  for (auto it = sent_.begin(); it != sent_.end();) {
    Sent& sent = it->second;
    if (sent.call->deadline <= now) {
      Forget(*sent.call);
      expired.push_back(std::move(sent.call));
      it = sent_.erase(it);
      continue;
    }
    if (now - sent.at >= kResend && !leader_.empty() && leader_ != self_) {
      Probe("forwarding.sent-again");
      sent.at = now;
      sent.again |= !std::exchange(sent.refused, false);
      sent.to = leader_;
      parts_.send(leader_, ForwardRequestMessage{it->first, sent.call->command});
    }
    ++it;
  }
  std::deque<WriteCallPtr> waiting = std::exchange(waiting_, {});
  for (WriteCallPtr& call : waiting) {
    Forget(*call);
    if (call->deadline <= now) {
      expired.push_back(std::move(call));
    } else {
      Route(std::move(call));
    }
  }
  for (WriteCallPtr& call : expired) call->Answer(call->Failure());
  if (pending() > 0) ArmTick();
}

void Forwarding::Close() {
  closed_ = true;
  local_ = nullptr;
  sent_.clear();
  waiting_.clear();
  pending_bytes_ = 0;
}

}  // namespace scheduled
