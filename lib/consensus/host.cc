// See host.h. Here: life, events into the core, and what callers ask for; the effects are carried
// out in host_effects.cc and host_pump.cc, the log is kept in host_log.cc.
#include "consensus/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "consensus/packing.h"

namespace scheduled {
namespace {

// A packed entry has room for its header within the largest entry.
constexpr size_t kPackedOverheadBytes = kPackedHeaderBytes + kPackedCommandBytes;
// Of reads, and of messages of peers, that the raft lane has not taken yet.
constexpr size_t kMaxWaiting = 65536;
constexpr size_t kMaxWaitingPieces = 16;
constexpr size_t kMaxWaitingAsked = 256;
// Of max_log_bytes: how long the log may grow by commands of ProposalClass::kInternal. Changes of
// members have no such bound: they are few, and what brings a member back or does without it.
constexpr uint64_t kInternalLogShare = 2;

raft::Options CoreOptions(const RaftOptions& options, const RaftParts& parts) {
  raft::Options core;
  core.self = options.node_id;
  core.group = parts.group;
  core.disk = parts.disk;
  core.seed = parts.runtime->Random();
  core.heartbeat = options.heartbeat_interval;
  core.election_min = options.election_timeout;
  core.election_max = 2 * options.election_timeout;
  core.lease = options.lease;
  core.max_entry_bytes = options.max_entry_bytes;
  core.max_unapplied_bytes = options.max_unapplied_bytes;
  return core;
}

SnapshotLimits LimitsOf(const RaftOptions& options) {
  SnapshotLimits limits;
  limits.pacing.bytes_per_second = options.snapshot_bytes_per_second;
  limits.pacing.patience = options.snapshot_patience;
  limits.log_bytes = options.snapshot_log_bytes;
  limits.tail_bytes = options.log_tail_bytes;
  return limits;
}

absl::Status Sentence(absl::StatusCode code, const std::string& text) {
  return absl::Status(code, absl::string_view(text.data(), text.size()));
}

}  // namespace

Role ToRole(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return Role::kFollower;
    case raft::Role::kPreCandidate:
    case raft::Role::kCandidate:
      return Role::kCandidate;
    case raft::Role::kLeader:
      return Role::kLeader;
  }
  return Role::kFollower;
}

absl::StatusOr<std::unique_ptr<Host>> Host::Open(RaftOptions options, RaftParts parts) {
  if (absl::Status valid = options.Validate(); !valid.ok()) return valid;
  if (parts.transport == nullptr && options.peers.size() > 1) {
    return absl::InvalidArgumentError("a group of several needs a transport");
  }
  if (parts.snapshots != nullptr) {
    if (absl::Status cleared = parts.snapshots->RemoveAll(); !cleared.ok()) return cleared;
  }
  absl::StatusOr<Recovery> recovery = Recover(options, parts);
  if (!recovery.ok()) return recovery.status();
  std::unique_ptr<Host> host(new Host(std::move(options), parts, *std::move(recovery)));
  if (!host->cluster_id_.empty()) {
    if (absl::Status told = host->TellClusterId(host->cluster_id_); !told.ok()) return told;
  }
  return host;
}

