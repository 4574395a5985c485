// The way of a write from the node that it entered to the leader and back. The request id was
// chosen before and never changes, so that trying again is the same command: after a change of
// leader, a lost frame or an unknown outcome the call simply goes to whoever leads now, until its
// deadline. Every node has one; dispatch lane.
//
//   new ──> at this node's leader ──> answered
//    │            │ not applied, unknown
//    ├──> sent to another leader ──> answered
//    └──> waiting for a leader <──┘
#ifndef SCHEDULED_LIB_SCHEDULER_FORWARDING_H_
#define SCHEDULED_LIB_SCHEDULER_FORWARDING_H_

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/logger.h"
#include "base/runtime.h"
#include "scheduler/leader_writes.h"
#include "scheduler/messages.h"
#include "scheduler/request_copies.h"
#include "scheduler/write_call.h"

namespace scheduled {

struct ForwardingParts {
  Runtime* runtime = nullptr;
  Lane* dispatch = nullptr;
  std::function<void(const NodeId& to, PeerMessage)> send;
  absl::Duration request_timeout;
};

class Forwarding {
 public:
  Forwarding(NodeId self, ForwardingParts parts);

  // A call of this node's host. Its deadline is set.
  void Begin(WriteCallPtr call);

  // Who leads, as far as this node knows; empty: nobody.
  void SetLeader(const NodeId& leader);
  // This node's own leader, ready to execute; null: it is none.
  void SetLocal(LeaderWrites* writes);

  void OnRequest(const NodeId& from, ForwardRequestMessage request);
  void OnAnswer(const NodeId& from, ForwardAnswerMessage answer);

  // What LeaderWrites tells the end of calls to.
  const OnCallEnd* on_call_end() const { return &on_call_end_; }

  // Answers every call that is not in Raft's hands, and refuses what comes.
  void Close();

  size_t pending() const { return waiting_.size() + sent_.size(); }

  static constexpr size_t kMaxPending = 16384;
  static constexpr size_t kMaxPendingBytes = size_t{64} << 20;
  // At this node's leader: of its own host, and of other nodes.
  static constexpr size_t kMaxHeld = 65536;
  static constexpr size_t kMaxHeldBytes = size_t{64} << 20;
  static constexpr absl::Duration kResend = absl::Milliseconds(500);
  static constexpr absl::Duration kTick = absl::Milliseconds(50);

 private:
  struct Sent {
    WriteCallPtr call;
    MonoTime at;
    NodeId to;
    bool again = false;    // an earlier attempt may have been carried out
    bool refused = false;  // this one was not, says its receiver
  };

  // Calls in the hands of this node's leader.
  struct Held {
    size_t calls = 0;
    size_t bytes = 0;
    bool Takes(const WriteCall& call) const {
      return calls < kMaxHeld && bytes + call.bytes <= kMaxHeldBytes;
    }
    void Add(const WriteCall& call) {
      ++calls;
      bytes += call.bytes;
    }
    void Remove(const WriteCall& call) {
      --calls;
      bytes -= call.bytes;
    }
  };

  void OnCallEndHere(WriteCallPtr call, WriteResult result);
  void Route(WriteCallPtr call);
  void Wait(WriteCallPtr call);
  void SendTo(const NodeId& leader, WriteCallPtr call);
  void RouteWaiting();
  bool TakesMore(const WriteCall& call) const;
  void Forget(const WriteCall& call);
  void ArmTick();
  void Tick();

  const NodeId self_;
  const ForwardingParts parts_;
  const OnCallEnd on_call_end_;
  NodeId leader_;
  LeaderWrites* local_ = nullptr;
  bool closed_ = false;
  std::deque<WriteCallPtr> waiting_;
  absl::btree_map<std::string, Sent> sent_;  // by request id
  size_t pending_bytes_ = 0;                 // of both
  Held own_;
  Held foreign_;
  RequestCopies copies_;
  TimerId tick_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_FORWARDING_H_
