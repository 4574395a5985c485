// The texts. Bytes of entries are shown as they are where they are short and printable, otherwise
// by their size.
#include "raft/print.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "fmt/format.h"
#include "raft/codec.h"

namespace scheduled::raft {
namespace {

std::string Name(const NodeId& id) { return id.empty() ? "-" : id.value; }

std::string Bytes(const SharedBuffer& bytes) {
  const std::string_view view = bytes.view();
  const bool shown = view.size() <= 24 && std::all_of(view.begin(), view.end(), [](char c) {
                       return absl::ascii_isprint(static_cast<unsigned char>(c));
                     });
  return shown ? fmt::format("\"{}\"", view) : fmt::format("{} bytes", view.size());
}

std::string Ids(const std::vector<Member>& members) {
  std::string out = "(";
  for (const Member& member : members) {
    if (out.size() > 1) out += ' ';
    out += member.id.value;
  }
  return out + ")";
}

std::string Range(const std::vector<Entry>& entries) {
  std::string out = "[";
  constexpr size_t kShown = 4;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == kShown && entries.size() > kShown + 1) {
      out += fmt::format(", … {}", ToString(entries.back().position()));
      break;
    }
    if (i > 0) out += ", ";
    out += ToString(entries[i]);
  }
  return out + "]";
}

std::string Text(const VoteRequest& body) {
  return fmt::format("{}vote? in term {} with log {}{}", body.pre ? "pre-" : "",
                     body.campaign_term.value, ToString(body.last),
                     body.transfer ? " by transfer" : "");
}
std::string Text(const VoteReply& body) {
  return fmt::format("{}vote in term {} {}", body.pre ? "pre-" : "", body.campaign_term.value,
                     body.granted ? "granted" : "refused: " + ToString(body.refusal));
}
std::string Text(const AppendRequest& body) {
  return fmt::format("append after {} {} commit {}{}", ToString(body.previous), Range(body.entries),
                     body.commit.value, body.quiet ? " quiet" : "");
}
std::string Text(const AppendReply& body) {
  if (body.taken) return fmt::format("append taken through {}", body.match.value);
  return fmt::format("append after {} refused, perhaps after {}", body.previous.value,
                     ToString(body.hint));
}
std::string Text(const Heartbeat& body) { return fmt::format("heartbeat {}", body.round.value); }
std::string Text(const HeartbeatReply& body) {
  return fmt::format("heartbeat {} heard, commit {}", body.round.value, body.commit.value);
}
std::string Text(const ReadRequest& body) { return fmt::format("read {}?", body.batch.value); }
std::string Text(const ReadReply& body) {
  if (!body.ok) return fmt::format("read {} refused", body.batch.value);
  return fmt::format("read {} at {}", body.batch.value, body.index.value);
}
std::string Text(const TimeoutNow&) { return "timeout now"; }
std::string Text(const SnapshotMeta& meta) {
  return fmt::format("snapshot {} with {} of {}", ToString(meta.at), ToString(meta.configuration),
                     meta.configuration_index.value);
}
std::string Text(const SnapshotRequest& body) {
  return fmt::format("transfer {}: {}", body.transfer.value, Text(body.meta));
}
std::string Text(const SnapshotReply& body) {
  return fmt::format("transfer {}: {} {}", body.transfer.value, body.index.value,
                     body.installed ? "installed" : "not installed");
}