Host::Host(RaftOptions options, RaftParts parts, Recovery recovery)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      clock_(parts_.runtime->clock()),
      log_(Logger(options_.log).With("node", options_.node_id.value)),
      core_options_(CoreOptions(options_, parts_)),
      proposals_({options_.max_batch_bytes, static_cast<size_t>(options_.max_batch_commands)}),
      cluster_id_(recovery.ledger.cluster_id()),
      role_observer_(std::make_shared<RoleObserver>()),
      sizes_(std::move(recovery.sizes)),
      ledger_(std::move(recovery.ledger)),
      first_sequence_(parts_.runtime->Random()),
      flushed_(recovery.flushed),
      writer_(parts_.log_store, parts_.log,
              {[this](raft::IoSeq seq) { Hand([seq](Inbox& inbox) { inbox.persisted = seq; }); },
               [this](absl::Status why) { Fail(why); }}),
      applier_({parts_.state_machine, parts_.log_store, parts_.group, parts_.apply,
                parts_.completions, &flusher_},
               {[this](LogIndex index, size_t bytes) {
                  flusher_.Applied(bytes);
                  Leave([index](Inbox& inbox) { inbox.applied = index; });
                },
                [this](size_t bytes) { unapplied_bytes_ -= bytes; },
                [this](absl::Status why) { Fail(why); },
                [this](const absl::Status& installed) {
                  const InstallStep step =
                      installed.ok() ? InstallStep::kReplaced : InstallStep::kRefused;
                  if (!installed.ok()) {
                    log_.Error("a snapshot that was received is of no use",
                               {{"error", installed.ToString()}});
                  }
                  Hand([step](Inbox& inbox) { inbox.install = step; });
                }}),
      flusher_(
          {&clock_, parts_.state_machine, parts_.apply, parts_.flush,
           static_cast<size_t>(options_.compact_log_bytes / 4)},
          {[this](LogIndex durable) { Hand([durable](Inbox& inbox) { inbox.flushed = durable; }); },
           [this](absl::Status why) { Fail(why); }}),
      snapshots_({parts_, options_.node_id, log_}, LimitsOf(options_), EventsOfSnapshots()) {
  CountLog();
  core_.emplace(core_options_, std::move(recovery.core), clock_.MonoNow());
  if (options_.peers.size() > 1 && !HasData()) {
    bootstrap_.emplace(raft::Member{options_.node_id, "", parts_.disk}, options_.peers);
  }
}

absl::Status Host::Start() {
  if (parts_.transport != nullptr) {
    parts_.transport->SetPeers(options_.peers);
    absl::Status started = parts_.transport->Start(
        {.node = options_.node_id, .cluster_id = cluster_id_},
        [this](const NodeId& from, FrameClass frame_class, std::string frame) {
          Receive(from, frame_class, std::move(frame));
        });
    if (!started.ok()) return started;
  }
  Wake();
  if (bootstrap_) parts_.raft->Post([this] { AskForData(); });
  return absl::OkStatus();
}

Host::~Host() {
  if (parts_.transport != nullptr) parts_.transport->Stop();
  applier_.Interrupt();
  for (Lane* lane : {parts_.raft, parts_.log, parts_.apply, parts_.flush, parts_.files}) {
    if (lane != nullptr) lane->Stop();
  }
  failed_ = true;
  const absl::Status why = absl::UnavailableError("this node is stopping");
  Refuse(proposals_.Close(why), why);
  for (Inbox* inbox : {&inbox_, &taken_}) Complete(*inbox, why);
  for (auto& [id, waiting] : reading_) {
    for (BarrierDone& done : waiting) Complete(std::move(done), why);
  }
  for (auto& [id, done] : transferring_) Complete(std::move(done), why);
  applier_.Abandon(why);
}

void Host::Wake() {
  if (woken_.exchange(true)) return;
  parts_.raft->Post([this] {
    woken_ = false;
    Pump();
  });
}

void Host::Fail(const absl::Status& why) {
  {
    std::lock_guard lock(state_mutex_);
    if (!failure_.ok()) return;
    failure_ = why;
  }
  failed_ = true;
  log_.Error("this node stops: it cannot go on after an error", {{"error", why.ToString()}});
  Wake();
}

void Host::Complete(Completion<absl::Status> done, absl::Status outcome) {
  parts_.completions->Post([done = std::move(done), outcome = std::move(outcome)]() mutable {
    std::move(done)(std::move(outcome));
  });
}

// All that waits in an inbox.
void Host::Complete(Inbox& inbox, const absl::Status& why) {
  for (BarrierDone& done : inbox.barriers) Complete(std::move(done), why);
  for (TransferRequest& transfer : inbox.transfers) Complete(std::move(transfer.done), why);
  for (MembersRequest& members : inbox.members) Complete(std::move(members.done), why);
}

