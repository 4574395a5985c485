// What a follower does with what its leader sends: section 5.3 of the Raft paper. An answer that
// speaks of entries waits until they are durable. The commit index is believed only as far as the
// message that carries it has matched this log.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "raft/codec.h"
#include "raft/core.h"

namespace scheduled::raft {

// Precondition: the message is of the current term. False: it cannot be from the leader.
bool Core::AcceptLeader(const Message& message) {
  SCHEDULED_ASSERT(role_ != Role::kLeader, "one leader in a term");
  if (!leader_.empty() && leader_ != message.from) {
    Probe("raft.two-leaders-claimed");
    ++dropped_malformed_;
    return false;
  }
  if (role_ != Role::kFollower || leader_.empty()) BecomeFollower(hard_state_.term, message.from);
  leader_heard_ = now_;
  ArmElection(options_.election_min, options_.election_max);
  return true;
}

void Core::On(const Message& message, const Heartbeat& heartbeat) {
  if (!AcceptLeader(message)) return;
  SendTo(message.from, HeartbeatReply{heartbeat.round, commit_});
}

void Core::On(const Message& message, const TimeoutNow&) {
  if (role_ != Role::kFollower || leader_ != message.from || !IsPromotable()) return;
  BecomeCandidate(/*transfer=*/true);
}

void Core::On(const Message& message, AppendRequest& request) {
  if (!AcceptLeader(message) || installing_) return;
  if (!SkipCommitted(request)) {
    Probe("raft.contradicts-commit");
    ++dropped_malformed_;
    return;
  }
  const bool by_index = IsPlanted(Bug::kMatchesByIndexAlone) &&
                        request.previous.index <= log_.last() &&
                        request.previous.index > request.commit;
  if (!log_.Contains(request.previous) && !by_index) {
    LogPosition hint = log_.LastAtOrBefore(request.previous.index, request.previous.term);
    if (hint.index < commit_) hint = LogPosition{commit_, *log_.TermAt(commit_)};
    SendTo(message.from, AppendReply{false, LogIndex(), request.previous.index, hint},
           writes_.HardStateSeq());
    return;
  }
  const LogIndex through(request.previous.index.value + request.entries.size());
  LogIndex commit = std::min(request.commit, through);
  if (!TakeEntries(request.entries)) {
    ++dropped_malformed_;
    return;
  }
  if (IsPlanted(Bug::kCommitsBeyondMatch)) commit = std::min(request.commit, log_.last());
  if (commit > commit_) CommitThrough(commit);
  if (request.quiet) return;
  SendTo(message.from, AppendReply{true, through, LogIndex(), LogPosition()},
         IsPlanted(Bug::kAckSentUnsynced) ? IoSeq() : writes_.SeqFor(through));
}

// What is committed here is in every later leader's log: an append that begins before it is taken
// as one that begins at it. False if it contradicts what is committed, as no leader can.
bool Core::SkipCommitted(AppendRequest& request) {
  if (request.previous.index >= commit_) return true;
  const auto agrees = [this](LogPosition position) {
    const std::optional<Term> term = log_.TermAt(position.index);
    return !term || *term == position.term;  // what was cut cannot be compared any more
  };
  if (!agrees(request.previous)) return false;
  const size_t known =
      std::min<size_t>(request.entries.size(), commit_.value - request.previous.index.value);
  for (size_t i = 0; i < known; ++i) {
    if (!agrees(request.entries[i].position())) return false;
  }
  request.entries.erase(request.entries.begin(),
                        request.entries.begin() + static_cast<std::ptrdiff_t>(known));
  request.previous = LogPosition{commit_, *log_.TermAt(commit_)};
  return true;
}

// Precondition: the first entry is the one behind a position that this log contains. False, and
// nothing is changed, if an entry cannot be what its kind says.
bool Core::TakeEntries(std::vector<Entry>& entries) {
  size_t fresh = 0;
  while (fresh < entries.size() && log_.Contains(entries[fresh].position())) ++fresh;
  if (IsPlanted(Bug::kTruncatesWhatMatches)) fresh = 0;
  for (size_t i = fresh; i < entries.size(); ++i) {
    if (entries[i].kind == EntryKind::kConfiguration &&
        !DecodeConfiguration(entries[i].bytes.view()).ok()) {
      return false;
    }
  }
  if (fresh < entries.size() && entries[fresh].index <= log_.last()) {
    TruncateFrom(entries[fresh].index);
  }
  for (size_t i = fresh; i < entries.size(); ++i) AppendToLog(std::move(entries[i]));
  return true;
}

void Core::TruncateFrom(LogIndex index) {
  SCHEDULED_ASSERT(role_ != Role::kLeader, "a leader never rewrites its own log");
  SCHEDULED_ASSERT(index > commit_, "what is committed stays");
  log_.TruncateFrom(index);
  writes_.Truncated(index);
  if (!IsPlanted(Bug::kConfigurationNotTruncated) && membership_.TruncateFrom(index)) {
    Probe("raft.configuration-truncated");
    configuration_changed_ = true;
  }
  // Acknowledgements of an earlier term that no drain has handed out: what they speak of is gone.
  std::erase_if(effects_.sends, [&](const Send& send) {
    const auto* reply = std::get_if<AppendReply>(&send.message.body);
    return reply != nullptr && reply->taken && reply->match >= index;
  });
}

void Core::AppendToLog(Entry entry) {
  if (entry.kind == EntryKind::kConfiguration) {
    auto configuration = DecodeConfiguration(entry.bytes.view());
    SCHEDULED_ASSERT(configuration.ok(), "a configuration is checked before it is appended");
    membership_.Append(ConfigurationAt{entry.index, *std::move(configuration)});
    configuration_changed_ = true;
    if (role_ == Role::kLeader) SyncPeers();
  }
  log_.Append(std::move(entry));
}

}  // namespace scheduled::raft
