// One write request on its way: made where it enters the cluster, carried from node to leader, and
// answered once, whatever happens to it: one that is dropped (its lane has stopped, the term that
// it waited in is over) answers from its destructor, by what is known about it.
#ifndef SCHEDULED_LIB_SCHEDULER_WRITE_CALL_H_
#define SCHEDULED_LIB_SCHEDULER_WRITE_CALL_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "proto/commands.pb.h"
#include "scheduled/reason.h"
#include "scheduled/types.h"

namespace scheduled {

// Apply's answer, refusals included; or why there is none: kUnavailable (definitely not applied),
// kUnknown, kResourceExhausted, kInvalidArgument.
using WriteResult = absl::StatusOr<pb::Answer>;

struct WriteCall {
  WriteCall(pb::Command c, absl::AnyInvocable<void(WriteResult) &&> d)
      : command(std::move(c)), bytes(command.ByteSizeLong()), done(std::move(d)) {}
  WriteCall(const WriteCall&) = delete;
  WriteCall& operator=(const WriteCall&) = delete;
  ~WriteCall() {
    if (done) Answer(Failure());
  }

  void Answer(WriteResult result) { std::exchange(done, nullptr)(std::move(result)); }
  // What to say about a call that nobody carries on.
  absl::Status Failure() const {
    if (maybe_applied) {
      return WithReason(absl::UnknownError(
                            "it is not known whether the request was carried out; read, or send it "
                            "again with the same id"),
                        "unknown_outcome");
    }
    return WithReason(absl::UnavailableError("no leader could carry out the request in time; it "
                                             "was not carried out"),
                      "no_leader");
  }

  const std::string& request_id() const { return command.request_id(); }

  pb::Command command;         // request id set; no stamp; what the leader computes not yet
  const size_t bytes;          // of the command as it came
  bool maybe_applied = false;  // some attempt may have been, or may still be, applied
  MonoTime deadline;           // of the entry node's patience
  int recomputed = 0;          // by the present leader, since it was stale
  bool forwarded = false;      // from another node, which tries again itself
  absl::AnyInvocable<void(WriteResult) &&> done;
};

using WriteCallPtr = std::unique_ptr<WriteCall>;

// Told of the end of one attempt to carry a call out.
using OnCallEnd = std::function<void(WriteCallPtr, WriteResult)>;

// A call in the hands of one leader. Dropped (its term ended while it waited), it goes back to
// whoever gave it, as not carried out. Where it waits, it can be ended from beside: whoever goes on
// with it then finds it empty.
class CarriedCall {
 public:
  class State {
   public:
    State(WriteCallPtr call, const OnCallEnd* on_end) : call_(std::move(call)), on_end_(on_end) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      if (!call_) return;
      End(proposed_ ? absl::UnknownError("the node stopped before the command's outcome was known")
                    : absl::UnavailableError("the leader's term ended"));
    }
    void End(WriteResult result) { (*on_end_)(std::move(call_), std::move(result)); }
    // It waits for something else than Raft, and has done so for longer than anybody waits for it.
    bool IsOverdue(MonoTime now) const { return call_ && !proposed_ && call_->deadline <= now; }

   private:
    friend class CarriedCall;
    WriteCallPtr call_;
    const OnCallEnd* on_end_;
    bool proposed_ = false;
  };

  // `on_end` outlives it.
  CarriedCall(WriteCallPtr call, const OnCallEnd* on_end)
      : state_(std::make_shared<State>(std::move(call), on_end)) {}
  CarriedCall(CarriedCall&& other) noexcept = default;
  CarriedCall& operator=(CarriedCall&&) = delete;

  WriteCall* operator->() const { return state_->call_.get(); }
  explicit operator bool() const { return state_ != nullptr && state_->call_ != nullptr; }
  // It is about to be proposed: dropped from here on, it may have been applied.
  void MarkProposed() { state_->proposed_ = true; }
  void End(WriteResult result) { state_->End(std::move(result)); }
  std::weak_ptr<State> state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_WRITE_CALL_H_
