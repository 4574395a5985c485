// What the core wants done, in the order of the fields of raft::Effects. Raft lane.
#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "consensus/host.h"

namespace scheduled {
namespace {

absl::Status WhyNot(raft::ProposalFailure failure, const NodeId& leader) {
  switch (failure) {
    case raft::ProposalFailure::kNotLeader: {
      const std::string text = leader.empty()
                                   ? "this node is not the leader, and knows of none"
                                   : "this node is not the leader; node '" + leader.value + "' is";
      return absl::UnavailableError(absl::string_view(text.data(), text.size()));
    }
    case raft::ProposalFailure::kTransferring:
      return absl::UnavailableError("the leadership is about to move");
    case raft::ProposalFailure::kOverloaded:
      return absl::ResourceExhaustedError("too much is proposed and not applied yet");
    case raft::ProposalFailure::kTooLarge:
      return absl::InvalidArgumentError("the command is larger than an entry may be");
    case raft::ProposalFailure::kInvalid:
      return absl::InvalidArgumentError("this change of members makes no sense");
    case raft::ProposalFailure::kChangeInProgress:
      return absl::UnavailableError("another change of members is under way");
    case raft::ProposalFailure::kSuperseded:
      return absl::UnavailableError("the leadership was lost, and another command took the place");
    case raft::ProposalFailure::kUnknown:
      return absl::UnknownError("a snapshot jumped over the command: it may be applied");
  }
  return absl::UnknownError("the command may be applied");
}

absl::Status WhyNot(raft::ReadFailure failure) {
  switch (failure) {
    case raft::ReadFailure::kNoLeader:
      return absl::UnavailableError("no leader is known");
    case raft::ReadFailure::kLeaderChanged:
      return absl::UnavailableError("the leader changed while the read waited");
    case raft::ReadFailure::kTimeout:
      return absl::UnavailableError("the leader did not answer within an election timeout");
    case raft::ReadFailure::kOverloaded:
      return absl::ResourceExhaustedError("too many reads wait");
  }
  return absl::UnavailableError("the read failed");
}

absl::Status OutcomeOf(raft::TransferOutcome outcome) {
  switch (outcome) {
    case raft::TransferOutcome::kDone:
      return absl::OkStatus();
    case raft::TransferOutcome::kRefused:
      return absl::FailedPreconditionError(
          "this node is not the leader, there is no such voter, or another transfer is under way");
    case raft::TransferOutcome::kTimedOut:
      return absl::DeadlineExceededError(
          "the target did not catch up within an election timeout; this node still leads");
  }
  return absl::UnknownError("the transfer ended in an unknown way");
}

}  // namespace

void Host::Do(raft::Effects& effects) {
  // A lease ends before the term does, also for who reads between these two.
  if (lease_term_ != core_->term().value) {
    lease_until_ = INT64_MIN;
    lease_term_ = core_->term().value;
  }
  lease_until_ = effects.lease_until.nanos;
  for (const raft::RoleChanged& change : effects.role_changes) DoRoleChange(change);
  if (effects.configuration) DoConfiguration(*effects.configuration);
  if (effects.persist) DoPersist(*std::move(effects.persist));
  ReleaseSends();
  for (raft::Send& send : effects.sends) DoSend(std::move(send));
  DoProposals(effects);
  if (effects.apply) DoApply(*effects.apply);
  DoReads(effects);
  for (const raft::FetchEntries& fetch : effects.fetches) DoFetch(fetch);
  for (const raft::SnapshotAnswered& answered : effects.snapshot_answers) {
    snapshots_.OnReply(answered.peer, answered.reply);
  }
  for (const raft::SendSnapshot& send : effects.send_snapshots) {
    snapshots_.Send(send.peer, core_->applied());
  }
  if (effects.install) BeginInstall(*effects.install);
  DoTransfersEnded(effects.transfers_ended);
  ArmTimer(effects.next_deadline);
}

void Host::DoRoleChange(const raft::RoleChanged& change) {
  log_.Info("role changed", {{"role", RoleName(ToRole(change.role))},
                             {"term", change.term.value},
                             {"leader", change.leader.value}});
  if (std::exchange(leading_, false)) {
    applier_.LeadNoMore();
    snapshots_.StopSending();
    // Most of what was under way is decided by the next leader soon; whoever waits longer is told
    // that nobody knows.
    const MonoTime patience = clock_.MonoNow() + core_options_.election_max;
    parts_.raft->PostAt(patience, [this, through = last_proposal_] {
      applier_.ExpireProposals(through);
      applier_.Kick();
    });
  }
  if (change.role == raft::Role::kLeader) {
    leading_ = true;
    applier_.Lead(change.term, change.term_start);
  }
  TellRole({ToRole(change.role), change.term, change.leader});
}

void Host::TellRole(RoleChange told) {
  parts_.completions->Post([roles = role_observer_, told = std::move(told)] {
    roles->last = told;
    if (roles->call) roles->call(told);
  });
}

void Host::DoConfiguration(const raft::Configuration& configuration) {
  const raft::Configuration before = std::exchange(configuration_, configuration);
  if (parts_.transport == nullptr || configuration.empty()) return;
  std::erase_if(moved_, [&](const auto& moved) {
    const raft::Member* member = configuration.Find(moved.first);
    return member == nullptr || member->address != moved.second;
  });
  // Those that are given as well, and rather than what the log says: a node that was away knows an
  // old group from its log, and has to answer a leader that came later. But a change that is still
  // to be committed is made now, and whoever gave an address cannot have known of it.
  const bool is_made_now = !before.empty() && core_->commit() < core_->configuration_index();
  std::map<NodeId, std::string> addresses = options_.peers;
  for (const NodeId& id : configuration.Ids()) {
    const raft::Member* known = before.Find(id);
    const std::string& address = configuration.Find(id)->address;
    if (is_made_now && (known == nullptr || known->address != address)) moved_[id] = address;
    addresses.try_emplace(id, address);
  }
  for (const auto& [id, address] : moved_) addresses[id] = address;
  parts_.transport->SetPeers(addresses);
}

void Host::DoPersist(raft::Persist persist) {
  handed_out_ = persist.io_seq;
  if (persist.truncate_from) sizes_.TruncateFrom(*persist.truncate_from);
  for (const raft::Entry& entry : persist.entries) {
    sizes_.Append({entry.index, entry.index, raft::EntryWeight(entry)});
  }
  std::vector<LogWrite> writes;
  LogWrite write = ToLogWrite(parts_.group, std::move(persist));
  ledger_.Follow(write, &writes);
  writes.push_back(std::move(write));
  writer_.Write(handed_out_, std::move(writes));
}

void Host::DoSend(raft::Send send) {
  if (send.after_io > persisted_) {
    held_.push_back(std::move(send));
  } else {
    SendMessage(send.message);
  }
}

void Host::ReleaseSends() {
  while (!held_.empty() && held_.front().after_io <= persisted_) {
    SendMessage(held_.front().message);
    held_.pop_front();
  }
}

void Host::SendMessage(const raft::Message& message) {
  if (parts_.transport == nullptr) return;
  const auto sequence = frame_sequence_.try_emplace(message.to, first_sequence_).first;
  frames_.clear();
  raft::EncodeFrames(message, ++sequence->second, &frames_);
  for (std::string& frame : frames_) {
    SendEnvelope(message.to, EnvelopeKind::kRaft, std::move(frame));
  }
}

void Host::SendEnvelope(const NodeId& to, EnvelopeKind kind, std::string content) {
  Seal(kind, ledger_.cluster_id(), &content);
  parts_.transport->Send(to, FrameClass::kConsensus, std::move(content));
}

void Host::DoProposals(raft::Effects& effects) {
  for (const raft::Proposed& proposed : effects.proposed) {
    auto proposal = proposing_.find(proposed.id);
    SCHEDULED_ASSERT(proposal != proposing_.end(), "an entry comes from one proposal");
    applier_.Register(proposed, std::move(proposal->second));
    proposing_.erase(proposal);
  }
  std::vector<PackedProposal> refused;
  absl::Status why;
  for (const raft::ProposalFailed& failed : effects.proposals_failed) {
    absl::Status reason = WhyNot(failed.failure, core_->leader());
    auto proposal = proposing_.find(failed.id);
    if (proposal == proposing_.end()) {
      applier_.FailProposal(failed.id, std::move(reason));
      continue;
    }
    std::vector<PackedProposal> one;
    one.push_back(std::move(proposal->second));
    proposing_.erase(proposal);
    Refuse(std::move(one), reason);
  }
  SCHEDULED_ASSERT(proposing_.empty(), "each proposal is an entry or has failed");
}

void Host::DoApply(const raft::ApplyRange& range) {
  std::vector<raft::Entry> entries;
  core_->CopyEntries(range.from, range.to, SIZE_MAX, &entries);
  applier_.Apply(range, std::move(entries));
}

void Host::DoReads(raft::Effects& effects) {
  for (const raft::ReadReady& ready : effects.reads_ready) {
    auto waiting = reading_.find(ready.id);
    if (waiting == reading_.end()) continue;
    applier_.AfterApplied(ready.index, std::move(waiting->second));
    reading_.erase(waiting);
  }
  for (const raft::ReadFailed& failed : effects.reads_failed) {
    auto waiting = reading_.find(failed.id);
    if (waiting == reading_.end()) continue;
    for (BarrierDone& done : waiting->second) Complete(std::move(done), WhyNot(failed.failure));
    reading_.erase(waiting);
  }
}

void Host::DoFetch(const raft::FetchEntries& fetch) {
  writer_.Run([this, fetch] {
    raft::EntriesRead read{.fetch = fetch.fetch};
    auto records =
        parts_.log_store->Read(parts_.group, fetch.from, fetch.to.Next(), fetch.max_bytes);
    if (records.ok()) {
      read.found = true;
      for (LogRecord& record : *records) {
        read.entries.push_back({record.term, record.index,
                                static_cast<raft::EntryKind>(record.kind),
                                std::move(record.bytes)});
      }
    } else if (!absl::IsOutOfRange(records.status())) {
      Fail(records.status());
      return;
    }
    Hand(
        [read = std::move(read)](Inbox& inbox) mutable { inbox.reads.push_back(std::move(read)); });
  });
}

void Host::DoTransfersEnded(const std::vector<raft::TransferEnded>& ended) {
  for (const raft::TransferEnded& transfer : ended) {
    auto waiting = transferring_.find(transfer.id);
    if (waiting == transferring_.end()) continue;
    Complete(std::move(waiting->second), OutcomeOf(transfer.outcome));
    transferring_.erase(waiting);
  }
}

}  // namespace scheduled