void Host::Refuse(std::vector<PackedProposal> proposals, const absl::Status& why) {
  if (proposals.empty()) return;
  for (const PackedProposal& proposal : proposals) unapplied_bytes_ -= proposal.weight;
  parts_.completions->Post([proposals = std::move(proposals), why]() mutable {
    for (PackedProposal& proposal : proposals) {
      for (ProposeDone& done : proposal.waiting) std::move(done)(why);
    }
  });
}

absl::Status Host::LimitsAllow(size_t command_bytes, ProposalClass proposal_class) const {
  if (command_bytes + kPackedOverheadBytes > options_.max_entry_bytes) {
    return Sentence(absl::StatusCode::kInvalidArgument,
                    fmt::format("a command of {} bytes is larger than an entry may be, {} bytes",
                                command_bytes, options_.max_entry_bytes - kPackedOverheadBytes));
  }
  if (unapplied_bytes_ + CommandWeight(command_bytes) > options_.max_unapplied_bytes) {
    return absl::ResourceExhaustedError("too much is proposed and not applied yet");
  }
  const bool is_client = proposal_class == ProposalClass::kClient;
  if (uncuttable_bytes_ / (is_client ? 1 : kInternalLogShare) > options_.max_log_bytes) {
    return absl::ResourceExhaustedError(
        "the log has reached its limit and cannot be cut: a member is down or far behind");
  }
  return absl::OkStatus();
}

void Host::Propose(std::string command, ProposeDone done, ProposeOptions options) {
  const size_t bytes = command.size();
  absl::Status status = LimitsAllow(bytes, options.proposal_class);
  if (status.ok()) {
    unapplied_bytes_ += CommandWeight(bytes);
    status = proposals_.Push(command, done, options);
    if (status.ok()) {
      Wake();
      return;
    }
    unapplied_bytes_ -= CommandWeight(bytes);
  }
  parts_.completions->Post([done = std::move(done), status = std::move(status)]() mutable {
    std::move(done)(std::move(status));
  });
}

void Host::Barrier(BarrierDone done) {
  Leave([&](Inbox& inbox) {
    if (inbox.barriers.size() < kMaxWaiting) {
      inbox.barriers.push_back(std::move(done));
    } else {
      Complete(std::move(done), absl::ResourceExhaustedError("too many reads wait"));
    }
  });
}

void Host::Transfer(std::optional<NodeId> to, Completion<absl::Status> done) {
  Leave([&](Inbox& inbox) { inbox.transfers.push_back({std::move(to), std::move(done)}); });
}

// What would be of no use even if it were committed: nobody could be reached under such a name, or
// at all, and the node would not be opened with such members again.
absl::Status Host::CheckChanges(const std::vector<MemberChange>& changes) const {
  for (const MemberChange& change : changes) {
    if (!IsNodeId(change.id)) {
      return Sentence(absl::StatusCode::kInvalidArgument,
                      fmt::format("'{}' is no node id", change.id.value));
    }
    const bool adds = change.kind != MemberChangeKind::kRemove && change.id != options_.node_id;
    if (adds && parts_.transport == nullptr) {
      return absl::FailedPreconditionError("a group of several needs a transport");
    }
  }
  return absl::OkStatus();
}

void Host::ChangeMembers(std::vector<MemberChange> changes, Completion<absl::Status> done) {
  if (absl::Status checked = CheckChanges(changes); !checked.ok()) {
    Complete(std::move(done), std::move(checked));
    return;
  }
  Leave([&](Inbox& inbox) { inbox.members.push_back({std::move(changes), std::move(done)}); });
}

bool Host::HasLease() const { return !failed_ && clock_.MonoNow().nanos < lease_until_.load(); }

// Terms only grow: if it is the same before and after, what lies between is of this term.
bool Host::HasLease(Term term) const {
  return lease_term_.load() == term.value && HasLease() && lease_term_.load() == term.value;
}

