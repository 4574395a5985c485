// What can be said of a message without knowing anything: whether a correct peer may have sent it.
#include "raft/messages.h"

#include "raft/codec.h"

namespace scheduled::raft {
namespace {

// Beyond every number that a cluster reaches, and far from where arithmetic wraps.
constexpr uint64_t kMaxNumber = uint64_t{1} << 62;

bool IsSane(Term term) { return term.value <= kMaxNumber; }
bool IsSane(LogIndex index) { return index.value <= kMaxNumber; }
// Only the position before every entry has neither index nor term.
bool IsSane(LogPosition at) {
  return IsSane(at.index) && IsSane(at.term) && (at.index.value == 0) == (at.term.value == 0);
}

bool Check(const Message& message, const VoteRequest& request) {
  const Term asked = request.pre ? message.term.Next() : message.term;
  return request.campaign_term == asked && IsSane(request.last) &&
         request.last.term <= message.term && !(request.pre && request.transfer);
}

bool Check(const Message& message, const VoteReply& reply) {
  if (!IsSane(reply.campaign_term)) return false;
  if (reply.granted != (reply.refusal == VoteRefusal::kNone)) return false;
  if (!reply.granted) return true;
  return reply.pre ? message.term < reply.campaign_term : message.term == reply.campaign_term;
}

bool Check(const Message& message, const AppendRequest& request) {
  if (!IsSane(request.previous) || !IsSane(request.commit)) return false;
  if (request.quiet && !request.entries.empty()) return false;
  LogPosition last = request.previous;
  for (const Entry& entry : request.entries) {
    if (entry.index != last.index.Next() || entry.term < last.term) return false;
    if (entry.term.value == 0 || entry.bytes.size() > kMaxEntryBytes) return false;
    if (entry.kind == EntryKind::kNoop && !entry.bytes.empty()) return false;
    last = entry.position();
  }
  return last.term <= message.term;
}

bool Check(const Message& message, const AppendReply& reply) {
  return IsSane(reply.match) && IsSane(reply.previous) && IsSane(reply.hint) &&
         reply.hint.term <= message.term;
}

bool Check(const Message&, const Heartbeat& heartbeat) {
  return heartbeat.round.value <= kMaxNumber;
}
bool Check(const Message&, const HeartbeatReply& reply) {
  return reply.round.value <= kMaxNumber && IsSane(reply.commit);
}
bool Check(const Message&, const ReadRequest& request) { return request.batch.value <= kMaxNumber; }
bool Check(const Message&, const ReadReply& reply) {
  return reply.batch.value <= kMaxNumber && IsSane(reply.index);
}
bool Check(const Message&, const TimeoutNow&) { return true; }
bool Check(const Message& message, const SnapshotRequest& request) {
  return IsWellFormed(request.meta, message.term);
}
bool Check(const Message&, const SnapshotReply& reply) { return IsSane(reply.index); }

}  // namespace

bool IsWellFormed(const SnapshotMeta& meta, Term term) {
  return IsSane(meta.at) && meta.at.index.value > 0 && meta.at.term <= term &&
         meta.configuration_index <= meta.at.index && meta.configuration.IsWellFormed();
}

bool IsWellFormed(const Message& message) {
  if (message.from.empty() || message.from.value.size() > kMaxNodeIdBytes) return false;
  if (!IsSane(message.term)) return false;
  const bool of_leader = std::holds_alternative<AppendRequest>(message.body) ||
                         std::holds_alternative<Heartbeat>(message.body) ||
                         std::holds_alternative<TimeoutNow>(message.body);
  if (of_leader && message.term.value == 0) return false;
  return std::visit([&](const auto& body) { return Check(message, body); }, message.body);
}

}  // namespace scheduled::raft