std::string Text(const Message& message) { return ToString(message); }
std::string Text(const Propose& event) {
  std::string out = "propose";
  for (const Proposal& each : event.batch) {
    out += fmt::format(" #{} {}", each.id.value, Bytes(each.bytes));
  }
  return out;
}
std::string Text(const ReadBarrier& event) { return fmt::format("read #{}", event.id.value); }
std::string Text(const ChangeMembers& event) {
  std::string out = fmt::format("change members #{}:", event.id.value);
  for (const MemberChange& change : event.changes) {
    static constexpr std::string_view kKinds[] = {"add voter", "add learner", "remove", "replace"};
    out += fmt::format(" {} {}", kKinds[static_cast<size_t>(change.kind)], change.member.id.value);
    if (!change.replaces.empty()) out += fmt::format(" for {}", change.replaces.value);
  }
  return out;
}
std::string Text(const TransferTo& event) {
  return fmt::format("transfer #{} to {}", event.id.value, Name(event.target));
}
std::string Text(const PersistDone& event) { return fmt::format("io {} done", event.io_seq.value); }
std::string Text(const ApplyDone& event) {
  return fmt::format("applied through {}", event.index.value);
}
std::string Text(const EntriesRead& event) {
  return fmt::format("fetch {}: {}", event.fetch, event.found ? Range(event.entries) : "cut");
}
std::string Text(const LogCut& event) { return fmt::format("cut through {}", event.through.value); }
std::string Text(const SnapshotSent& event) {
  return fmt::format("snapshot {} to {} {}", event.index.value, event.peer.value,
                     event.installed ? "installed" : "failed");
}
std::string Text(const SnapshotReceived& event) {
  return fmt::format("received from {} in term {}: {}", event.from.value, event.term.value,
                     Text(event.meta));
}
std::string Text(const SnapshotInstalled& event) {
  return fmt::format("installed {}", Text(event.meta));
}
std::string Text(const SnapshotRefused&) { return "refused the snapshot"; }
std::string Text(const Deadline&) { return "deadline"; }

std::string Text(const Persist& persist) {
  std::string out = fmt::format("persist io {}:", persist.io_seq.value);
  if (persist.hard_state) {
    out += fmt::format(" term {} vote {}", persist.hard_state->term.value,
                       Name(persist.hard_state->vote));
  }
  if (persist.truncate_from) out += fmt::format(" truncate from {}", persist.truncate_from->value);
  if (!persist.entries.empty()) out += " " + Range(persist.entries);
  return out;
}

std::string Instant(MonoTime t) {
  if (t == MonoTime::Infinite()) return "never";
  if (t == MonoTime{INT64_MIN}) return "none";
  return fmt::format("{}us", t.nanos / 1000);
}

}  // namespace

std::string ToString(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  return "?";
}

std::string ToString(PeerState state) {
  switch (state) {
    case PeerState::kProbe:
      return "probe";
    case PeerState::kReplicate:
      return "replicate";
    case PeerState::kSnapshot:
      return "snapshot";
  }
  return "?";
}

std::string ToString(VoteRefusal refusal) {
  switch (refusal) {
    case VoteRefusal::kNone:
      return "none";
    case VoteRefusal::kLeaderAlive:
      return "leader alive";
    case VoteRefusal::kRestarted:
      return "restarted";
    case VoteRefusal::kLogBehind:
      return "log behind";
    case VoteRefusal::kVoted:
      return "voted";
    case VoteRefusal::kTermPast:
      return "term past";
  }
  return "?";
}

std::string ToString(ProposalFailure failure) {
  switch (failure) {
    case ProposalFailure::kNotLeader:
      return "not leader";
    case ProposalFailure::kTransferring:
      return "transferring";
    case ProposalFailure::kOverloaded:
      return "overloaded";
    case ProposalFailure::kTooLarge:
      return "too large";
    case ProposalFailure::kInvalid:
      return "invalid";
    case ProposalFailure::kChangeInProgress:
      return "change in progress";
    case ProposalFailure::kSuperseded:
      return "superseded";
    case ProposalFailure::kUnknown:
      return "unknown";
  }
  return "?";
}

std::string ToString(ReadFailure failure) {
  switch (failure) {
    case ReadFailure::kNoLeader:
      return "no leader";
    case ReadFailure::kLeaderChanged:
      return "leader changed";
    case ReadFailure::kTimeout:
      return "timeout";
    case ReadFailure::kOverloaded:
      return "overloaded";
  }
  return "?";
}

std::string ToString(TransferOutcome outcome) {
  switch (outcome) {
    case TransferOutcome::kDone:
      return "done";
    case TransferOutcome::kRefused:
      return "refused";
    case TransferOutcome::kTimedOut:
      return "timed out";
  }
  return "?";
}

std::string ToString(const LogPosition& at) {
  return fmt::format("{}@{}", at.index.value, at.term.value);
}

std::string ToString(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kCommand:
      return ToString(entry.position()) + " " + Bytes(entry.bytes);
    case EntryKind::kNoop:
      return ToString(entry.position()) + " noop";
    case EntryKind::kConfiguration: {
      const auto configuration = DecodeConfiguration(entry.bytes.view());
      return ToString(entry.position()) + " members " +
             (configuration.ok() ? ToString(*configuration) : "unreadable");
    }
  }
  return "?";
}