void Host::OnRoleChange(std::function<void(const RoleChange&)> observer) {
  parts_.completions->Post([roles = role_observer_, observer = std::move(observer)]() mutable {
    roles->call = std::move(observer);
    if (roles->last) roles->call(*roles->last);
  });
}

void Host::OnApplicationFrame(ApplicationHandler handler) {
  std::lock_guard lock(state_mutex_);
  on_application_ = std::make_shared<const ApplicationHandler>(std::move(handler));
}

void Host::SendApplicationFrame(const NodeId& to, std::string frame) {
  if (parts_.transport == nullptr) return;
  std::string cluster_id;
  {
    std::lock_guard lock(state_mutex_);
    cluster_id = cluster_id_;
  }
  if (cluster_id.empty()) return;  // nobody listens to a node that belongs nowhere
  const FrameClass frame_class = ClassOf(EnvelopeKind::kApplication, frame.size());
  Seal(EnvelopeKind::kApplication, cluster_id, &frame);
  parts_.transport->Send(to, frame_class, std::move(frame));
}

// On a thread of the transport: decoding and its checksums are no work for the raft lane.
void Host::Receive(const NodeId& from, FrameClass frame_class, std::string frame) {
  if (failed_) return;
  std::optional<Opened> opened = Unseal(&frame);
  if (!opened || ClassOf(opened->kind, frame.size()) != frame_class) return;
  if (!BelongsHere(from, *opened)) return;
  if (opened->kind == EnvelopeKind::kApplication) {
    std::shared_ptr<const ApplicationHandler> handler;
    {
      std::lock_guard lock(state_mutex_);
      handler = on_application_;
    }
    if (handler != nullptr && *handler) (*handler)(from, std::move(frame));
    return;
  }
  if (opened->kind == EnvelopeKind::kSnapshotPiece) {
    if (!DecodePiece(frame).ok()) {
      Probe("consensus.malformed-piece");
      return;
    }
    Leave([&](Inbox& inbox) {
      if (inbox.pieces.size() < kMaxWaitingPieces) {
        inbox.pieces.push_back({from, std::move(frame)});
      }
    });
    return;
  }
  if (opened->kind != EnvelopeKind::kRaft) {
    Leave([&](Inbox& inbox) {
      if (inbox.asked.size() < kMaxWaitingAsked) {
        inbox.asked.push_back({from, opened->kind, std::move(frame)});
      }
    });
    return;
  }
  raft::FrameAssembler* assembler;
  {
    std::lock_guard lock(state_mutex_);
    assembler = &assemblers_[from];
  }
  absl::StatusOr<std::optional<raft::Message>> message = assembler->Add(std::move(frame));
  if (!message.ok()) {
    Probe("consensus.malformed-frame");
    log_.Warn("dropped a malformed frame",
              {{"peer", from.value}, {"error", message.status().ToString()}});
    return;
  }
  if (!message->has_value()) return;
  if ((*message)->from != from) {
    log_.Warn("dropped a message in another's name", {{"peer", from.value}});
    return;
  }
  Leave([&](Inbox& inbox) {
    // Peers send within their windows: more only comes if this lane stands still, and is sent
    // again.
    if (inbox.messages.size() < kMaxWaiting) inbox.messages.push_back(**std::move(message));
  });
}

// A node without a cluster belongs to the one that a peer of its own list speaks for; until it has
// heard so from the log's own frames, it has no application.
bool Host::BelongsHere(const NodeId& from, const Opened& opened) {
  if (opened.kind == EnvelopeKind::kAskData || opened.kind == EnvelopeKind::kTellData) return true;
  if (opened.cluster_id.empty()) return false;
  std::string adopted;
  {
    std::lock_guard lock(state_mutex_);
    if (cluster_id_.empty()) {
      if (opened.kind == EnvelopeKind::kApplication || !options_.peers.contains(from)) return false;
      cluster_id_ = opened.cluster_id;
      adopted = cluster_id_;
    } else if (cluster_id_ != opened.cluster_id) {
      std::string& known = strangers_[from];
      if (known == opened.cluster_id) return false;
      known = opened.cluster_id;
      log_.Warn("a peer belongs to another cluster; its messages are dropped",
                {{"peer", from.value}});
      return false;
    }
  }
  if (!adopted.empty()) {
    Leave([&](Inbox& inbox) { inbox.cluster_id = std::move(adopted); });
  }
  return true;
}

