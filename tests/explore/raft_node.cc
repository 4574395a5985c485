// See raft_node.h.
#include "explore/raft_node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "explore/finding.h"
#include "explore/fingerprint.h"
#include "raft/print.h"

namespace scheduled::explore {
namespace {

using raft::Fingerprint;

constexpr absl::Duration kTick = absl::Seconds(1);
constexpr uint64_t kRememberedTicks = kOldRound - 1;

// Time in steps so large that a random instant lies strictly between two of them: an election
// timeout of two to three ticks is noticed at the third, a retry at the first. When a timer fires
// among all else that happens at its tick, and how much later, is the explorer's choice.
raft::Options ExploreOptions(int self) {
  raft::Options options;
  options.self = NameOf(self);
  options.disk = raft::DiskId(static_cast<uint64_t>(self) + 1);
  options.heartbeat = kTick;
  options.election_min = 2 * kTick;
  options.election_max = 3 * kTick;
  options.lease = 2 * kTick;
  options.clock_drift_percent = 0;
  options.retry_min = kTick / 2;
  options.retry_max = 3 * kTick / 4;
  return options;
}

raft::Configuration Founded() {
  raft::Configuration configuration;
  for (int node = 0; node < kNodes; ++node) {
    configuration.voters.push_back(
        raft::Member{NameOf(node), "", raft::DiskId(static_cast<uint64_t>(node) + 1)});
  }
  return configuration;
}

void Write(const raft::Persist& persist, std::vector<raft::Entry>* log) {
  if (persist.truncate_from) log->resize(persist.truncate_from->value - 1);
  for (const raft::Entry& entry : persist.entries) {
    Require(entry.index.value == log->size() + 1, "entries are written without a gap");
    log->push_back(entry);
  }
}

uint8_t NumberOfEntry(const raft::Entry& entry) {
  const uint8_t what =
      entry.bytes.empty() ? 0 : static_cast<uint8_t>(entry.bytes.view()[0] - '0' + 1);
  Require(entry.term.value < 16 && what < 16, "an entry fits its number");
  return static_cast<uint8_t>(entry.term.value << 4 | what);
}

void AppendLog(const std::vector<raft::Entry>& log, std::string* out) {
  Fingerprint::AppendNumber(log.size(), out);
  for (const raft::Entry& entry : log) out->push_back(static_cast<char>(NumberOfEntry(entry)));
}

std::string LogText(const std::vector<raft::Entry>& log) {
  std::string text;
  for (const raft::Entry& entry : log) absl::StrAppend(&text, " ", raft::ToString(entry));
  return text.empty() ? " -" : text;
}

}  // namespace

Replica Replica::First(int self, bool applies_at_once) {
  Replica node;
  node.self_ = self;
  node.applies_at_once_ = applies_at_once;
  node.Boot();
  node.now_ = node.now_ + 3 * kTick;
  return node;
}

void Replica::Boot() {
  raft::Recovered recovered;
  recovered.hard_state = disk_.hard_state;
  recovered.last = disk_last();
  for (const raft::Entry& entry : disk_.entries) {
    if (recovered.terms.empty() || recovered.terms.back().term != entry.term) {
      recovered.terms.push_back(raft::TermRun{entry.term, entry.index});
    }
  }
  recovered.configurations = {raft::ConfigurationAt{LogIndex(), Founded()}};
  if (applied_.value > 0) recovered.applied = disk_.entries[applied_.value - 1].position();
  log_ = disk_.entries;
  handed_out_ = applied_;
  core_.emplace(ExploreOptions(self_), std::move(recovered), now_);
  // A core that was just made asks for nothing but its timer.
  deadline_ = core_->Drain().next_deadline;
}

void Replica::Crash(uint32_t kept) {
  const size_t writes = kept & ~kKeepsTables;
  Require(writes <= writes_.size(), "a crash leaves writes that were begun");
  core_.reset();
  for (size_t i = 0; i < writes; ++i) WriteOldest();
  writes_.clear();
  held_.clear();
  log_.clear();
  rounds_.clear();
  if ((kept & kKeepsTables) == 0) applied_ = LogIndex();
  handed_out_ = LogIndex();
  deadline_ = MonoTime::Infinite();
}

void Replica::Take(NodeEvent event, Messages* messages, std::vector<MessageId>* sent) {
  const auto kind = event.kind;
  if (kind == NodeEventKind::kTick) {
    now_ = now_ + kTick;
    std::erase_if(rounds_, [&](const RoundSent& each) {
      return raft::Fingerprint::Age(each.at, now_, kTick, kRememberedTicks) == kRememberedTicks;
    });
    return;
  }
  if (kind == NodeEventKind::kCrash) return Crash(event.argument);
  if (kind == NodeEventKind::kRestart) return Boot();
  Require(core_.has_value(), "only a node that is up takes a step");
  switch (kind) {
    case NodeEventKind::kDeliver:
      return Step(Localized(messages->at(event.argument)), messages, sent);
    case NodeEventKind::kPersist: {
      const raft::IoSeq done = writes_.front().io_seq;
      WriteOldest();
      while (!held_.empty() && held_.front().after <= done) {
        CheckSend(messages->at(held_.front().message));
        sent->push_back(held_.front().message);
        held_.erase(held_.begin());
      }
      return Step(raft::PersistDone{done}, messages, sent);
    }
    case NodeEventKind::kApply:
      applied_ = handed_out_;
      return Step(raft::ApplyDone{applied_}, messages, sent);
    case NodeEventKind::kDeadline:
      return Step(raft::Deadline{}, messages, sent);
    case NodeEventKind::kPropose: {
      raft::Propose propose;
      propose.batch.push_back(
          raft::Proposal{raft::ProposalId(event.argument + 1),
                         SharedBuffer(std::string(1, static_cast<char>('0' + event.argument)))});
      return Step(std::move(propose), messages, sent);
    }
    case NodeEventKind::kTransfer:
      return Step(raft::TransferTo{raft::TransferId(1), NameOf(static_cast<int>(event.argument))},
                  messages, sent);
    default:
      return;
  }
}

void Replica::WriteOldest() {
  const raft::Persist write = std::move(writes_.front());
  writes_.erase(writes_.begin());
  if (write.hard_state) {
    const raft::HardState& old = disk_.hard_state;
    Require(write.hard_state->term >= old.term, "terms on disk never go back");
    Require(
        write.hard_state->term > old.term || old.vote.empty() || write.hard_state->vote == old.vote,
        "a vote is given once in a term");
    disk_.hard_state = *write.hard_state;
  }
  Write(write, &disk_.entries);
  Require(disk_last() >= applied_, "what is applied stays on disk");
}

void Replica::Step(raft::Event event, Messages* messages, std::vector<MessageId>* sent) {
  const raft::Status before = core_->status();
  core_->Step(now_, std::move(event));
  while (true) {
    raft::Effects& effects = core_->Drain();
    const bool again = !effects.fetches.empty();
    Obey(effects, messages, sent);
    if (!again) break;
  }
  if (applies_at_once_ && handed_out_ > applied_) {
    applied_ = handed_out_;
    Step(raft::ApplyDone{applied_}, messages, sent);
  }
  CheckCore(before);
}

void Replica::Obey(raft::Effects& effects, Messages* messages, std::vector<MessageId>* sent) {
  deadline_ = effects.next_deadline;
  if (effects.persist) {
    Write(*effects.persist, &log_);
    writes_.push_back(std::move(*effects.persist));
  }
  for (raft::Send& send : effects.sends) {
    if (auto* beat = std::get_if<raft::Heartbeat>(&send.message.body)) {
      if (rounds_.empty() || rounds_.back().round != beat->round) {
        rounds_.push_back(RoundSent{beat->round, now_});
      }
      beat->round = raft::Round(1);
    }
    const MessageId id = messages->Intern(send.message);
    if (send.after_io != raft::IoSeq()) {
      Require(!std::holds_alternative<raft::Heartbeat>(send.message.body) &&
                  !std::holds_alternative<raft::HeartbeatReply>(send.message.body),
              "what waits for a write does not age");
      // The network is a set: what is released twice by one write arrives once.
      const Held held{send.after_io, id};
      if (std::find(held_.begin(), held_.end(), held) == held_.end()) held_.push_back(held);
    } else {
      CheckSend(send.message);
      sent->push_back(id);
    }
  }
  // What waits for writes is released in their order.
  std::stable_sort(held_.begin(), held_.end(),
                   [](const Held& a, const Held& b) { return a.after < b.after; });
  if (effects.apply) {
    Require(effects.apply->from == handed_out_.Next(), "ranges to apply follow each other");
    Require(effects.apply->to <= disk_last(), "nothing is applied that is not durable here");
    for (uint64_t i = effects.apply->from.value; i <= effects.apply->to.value; ++i) {
      Require(disk_.entries[i - 1] == log_[i - 1], "what is applied is what is durable");
    }
    handed_out_ = effects.apply->to;
  }
  Require(effects.send_snapshots.empty() && !effects.install, "no snapshot is needed");
  for (const raft::FetchEntries& fetch : std::vector(std::move(effects.fetches))) Answer(fetch);
}

void Replica::Answer(const raft::FetchEntries& fetch) {
  raft::EntriesRead read{fetch.fetch, true, {}};
  for (uint64_t i = fetch.from.value; i <= fetch.to.value; ++i) {
    read.entries.push_back(disk_.entries.at(i - 1));
  }
  core_->Step(now_, std::move(read));
}

// A node that leads knows the rounds that it began; to all others the number is only to be echoed.
raft::Message Replica::Localized(raft::Message message) const {
  auto* reply = std::get_if<raft::HeartbeatReply>(&message.body);
  if (reply == nullptr || core_->role() != raft::Role::kLeader || message.term != core_->term()) {
    return message;
  }
  const uint64_t code = reply->round.value;
  reply->round = raft::Round();
  if (code == 0 || code >= kOldRound) return message;  // it renews nothing
  for (const RoundSent& each : rounds_) {
    if (Fingerprint::Age(each.at, now_, kTick, kRememberedTicks) == code - 1) {
      reply->round = each.round;
    }
  }
  Require(reply->round != raft::Round(), "what is answered was sent");
  return message;
}

void Replica::CheckCore(const raft::Status& before) const {
  core_->CheckInvariants();
  const raft::Status after = core_->status();
  Require(after.term >= before.term, "terms never go back");
  Require(after.commit >= before.commit, "commit never goes back");
  Require(after.applied >= before.applied, "applied never goes back");
  Require(after.dropped_malformed == before.dropped_malformed &&
              after.dropped_foreign == before.dropped_foreign,
          "nothing that a correct peer sent is dropped as malformed");
  Require(after.last.value == log_.size(), "every change of the log is handed out");
  Require(after.durable <= disk_last(), "nothing is taken for durable that is not");
  for (uint64_t i = 1; i <= log_.size(); ++i) {
    Require(core_->TermAt(LogIndex(i)) == log_[i - 1].term, "the log is what was handed out");
    if (i <= after.durable.value) {
      Require(log_[i - 1] == disk_.entries[i - 1], "what is durable is as in memory");
    }
  }
}

// What leaves promises something that a crash must not undo.
void Replica::CheckSend(const raft::Message& message) const {
  const raft::HardState& hard = disk_.hard_state;
  if (const auto* reply = std::get_if<raft::VoteReply>(&message.body)) {
    Require(reply->pre || !reply->granted ||
                (hard.term == reply->campaign_term && hard.vote == message.to),
            "a vote is durable before it is sent");
  }
  if (const auto* request = std::get_if<raft::VoteRequest>(&message.body)) {
    if (request->pre) return;
    Require(hard.term == request->campaign_term && hard.vote == message.from,
            "a candidate's own vote is durable before it asks");
    const raft::LogPosition last =
        disk_.entries.empty() ? raft::LogPosition() : disk_.entries.back().position();
    Require(last == request->last, "a candidate's log is durable before it asks");
  }
  if (const auto* reply = std::get_if<raft::AppendReply>(&message.body)) {
    Require(hard.term >= message.term, "a term is durable before an append is answered in it");
    Require(!reply->taken || reply->match <= disk_last(), "no ack goes beyond what is durable");
  }
}

std::string Replica::Fingerprint() const {
  std::string out;
  const auto number = [&](uint64_t value) { raft::Fingerprint::AppendNumber(value, &out); };
  number(static_cast<uint64_t>(self_));
  number(core_.has_value());
  number(applied_.value);
  number(disk_.hard_state.term.value);
  number(disk_.hard_state.vote.empty() ? 0 : static_cast<uint64_t>(disk_.hard_state.vote.value[0]));
  AppendLog(disk_.entries, &out);
  if (!core_) return out;
  AppendLog(log_, &out);
  number(handed_out_.value);
  number(raft::Fingerprint::Left(deadline_, now_, kTick, 3));
  number(writes_.size());
  const uint64_t first_seq = writes_.empty() ? 0 : writes_.front().io_seq.value;
  for (const raft::Persist& write : writes_) {
    number(write.hard_state.has_value());
    if (write.hard_state) {
      number(write.hard_state->term.value);
      number(write.hard_state->vote.empty()
                 ? 0
                 : static_cast<uint64_t>(write.hard_state->vote.value[0]));
    }
    number(write.truncate_from ? write.truncate_from->value : 0);
    AppendLog(write.entries, &out);
  }
  number(held_.size());
  for (const Held& held : held_) {
    number(held.after.value - first_seq);
    number(held.message >> 12);
    number(held.message & 0xfff);
  }
  if (core_->role() == raft::Role::kLeader) {
    uint64_t ages = 0;
    for (const RoundSent& each : rounds_) {
      ages |= 1 << raft::Fingerprint::Age(each.at, now_, kTick, kRememberedTicks);
    }
    number(ages);
  }
  raft::Fingerprint::Append(*core_, now_, kTick, &out);
  return out;
}

NodeSummary Replica::Summary() const {
  NodeSummary summary;
  const auto fill = [](const std::vector<raft::Entry>& log, uint8_t* out, uint8_t* size) {
    Require(log.size() <= kMaxLog, "a log is as short as the limits say");
    *size = static_cast<uint8_t>(log.size());
    for (size_t i = 0; i < log.size(); ++i) out[i] = NumberOfEntry(log[i]);
  };
  const auto byte = [](uint64_t value) { return static_cast<uint8_t>(value); };
  fill(disk_.entries, summary.disk, &summary.disk_size);
  summary.disk_term = byte(disk_.hard_state.term.value);
  summary.term = summary.disk_term;
  summary.applied = byte(applied_.value);
  if (!core_) return summary;
  const raft::Status status = core_->status();
  summary.up = true;
  summary.leads = status.role == raft::Role::kLeader;
  summary.busy = !writes_.empty();
  summary.behind = handed_out_ > applied_;
  summary.due = deadline_ <= now_;
  summary.writes = byte(writes_.size());
  summary.term = byte(status.term.value);
  summary.commit = byte(status.commit.value);
  fill(log_, summary.log, &summary.log_size);
  if (!summary.leads) return summary;
  summary.term_start = byte(status.term_start.value);
  summary.lease = byte(raft::Fingerprint::Left(status.lease_until, now_, kTick, 3));
  for (const raft::PeerStatus& peer : status.peers) {
    summary.match[NumberOf(peer.id)] = byte(peer.match.value);
  }
  return summary;
}

std::string Replica::Describe() const {
  std::string text = absl::StrCat(NameOf(self_).value, ": ");
  if (core_) {
    absl::StrAppend(&text, raft::ToString(core_->status()), ", writes under way ", writes_.size());
  } else {
    absl::StrAppend(&text, "down");
  }
  absl::StrAppend(&text, ", disk: term ", disk_.hard_state.term.value, " vote ",
                  disk_.hard_state.vote.empty() ? "-" : disk_.hard_state.vote.value, " log",
                  LogText(disk_.entries), ", applied ", applied_.value);
  return text;
}

}  // namespace scheduled::explore
