// The counterpart of raft/print.cc, rule by rule in its order.
#include "raft/message_text.h"

#include <stdexcept>
#include <utility>

#include "raft/codec.h"

namespace scheduled::raft {
namespace {

Member ParseMember(Words& words) {
  std::string name = words.Word();
  Member member;
  if (const size_t slash = name.find('/'); slash != std::string::npos) {
    member.disk = DiskId(std::stoull(name.substr(slash + 1)));
    name.resize(slash);
  }
  member.id = NodeId(name);
  return member;
}

std::vector<Member> ParseMembers(Words& words) {
  std::vector<Member> members;
  words.Expect("(");
  while (!words.Eat(")")) members.push_back(ParseMember(words));
  return members;
}

Learner ParseLearner(Words& words) {
  Learner learner{ParseMember(words), false, NodeId()};
  if (std::string& id = learner.member.id.value; id.back() == '+') {
    id.pop_back();
    learner.promote = true;
  }
  if (words.Eat("for ")) learner.replaces = NodeId(words.Word());
  return learner;
}

Entry ParseEntry(Words& words) {
  const LogPosition at = words.Position();
  Entry entry{at.term, at.index, EntryKind::kCommand, SharedBuffer()};
  if (words.Eat("noop")) {
    entry.kind = EntryKind::kNoop;
  } else if (words.Eat("members")) {
    entry.kind = EntryKind::kConfiguration;
    entry.bytes = SharedBuffer(EncodeConfiguration(ParseConfiguration(words)));
  } else if (words.Eat("unreadable members")) {
    entry.kind = EntryKind::kConfiguration;
    entry.bytes = SharedBuffer(std::string("no members"));
  } else {
    entry.bytes = SharedBuffer(words.Quoted());
  }
  return entry;
}

VoteRefusal ParseRefusal(Words& words) {
  if (words.Eat("leader alive")) return VoteRefusal::kLeaderAlive;
  if (words.Eat("restarted")) return VoteRefusal::kRestarted;
  if (words.Eat("log behind")) return VoteRefusal::kLogBehind;
  if (words.Eat("voted")) return VoteRefusal::kVoted;
  if (words.Eat("term past")) return VoteRefusal::kTermPast;
  words.Fail("why a vote is refused");
}

MessageBody ParseVote(Words& words, bool pre) {
  if (words.Eat("?")) {
    VoteRequest request{pre, false, Term(), LogPosition()};
    words.Expect("in term");
    request.campaign_term = Term(words.Number());
    words.Expect("with log");
    request.last = words.Position();
    request.transfer = words.Eat("by transfer");
    return request;
  }
  VoteReply reply{pre, false, VoteRefusal::kNone, Term()};
  words.Expect("in term");
  reply.campaign_term = Term(words.Number());
  reply.granted = words.Eat("granted");
  if (!reply.granted) {
    words.Expect("refused:");
    reply.refusal = ParseRefusal(words);
  }
  return reply;
}

MessageBody ParseAppend(Words& words) {
  if (words.Eat("taken through")) {
    return AppendReply{true, LogIndex(words.Number()), LogIndex(), LogPosition()};
  }
  words.Expect("after");
  const LogIndex index(words.Number());
  if (words.Eat("refused, perhaps after")) {
    return AppendReply{false, LogIndex(), index, words.Position()};
  }
  words.Expect("@");
  AppendRequest request;
  request.previous = LogPosition{index, Term(words.Number())};
  words.Expect("[");
  while (!words.Eat("]")) {
    for (Entry& entry : ParseEntries(words)) request.entries.push_back(std::move(entry));
  }
  words.Expect("commit");
  request.commit = LogIndex(words.Number());
  request.quiet = words.Eat("quiet");
  return request;
}

MessageBody ParseHeartbeat(Words& words) {
  const Round round(words.Number());
  if (!words.Eat("heard, commit")) return Heartbeat{round};
  return HeartbeatReply{round, LogIndex(words.Number())};
}

MessageBody ParseRead(Words& words) {
  const ReadBatch batch(words.Number());
  if (words.Eat("?")) return ReadRequest{batch};
  if (words.Eat("refused")) return ReadReply{batch, false, LogIndex()};
  words.Expect("at");
  return ReadReply{batch, true, LogIndex(words.Number())};
}

MessageBody ParseTransfer(Words& words) {
  const TransferId id(words.Number());
  words.Expect(":");
  if (words.Eat("snapshot")) return SnapshotRequest{id, ParseMeta(words)};
  const LogIndex index(words.Number());
  const bool failed = words.Eat("not ");
  words.Expect("installed");
  return SnapshotReply{id, index, !failed};
}

}  // namespace

void Words::SkipSpace() {
  while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
}

void Words::Fail(std::string_view wanted) const {
  throw std::runtime_error("expected " + std::string(wanted) + " at \"" + std::string(rest_) +
                           "\"");
}

bool Words::Eat(std::string_view text) {
  if (rest_.substr(0, text.size()) != text) return false;
  rest_.remove_prefix(text.size());
  SkipSpace();
  return true;
}

void Words::Expect(std::string_view text) {
  if (!Eat(text)) Fail(text);
}

std::string Words::Word() {
  const size_t length = std::min(rest_.find_first_of(" ,:)]"), rest_.size());
  if (length == 0) Fail("a word");
  std::string word(rest_.substr(0, length));
  rest_.remove_prefix(length);
  SkipSpace();
  return word;
}

uint64_t Words::Number() {
  uint64_t number = 0;
  size_t digits = 0;
  while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
    number = number * 10 + static_cast<uint64_t>(rest_[digits++] - '0');
  }
  if (digits == 0) Fail("a number");
  rest_.remove_prefix(digits);
  SkipSpace();
  return number;
}

std::string Words::Quoted() {
  if (rest_.empty() || rest_.front() != '"') return Word();
  const size_t end = rest_.find('"', 1);
  if (end == std::string_view::npos) Fail("a closing quote");
  std::string text(rest_.substr(1, end - 1));
  rest_.remove_prefix(end + 1);
  SkipSpace();
  return text;
}

LogPosition Words::Position() {
  LogPosition at;
  at.index = LogIndex(Number());
  Expect("@");
  at.term = Term(Number());
  return at;
}

Configuration ParseConfiguration(Words& words) {
  Configuration configuration;
  configuration.voters = ParseMembers(words);
  if (words.Eat("learners (")) {
    while (!words.Eat(")")) configuration.learners.push_back(ParseLearner(words));
  }
  if (words.Eat("joint with")) configuration.old_voters = ParseMembers(words);
  configuration.Sort();
  return configuration;
}

SnapshotMeta ParseMeta(Words& words) {
  SnapshotMeta meta;
  meta.at = words.Position();
  words.Expect("with");
  meta.configuration = ParseConfiguration(words);
  words.Expect("of");
  meta.configuration_index = LogIndex(words.Number());
  return meta;
}

std::vector<Entry> ParseEntries(Words& words) {
  std::vector<Entry> entries;
  do {
    entries.push_back(ParseEntry(words));
  } while (words.Eat(","));
  return entries;
}

MessageBody ParseBody(Words& words) {
  if (words.Eat("pre-vote")) return ParseVote(words, true);
  if (words.Eat("vote")) return ParseVote(words, false);
  if (words.Eat("append")) return ParseAppend(words);
  if (words.Eat("heartbeat")) return ParseHeartbeat(words);
  if (words.Eat("read")) return ParseRead(words);
  if (words.Eat("timeout now")) return TimeoutNow{};
  if (words.Eat("transfer")) return ParseTransfer(words);
  words.Fail("a message");
}

}  // namespace scheduled::raft
