// See node.h: opening, the way of messages, and when this node leads. The orderly end is in
// node_close.cc.
#include "scheduler/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "consensus/raft_parts.h"
#include "executor/noop_executor.h"
#include "scheduler/peer_codec.h"
#include "scheduler/session_times.h"

namespace scheduled {
namespace {

// What waits for the dispatch lane while that stands still, because an executor's Run does or
// because of the machine: frames beyond are dropped, as a network may, and calls are refused.
constexpr size_t kMaxInboxBytes = size_t{64} << 20;
// A call that waits, beside its command.
constexpr size_t kCallBytes = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<Node>> Node::Open(NodeOptions options, NodeParts parts) {
  std::unique_ptr<Node> node(new Node(std::move(options), std::move(parts)));
  if (absl::Status started = node->Start(); !started.ok()) return started;
  return node;
}

Node::Node(NodeOptions options, NodeParts parts)
    : options_(std::move(options)),
      runtime_(parts.runtime),
      log_store_(parts.log_store),
      tables_(parts.tables),
      transport_(std::move(parts.transport)),
      disk_(parts.disk),
      snapshots_(parts.snapshots),
      told_cluster_id_(std::move(parts.on_cluster_id)),
      log_(Logger(options_.log).With("node", options_.node_id.value)),
      raft_lane_(runtime_->NewLane("raft")),
      log_lane_(runtime_->NewLane("log")),
      apply_(runtime_->NewLane("apply")),
      flush_(runtime_->NewLane("flush")),
      read_(runtime_->NewLane("read")),
      dispatch_(runtime_->NewLane("dispatch")),
      completions_(runtime_->NewLane("completions")) {
  const auto send = [this](const NodeId& to, PeerMessage message) {
    SendTo(to, std::move(message));
  };
  replies_ = std::make_unique<Replies>(runtime_, dispatch_.get(), completions_.get());
  forwarding_ = std::make_unique<Forwarding>(
      options_.node_id, ForwardingParts{runtime_, dispatch_.get(), send, options_.request_timeout});
  worker_ = std::make_unique<Worker>(
      WorkerOptions{options_.node_id, options_.boot, options_.alone(), options_.external_executors,
                    options_.feature_level, SessionTimes(options_.election_timeout)},
      WorkerParts{runtime_, dispatch_.get(), &statistics_, log_, send,
                  [this](RunNumber run) { return RunUuid(cluster_id_, run).ToString(); }});
  calls_ = std::make_unique<Inbox<WriteCallPtr>>(dispatch_.get(), kMaxInboxBytes,
                                                 [this](std::vector<WriteCallPtr> calls) {
                                                   for (WriteCallPtr& call : calls)
                                                     forwarding_->Begin(std::move(call));
                                                 });
  const auto receive = [this](std::vector<std::pair<NodeId, PeerMessage>> messages) {
    for (auto& [from, message] : messages) Receive(from, std::move(message));
  };
  mail_ = std::make_unique<Inbox<std::pair<NodeId, PeerMessage>>>(dispatch_.get(), kMaxInboxBytes,
                                                                  receive);
}

absl::Status Node::Start() {
  absl::StatusOr<std::unique_ptr<jobs::JobStateMachine>> machine =
      jobs::JobStateMachine::Open(*tables_, {.last_level = options_.feature_level});
  if (!machine.ok()) return machine.status();
  machine_ = *std::move(machine);
  machine_->SetObserver(this);
  if (absl::Status registered = Register("noop", std::make_unique<NoopExecutor>());
      !registered.ok()) {
    return registered;
  }

  RaftOptions raft;
  raft.node_id = options_.node_id;
  raft.peers = options_.peers;
  raft.log = options_.log;
  raft.heartbeat_interval = options_.heartbeat_interval;
  raft.election_timeout = options_.election_timeout;
  raft.lease = LeaseFor(options_.election_timeout);
  raft.compact_log_bytes = options_.compact_log_bytes;
  raft.log_tail_bytes = std::min(raft.log_tail_bytes, options_.compact_log_bytes / 8);
  raft.snapshot_bytes_per_second = options_.snapshot_bytes_per_second;
  RaftParts parts;
  parts.runtime = runtime_;
  parts.log_store = log_store_;
  parts.state_machine = machine_.get();
  parts.transport = transport_.get();
  parts.raft = raft_lane_.get();
  parts.log = log_lane_.get();
  parts.apply = apply_.get();
  parts.completions = dispatch_.get();
  parts.flush = flush_.get();
  parts.disk = disk_;
  parts.snapshots = snapshots_;
  parts.on_cluster_id = [this](const std::string& id) { return OnClusterId(id); };
  absl::StatusOr<std::unique_ptr<RaftNode>> node =
      RaftNode::OpenWith(std::move(raft), std::move(parts));
  if (!node.ok()) return node.status();
  raft_ = *std::move(node);
  raft_->OnRoleChange([this](const RoleChange& change) { OnRoleChange(change); });
  raft_->OnApplicationFrame([this](const NodeId& from, std::string frame) {
    absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
    if (!message.ok()) {
      Probe("node.frame-malformed");
      log_.Warn("dropped a frame",
                {{"peer", from.value}, {"error", std::string(message.status().message())}});
      return;
    }
    if (!mail_->Reserve(frame.size())) {
      Probe("node.frame-dropped");
      return;
    }
    mail_->Push({from, *std::move(message)}, frame.size());
  });
  return absl::OkStatus();
}

void Node::StopUsingRaft() {
  std::unique_lock lock(raft_mutex_);
  stopped_ = true;
}

ClusterStatus Node::status() const {
  std::shared_lock lock(raft_mutex_);
  return stopped_ ? ClusterStatus{.node_id = options_.node_id} : raft_->status();
}

bool Node::HasLease() const {
  std::shared_lock lock(raft_mutex_);
  return !stopped_ && raft_->HasLease();
}

Node::~Node() {
  StopUsingRaft();
  // First all that runs, then what it might look at.
  for (Lane* lane : {dispatch_.get(), read_.get(), completions_.get(), raft_lane_.get(),
                     log_lane_.get(), apply_.get(), flush_.get()}) {
    lane->Stop();
  }
  forwarding_->Close();
  raft_.reset();
  leader_.reset();
  calls_->Close();
  machine_.reset();
}

absl::Status Node::Register(std::string_view name, std::unique_ptr<Executor> executor) {
  return worker_->Register(name, std::move(executor));
}

Uuid Node::NewId() {
  return uuids_.Next(runtime_->clock().WallNow(), {runtime_->Random(), runtime_->Random()});
}

absl::Status Node::OnClusterId(const std::string& cluster_id) {
  {
    std::lock_guard lock(cluster_mutex_);
    if (queries_ != nullptr) return absl::OkStatus();
    cluster_id_ = cluster_id;
    queries_ = std::make_unique<jobs::Queries>(*tables_, cluster_id);
    queries_ready_.store(queries_.get(), std::memory_order_release);
  }
  return told_cluster_id_ ? told_cluster_id_(cluster_id) : absl::OkStatus();
}

// --- Calls --------------------------------------------------------------------------------------

void Node::Write(pb::Command command, ReplyTo reply_to,
                 absl::AnyInvocable<void(WriteResult) &&> done) {
  ++begun_;
  const size_t bytes = command.ByteSizeLong() + kCallBytes;
  if (!calls_->Reserve(bytes)) {
    WriteResult overloaded = WithReason(
        absl::ResourceExhaustedError("too many requests wait at this node"), "overloaded");
    if (reply_to == ReplyTo::kWaiter) return std::move(done)(std::move(overloaded));
    return completions_->Post(
        [done = std::move(done), overloaded]() mutable { std::move(done)(std::move(overloaded)); });
  }
  if (command.request_id().empty()) command.set_request_id(NewId().ToBytes());
  auto call =
      std::make_unique<WriteCall>(std::move(command), replies_->Via(reply_to, std::move(done)));
  call->deadline = runtime_->clock().MonoNow() + options_.request_timeout;
  // Of a node that is closed; dropped, it answers for itself.
  if (!calls_->Push(std::move(call), bytes)) dispatch_->Post([call = std::move(call)] {});
}

void Node::Barrier(ReplyTo reply_to, Completion<absl::Status> done) {
  ++begun_;
  AskBarrier({replies_->Via(reply_to, std::move(done)),
              runtime_->clock().MonoNow() + options_.request_timeout});
}

void Node::RefuseClosed(Completion<absl::Status> done) {
  dispatch_->Post([done = std::move(done)]() mutable {
    std::move(done)(absl::UnavailableError("the node was closed"));
  });
}

void Node::AskBarrier(PendingBarrier barrier) {
  std::shared_lock lock(raft_mutex_);
  if (stopped_) return RefuseClosed(std::move(barrier.done));
  raft_->Barrier([this, barrier = std::move(barrier)](absl::Status outcome) mutable {
    OnBarrier(std::move(barrier), std::move(outcome));
  });
}

void Node::OnBarrier(PendingBarrier barrier, absl::Status outcome) {
  const bool again =
      absl::IsUnavailable(outcome) && !stopped_ && runtime_->clock().MonoNow() < barrier.deadline;
  if (!again) return std::move(barrier.done)(std::move(outcome));
  Probe("node.read-waits-for-leader");
  barriers_.push_back(std::move(barrier));
  if (barrier_timer_ != TimerId()) return;
  barrier_timer_ = dispatch_->PostAt(runtime_->clock().MonoNow() + Forwarding::kTick, [this] {
    barrier_timer_ = {};
    RetryBarriers();
  });
}

void Node::RetryBarriers() {
  for (PendingBarrier& barrier : std::exchange(barriers_, {})) {
    AskBarrier(std::move(barrier));
  }
}

void Node::Transfer(std::optional<NodeId> to, ReplyTo reply_to, Completion<absl::Status> done) {
  ++begun_;
  Completion<absl::Status> reply = replies_->Via(reply_to, std::move(done));
  std::shared_lock lock(raft_mutex_);
  if (stopped_) return RefuseClosed(std::move(reply));
  raft_->Transfer(std::move(to), std::move(reply));
}

// --- Messages -----------------------------------------------------------------------------------

void Node::SendTo(const NodeId& to, PeerMessage message) {
  if (to == options_.node_id) {
    // Bounded by what made it, on this very lane.
    mail_->Push({to, std::move(message)}, 0);
  } else if (!stopped_) {
    raft_->SendApplicationFrame(to, EncodePeerMessage(message));
  }
}

void Node::Receive(const NodeId& from, PeerMessage message) {
  if (auto* beat = std::get_if<HeartbeatMessage>(&message)) {
    if (leader_) leader_->sessions().OnHeartbeat(from, *beat);
  } else if (auto* report = std::get_if<ReportMessage>(&message)) {
    if (leader_) leader_->sessions().OnReport(from, *report);
  } else if (auto* answer = std::get_if<HeartbeatAnswerMessage>(&message)) {
    worker_->OnHeartbeatAnswer(from, *answer);
  } else if (auto* channel = std::get_if<ChannelMessages>(&message)) {
    worker_->OnChannel(from, *channel);
    OnCloseProgress();
  } else if (auto* request = std::get_if<ForwardRequestMessage>(&message)) {
    forwarding_->OnRequest(from, std::move(*request));
  } else if (auto* forwarded = std::get_if<ForwardAnswerMessage>(&message)) {
    forwarding_->OnAnswer(from, std::move(*forwarded));
  }
}

// --- Leading ------------------------------------------------------------------------------------

void Node::OnLeading(bool leader, Term term) {
  if (!leader) {
    dispatch_->Post([this, term] {
      if (leader_ != nullptr && leader_->term() == term) EndTerm();
    });
    return;
  }
  absl::StatusOr<std::vector<jobs::QueueHead>> heads = machine_->Heads();
  read_->Post([this, term, heads = std::move(heads)]() mutable {
    absl::StatusOr<TermBeginning> beginning =
        heads.ok() ? ReadTermBeginning(*tables_, term) : heads.status();
    if (beginning.ok()) beginning->heads = *std::move(heads);
    dispatch_->Post([this, beginning = std::move(beginning)]() mutable {
      OnTermBeginning(std::move(beginning));
    });
  });
}

void Node::OnQueueHead(std::string_view queue, std::optional<int64_t> ready_us) {
  dispatch_->Post([this, queue = std::string(queue), ready_us] {
    if (leader_ != nullptr) {
      leader_->dispatcher().OnQueueHead(queue, ready_us);
    } else if (beginning_) {
      // Before the first command of the term nothing changes a queue.
      Probe("node.queue-before-term");
    }
  });
}

void Node::OnTermBeginning(absl::StatusOr<TermBeginning> beginning) {
  if (!beginning.ok()) return OnFailedRead("what a leader begins with", beginning.status());
  if (beginning_ && beginning_->term > beginning->term) return;
  beginning_ = *std::move(beginning);
  DropBeginning();
  BeginTerm();
}

// What a term was to begin with, once it cannot begin any more: it holds the jobs of all claims.
void Node::DropBeginning() {
  if (!beginning_ || beginning_->term > over_) return;
  Probe("node.term-over-before-it-began");
  beginning_.reset();
}

void Node::OnFailedRead(std::string_view what, const absl::Status& why) {
  Probe("node.read-failed");
  const std::string text = absl::StrCat("cannot read ", absl::string_view(what.data(), what.size()),
                                        ": ", why.message());
  std::shared_lock lock(raft_mutex_);
  if (!stopped_) raft_->Fail(absl::Status(why.code(), text));
}

void Node::AfterRead(const absl::Status& read) {
  // These two speak of what was asked for, not of the tables.
  if (read.ok() || absl::IsNotFound(read) || absl::IsInvalidArgument(read)) return;
  OnFailedRead("what was asked for", read);
}

void Node::OnRoleChange(const RoleChange& change) {
  const bool leads = change.role == Role::kLeader;
  if (leads && change.term != leading_) statistics_.Elected();
  if (change.term > Term()) over_ = std::max(over_, Term(change.term.value - 1));
  if (!leads) over_ = std::max(over_, leading_);
  leading_ = leads ? change.term : Term();
  DropBeginning();
  if (leader_ != nullptr && leader_->term() != leading_) EndTerm();
  worker_->SetLeader(change.leader, change.term);
  forwarding_->SetLeader(change.leader);
  if (!change.leader.empty()) RetryBarriers();
  BeginTerm();
}

TermParts Node::PartsOfTerm() {
  TermParts parts;
  parts.options = &options_;
  parts.runtime = runtime_;
  parts.dispatch = dispatch_.get();
  parts.apply = apply_.get();
  parts.read = read_.get();
  parts.raft = raft_.get();
  parts.machine = machine_.get();
  parts.tables = tables_;
  parts.statistics = &statistics_;
  parts.log = log_;
  parts.send = [this](const NodeId& to, PeerMessage message) { SendTo(to, std::move(message)); };
  parts.failed = [this](std::string_view what, const absl::Status& why) {
    OnFailedRead(what, why);
  };
  parts.on_drain_progress = [this] { OnCloseProgress(); };
  return parts;
}

void Node::BeginTerm() {
  if (stopped_ || leader_ != nullptr || !beginning_ || leading_ == Term() ||
      beginning_->term != leading_) {
    return;
  }
  log_.Info("leading", {{"term", leading_.value},
                        {"sessions", beginning_->sessions.size()},
                        {"claims", beginning_->claims.size()}});
  leader_ = std::make_unique<Leader>(PartsOfTerm(), *beginning_, forwarding_->on_call_end());
  beginning_.reset();
  if (draining_) leader_->dispatcher().Drain();
  worker_->Beat();
  forwarding_->SetLocal(&leader_->writes());
}

void Node::EndTerm() {
  log_.Info("leads no more", {{"term", leader_->term().value}});
  // First where calls go, so that those that the leader drops wait for the next one.
  forwarding_->SetLocal(nullptr);
  leader_.reset();
}

void Node::CheckInvariants() const {
  worker_->CheckInvariants();
  if (leader_ != nullptr) leader_->CheckInvariants();
}

}  // namespace scheduled
