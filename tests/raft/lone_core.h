// One core, driven by hand: the test is the network, the disk and the clock. Writes complete when
// the test says so (or at once with AutoPersist), and what waits for them is released then.
#ifndef SCHEDULED_TESTS_RAFT_LONE_CORE_H_
#define SCHEDULED_TESTS_RAFT_LONE_CORE_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raft/codec.h"
#include "raft/core.h"
#include "raft/print.h"

namespace scheduled::raft {

inline Configuration Voters(const std::vector<std::string>& names) {
  Configuration configuration;
  for (const std::string& name : names) {
    configuration.voters.push_back(Member{NodeId(name), "", DiskId()});
  }
  configuration.Sort();
  return configuration;
}

inline Entry CommandEntry(uint64_t index, uint64_t term, const std::string& text = "x") {
  return Entry{Term(term), LogIndex(index), EntryKind::kCommand, SharedBuffer(text)};
}
inline Entry MembersEntry(uint64_t index, uint64_t term, const Configuration& configuration) {
  return Entry{Term(term), LogIndex(index), EntryKind::kConfiguration,
               SharedBuffer(EncodeConfiguration(configuration))};
}
inline LogPosition At(uint64_t index, uint64_t term) {
  return LogPosition{LogIndex(index), Term(term)};
}

// The node is "a". Its log is given by the terms of its entries: {1, 1, 2} is three entries.
class LoneCore {
 public:
  struct Setup {
    std::vector<std::string> voters = {"a", "b", "c"};
    uint64_t term = 0;
    std::string vote;
    std::vector<uint64_t> log;
    uint64_t applied = 0;
    Options options;
  };

  explicit LoneCore(Setup setup) {
    setup.options.self = NodeId("a");
    Recovered recovered;
    recovered.hard_state = HardState{Term(setup.term), NodeId(setup.vote)};
    recovered.last = LogIndex(setup.log.size());
    for (size_t i = 0; i < setup.log.size(); ++i) {
      if (i == 0 || setup.log[i] != setup.log[i - 1]) {
        recovered.terms.push_back(TermRun{Term(setup.log[i]), LogIndex(i + 1)});
      }
    }
    recovered.applied.index = LogIndex(setup.applied);
    if (setup.applied > 0) recovered.applied.term = Term(setup.log[setup.applied - 1]);
    recovered.configurations.push_back(ConfigurationAt{LogIndex(), Voters(setup.voters)});
    Start(setup.options, std::move(recovered));
  }
  LoneCore(Options options, Recovered recovered) { Start(options, std::move(recovered)); }

  Core& core() { return *core_; }
  Status status() const { return core_->status(); }
  MonoTime now() const { return now_; }

  void Step(Event event) {
    core_->Step(now_, std::move(event));
    Drain();
  }
  void Receive(const std::string& from, uint64_t term, MessageBody body, DiskId disk = DiskId()) {
    Step(Message{GroupId(1), NodeId(from), NodeId("a"), disk, Term(term), std::move(body)});
  }
  // Moves time on, and fires the deadlines on the way.
  void Advance(absl::Duration duration) {
    const MonoTime end = now_ + duration;
    while (deadline_ <= end) {
      now_ = std::max(now_, deadline_);
      Step(Deadline{});
    }
    now_ = end;
  }
  void AdvanceToDeadline() {
    if (deadline_ != MonoTime::Infinite()) Advance(std::max(deadline_, now_) - now_);
  }
  MonoTime deadline() const { return deadline_; }

  void AutoPersist(bool on) {
    auto_persist_ = on;
    if (on) PersistAll();
  }
  // All writes that are under way complete.
  void PersistAll() {
    while (!writes.empty()) {
      const IoSeq seq = writes.front().io_seq;
      writes.pop_front();
      PersistOne(seq);
    }
  }
  void PersistOne(IoSeq seq) {
    done_ = std::max(done_, seq);
    core_->Step(now_, PersistDone{seq});
    while (!waiting.empty() && waiting.front().after_io <= done_) {
      sent.push_back(std::move(waiting.front().message));
      waiting.pop_front();
    }
    Drain();
  }
  void Applied(uint64_t index) { Step(ApplyDone{LogIndex(index)}); }