bool Host::HearsQuorum(const raft::Status& core, MonoTime now) const {
  const auto majority = [&](const std::vector<raft::Member>& voters) {
    size_t heard = 0;
    for (const raft::Member& voter : voters) {
      const auto peer = std::find_if(core.peers.begin(), core.peers.end(),
                                     [&](const auto& each) { return each.id == voter.id; });
      const bool is_heard =
          voter.id == options_.node_id ||
          (peer != core.peers.end() && now < peer->last_active + core_options_.election_max);
      if (is_heard) ++heard;
    }
    return heard > voters.size() / 2;
  };
  const raft::Configuration& members = core.configuration;
  return majority(members.voters) && (!members.IsJoint() || majority(members.old_voters));
}

InHand Host::in_hand() const {
  InHand in_hand;
  in_hand.bytes = unapplied_bytes_;
  in_hand.proposals = proposing_.size() + applier_.proposals_in_hand() + !proposals_.empty();
  in_hand.reads = reading_.size() + applier_.barriers_in_hand();
  in_hand.transfers = transferring_.size();
  in_hand.sends = held_.size();
  return in_hand;
}

bool Host::is_written() const {
  return !failed_ && !founding_ && !installing_ && handed_out_ == persisted_;
}

ClusterStatus Host::status() const {
  const MonoTime now = clock_.MonoNow();
  raft::Status core;
  std::optional<Term> applied_term;
  {
    std::lock_guard lock(core_mutex_);
    core = core_->status();
    applied_term = core_->TermAt(core.applied);
  }
  ClusterStatus status;
  status.node_id = options_.node_id;
  status.role = failed_ ? Role::kFollower : ToRole(core.role);
  status.leader = failed_ ? NodeId() : core.leader;
  status.term = core.term;
  status.commit_index = core.commit;
  status.applied_index = core.applied;
  status.first_index = core.first;
  status.last_index = core.last;
  status.log_bytes = log_bytes_;
  status.snapshots_sent = snapshots_.counts().sent;
  status.snapshots_dropped = snapshots_.counts().dropped;
  status.snapshots_received = snapshots_.counts().received;
  // An entry of this term stands behind all that was committed before it. (Commit alone would not
  // do: a node that starts knows of no more than it has applied.)
  status.caught_up = !status.leader.empty() && applied_term == core.term;
  status.has_quorum = core.role == raft::Role::kLeader ? !failed_ && HearsQuorum(core, now)
                                                       : !status.leader.empty();
  for (const NodeId& id : core.configuration.Ids()) {
    ClusterMember member{.id = id, .voter = core.configuration.IsVoter(id)};
    const auto address = options_.peers.find(id);
    member.address =
        address != options_.peers.end() ? address->second : core.configuration.Find(id)->address;
    for (const raft::PeerStatus& peer : core.peers) {
      if (peer.id != id) continue;
      member.match = peer.match;
      member.last_contact = now - peer.last_active;
    }
    if (id == options_.node_id) member.match = core.durable;
    status.members.push_back(std::move(member));
  }
  if (core.configuration.IsMember(options_.node_id) &&
      !core.configuration.IsVoter(options_.node_id) && status.role == Role::kFollower) {
    status.role = Role::kLearner;
  }
  std::lock_guard lock(state_mutex_);
  if (!failure_.ok()) status.failure = failure_.ToString();
  return status;
}

}  // namespace scheduled
