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
      : command(std::move(c)), done(std::move(d)) {}
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
// whoever gave it, as not carried out.
class CarriedCall {
 public:
  // `on_end` outlives it.
  CarriedCall(WriteCallPtr call, const OnCallEnd* on_end)
      : call_(std::move(call)), on_end_(on_end) {}
  CarriedCall(CarriedCall&& other) noexcept = default;
  CarriedCall& operator=(CarriedCall&&) = delete;
  ~CarriedCall() {
    if (!call_) return;
    End(proposed_ ? absl::UnknownError("the node stopped before the command's outcome was known")
                  : absl::UnavailableError("the leader's term ended"));
  }

  WriteCall* operator->() const { return call_.get(); }
  explicit operator bool() const { return call_ != nullptr; }
  // It is about to be proposed: dropped from here on, it may have been applied.
  void MarkProposed() { proposed_ = true; }
  void End(WriteResult result) { (*on_end_)(std::move(call_), std::move(result)); }

 private:
  WriteCallPtr call_;
  const OnCallEnd* on_end_;
  bool proposed_ = false;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_WRITE_CALL_H_