  // What has left the node and was not looked at yet; taken by each call.
  std::vector<Message> Take() { return std::exchange(sent, {}); }
  template <typename Body>
  std::vector<Message> TakeOnly() {
    std::vector<Message> matching;
    for (Message& message : sent) {
      if (std::holds_alternative<Body>(message.body)) matching.push_back(std::move(message));
    }
    sent.clear();
    return matching;
  }

  // The node campaigns, and b and c let it win. Its no-op is the last entry then.
  void Lead() {
    const bool was_auto = auto_persist_;
    AutoPersist(true);
    while (core_->role() != Role::kCandidate) {
      AdvanceToDeadline();
      if (core_->role() != Role::kPreCandidate) continue;
      const uint64_t term = core_->term().value;
      Receive("b", term, VoteReply{true, true, VoteRefusal::kNone, Term(term + 1)});
    }
    Receive("b", core_->term().value, VoteReply{false, true, VoteRefusal::kNone, core_->term()});
    auto_persist_ = was_auto;
    Take();
  }
  void Ack(const std::string& from, uint64_t match) {
    Receive(from, core_->term().value, AppendReply{true, LogIndex(match), LogIndex(), {}});
  }
  void AckRound(const std::string& from, uint64_t round) {
    Receive(from, core_->term().value, HeartbeatReply{Round(round), LogIndex()});
  }
  ProposalId Propose(const std::string& command) {
    const ProposalId id(++last_id_);
    Step(raft::Propose{{Proposal{id, SharedBuffer(command)}}});
    return id;
  }
  ReadId Read() {
    const ReadId id(++last_id_);
    Step(ReadBarrier{id});
    return id;
  }
  bool IsReady(ReadId id) const {
    for (const ReadReady& each : reads_ready) {
      if (each.id == id) return true;
    }
    return false;
  }

  // Everything that came out, by kind, oldest first.
  std::deque<Persist> writes;
  std::deque<Send> waiting;
  std::vector<Message> sent;
  std::vector<Proposed> proposed;
  std::vector<ProposalFailed> proposals_failed;
  std::vector<ApplyRange> applies;
  std::vector<ReadReady> reads_ready;
  std::vector<ReadFailed> reads_failed;
  std::vector<FetchEntries> fetches;
  std::vector<SendSnapshot> snapshots;
  std::vector<InstallSnapshot> installs;
  std::vector<TransferEnded> transfers;
  std::vector<RoleChanged> roles;
  MonoTime lease_until;

 private:
  void Start(Options options, Recovered recovered) {
    core_ = std::make_unique<Core>(std::move(options), std::move(recovered), now_);
    Drain();
  }

  void Drain() {
    Effects& effects = core_->Drain();
    core_->CheckInvariants();
    const auto move_all = [](auto& from, auto& to) {
      for (auto& each : from) to.push_back(std::move(each));
    };
    if (effects.persist) writes.push_back(std::move(*effects.persist));
    for (Send& send : effects.sends) {
      if (send.after_io > done_) {
        waiting.push_back(std::move(send));
      } else {
        sent.push_back(std::move(send.message));
      }
    }
    move_all(effects.proposed, proposed);
    move_all(effects.proposals_failed, proposals_failed);
    move_all(effects.reads_ready, reads_ready);
    move_all(effects.reads_failed, reads_failed);
    move_all(effects.fetches, fetches);
    move_all(effects.send_snapshots, snapshots);
    move_all(effects.transfers_ended, transfers);
    move_all(effects.role_changes, roles);
    if (effects.apply) applies.push_back(*effects.apply);
    if (effects.install) installs.push_back(std::move(*effects.install));
    deadline_ = effects.next_deadline;
    lease_until = effects.lease_until;
    if (auto_persist_) PersistAll();
  }

  std::unique_ptr<Core> core_;
  MonoTime now_{1'000'000'000};
  MonoTime deadline_ = MonoTime::Infinite();
  IoSeq done_;
  bool auto_persist_ = false;
  uint64_t last_id_ = 0;
};

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_RAFT_LONE_CORE_H_