std::string ToString(const Configuration& configuration) {
  std::string out = Ids(configuration.voters);
  if (!configuration.learners.empty()) {
    out += " learners (";
    for (size_t i = 0; i < configuration.learners.size(); ++i) {
      const Learner& learner = configuration.learners[i];
      out += fmt::format("{}{}{}", i > 0 ? " " : "", learner.member.id.value,
                         learner.promote ? "+" : "");
      if (!learner.replaces.empty()) out += fmt::format(" for {}", learner.replaces.value);
    }
    out += ")";
  }
  if (configuration.IsJoint()) out += " joint with " + Ids(configuration.old_voters);
  return out;
}

std::string ToString(const Message& message) {
  return fmt::format("{}->{} term {}: {}", message.from.value, message.to.value, message.term.value,
                     std::visit([](const auto& body) { return Text(body); }, message.body));
}

std::string ToString(const Event& event) {
  return std::visit([](const auto& each) { return Text(each); }, event);
}

std::string ToString(const Effects& effects, bool instants) {
  std::string out;
  const auto line = [&out](const std::string& text) { out += text + "\n"; };
  for (const RoleChanged& role : effects.role_changes) {
    line(fmt::format("role {} term {} leader {}", ToString(role.role), role.term.value,
                     Name(role.leader)));
  }
  if (effects.configuration) line("members " + ToString(*effects.configuration));
  if (effects.persist) line(Text(*effects.persist));
  for (const Send& send : effects.sends) {
    const std::string after =
        send.after_io == IoSeq() ? "" : fmt::format(" after io {}", send.after_io.value);
    line(fmt::format("send{} {}", after, ToString(send.message)));
  }
  for (const Proposed& each : effects.proposed) {
    line(fmt::format("proposed #{} as {}", each.id.value, ToString(each.at)));
  }
  for (const ProposalFailed& each : effects.proposals_failed) {
    line(fmt::format("proposal #{} failed: {}", each.id.value, ToString(each.failure)));
  }
  if (effects.apply) {
    line(fmt::format("apply [{}, {}]", effects.apply->from.value, effects.apply->to.value));
  }
  for (const ReadReady& each : effects.reads_ready) {
    line(fmt::format("read #{} ready at {}", each.id.value, each.index.value));
  }
  for (const ReadFailed& each : effects.reads_failed) {
    line(fmt::format("read #{} failed: {}", each.id.value, ToString(each.failure)));
  }
  for (const FetchEntries& each : effects.fetches) {
    line(fmt::format("fetch {} for {}: [{}, {}]", each.fetch, each.peer.value, each.from.value,
                     each.to.value));
  }
  for (const SnapshotAnswered& each : effects.snapshot_answers) {
    line(fmt::format("{} says: {}", each.peer.value, Text(each.reply)));
  }
  for (const SendSnapshot& each : effects.send_snapshots) {
    line(fmt::format("send snapshot of at least {} to {}", each.at_least.value, each.peer.value));
  }
  if (effects.install) line("install " + Text(effects.install->meta));
  for (const TransferEnded& each : effects.transfers_ended) {
    line(fmt::format("transfer #{} {}", each.id.value, ToString(each.outcome)));
  }
  if (instants) {
    line(fmt::format("lease until {}, deadline {}", Instant(effects.lease_until),
                     Instant(effects.next_deadline)));
  }
  return out;
}

std::string ToString(const Status& status) {
  return fmt::format(
      "{} term {} leader {} vote {} log [{}, {}] tail from {} durable {} commit {} applied {}",
      ToString(status.role), status.term.value, Name(status.leader), Name(status.vote),
      status.first.value, status.last.value, status.tail_first.value, status.durable.value,
      status.commit.value, status.applied.value);
}

std::string DebugString(const Core& core) {
  const Status status = core.status();
  std::string out = ToString(status) + " members " + ToString(status.configuration) + "\n";
  for (const PeerStatus& peer : status.peers) {
    out += fmt::format("  {} {} match {} next {} in flight {} ({} bytes)\n", peer.id.value,
                       ToString(peer.state), peer.match.value, peer.next.value,
                       peer.inflight_messages, peer.inflight_bytes);
  }
  return out;
}

}  // namespace scheduled::raft
