// See session_keeper.h.
#include "scheduler/session_keeper.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/planted.h"
#include "scheduler/peer_codec.h"

namespace scheduled {

using Verdict = HeartbeatAnswerMessage::Verdict;

SessionKeeper::SessionKeeper(TermContext* term, SessionObserver* observer,
                             const std::vector<jobs::SessionEntry>& open)
    : term_(*term),
      times_(term->options().election_timeout),
      observer_(*observer),
      clocks_(term->options().node_id, term->options().max_clock_skew, times_.fresh),
      counts_from_(term->MonoNow()) {
  for (const jobs::SessionEntry& entry : open) {
    Add(SessionId(entry.row.session()), NodeId(entry.node_id), BootCounter(entry.row.boot()),
        counts_from_ + times_.grace_at_begin);
  }
  voters_.push_back(term_.options().node_id);
  for (const auto& [node, address] : term_.options().peers) {
    if (node != term_.options().node_id) voters_.push_back(node);
  }
  clocks_.SetVoters(voters_);
}

void SessionKeeper::Begin() {
  Flush();
  ArmTick();
}

SessionKeeper::Session* SessionKeeper::Find(SessionId session) {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : &it->second;
}

const SessionKeeper::Session* SessionKeeper::Find(SessionId session) const {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? nullptr : &it->second;
}

void SessionKeeper::Add(SessionId id, const NodeId& node, BootCounter boot, MonoTime deadline) {
  sessions_.insert_or_assign(id, Session{.node = node,
                                         .boot = boot,
                                         .deadline = deadline,
                                         .channel = Channel(term_.term(), id, term_.MonoNow())});
}

SessionId SessionKeeper::SessionOf(const NodeId& node) const {
  for (const auto& [id, session] : sessions_) {
    if (session.node == node && !session.closing && !session.mute) return id;
  }
  return SessionId();
}

const NodeId* SessionKeeper::NodeOf(SessionId session) const {
  const Session* found = Find(session);
  return found == nullptr ? nullptr : &found->node;
}

bool SessionKeeper::IsUsable(SessionId session) const {
  const Session* found = Find(session);
  return found != nullptr && !found->closing && !found->mute && !found->draining;
}

bool SessionKeeper::WasTaken(SessionId session, uint64_t number) const {
  const Session* found = Find(session);
  return found != nullptr && number != 0 && number <= found->channel.taken_through();
}

bool SessionKeeper::IsReconciled(SessionId session) const {
  const Session* found = Find(session);
  return found != nullptr && found->reconciled;
}

bool SessionKeeper::IsClosing(SessionId session) const {
  const Session* found = Find(session);
  return found != nullptr && found->closing;
}

const std::vector<ExecutorRoom>& SessionKeeper::Rooms(SessionId session) const {
  return IsUsable(session) ? Find(session)->rooms : no_rooms_;
}

ClockAgreement::Verdict SessionKeeper::LookAtClocks() const {
  return clocks_.Look({term_.WallNow(), term_.MonoNow()});
}

uint32_t SessionKeeper::CommonLevel() const {
  std::vector<uint32_t> told;
  for (const NodeId& voter : voters_) {
    const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&voter](const auto& s) {
      return s.second.node == voter && !s.second.closing;
    });
    told.push_back(it == sessions_.end() ? 0 : it->second.level);
  }
  std::sort(told.begin(), told.end());
  const size_t lowest = IsPlanted(Bug::kLevelRaisedEarly) ? (told.size() - 1) / 2 : 0;
  return std::min(told[lowest], term_.options().feature_level);
}

// --- Heartbeats ---------------------------------------------------------------------------------

void SessionKeeper::Acknowledge(const NodeId& to, const HeartbeatMessage& beat, SessionId session,
                                Verdict verdict) {
  // Without the lease another leader may have closed the session, or be about to.
  if (!term_.HasLease()) return;
  term_.parts().send(
      to, HeartbeatAnswerMessage{term_.term(), session, beat.boot, beat.sequence, verdict});
}

void SessionKeeper::OnHeartbeat(const NodeId& from, const HeartbeatMessage& beat) {
  const MonoTime now = term_.MonoNow();
  clocks_.Note(from, beat.wall, now);
  if (beat.session == SessionId()) {
    const auto it = std::find_if(sessions_.begin(), sessions_.end(),
                                 [&from](const auto& s) { return s.second.node == from; });
    // Another node's beat may be a late one of its earlier life. Our own never is: a session of
    // ours with a larger boot is of a disk that we have lost, and nobody would ever close it.
    const bool ours = from == term_.options().node_id;
    if (it == sessions_.end() || it->second.boot < beat.boot ||
        (ours && it->second.boot != beat.boot)) {
      AskToOpen(from, beat.boot);
    } else if (it->second.boot == beat.boot && !it->second.closing && !it->second.mute) {
      Acknowledge(from, beat, it->first, Verdict::kOpened);  // the first answer was lost
    }
    return;
  }
  Session* session = Find(beat.session);
  if (session == nullptr || session->node != from) {
    Acknowledge(from, beat, beat.session, Verdict::kClosed);
    return;
  }
  const bool closing = session->closing && !IsPlanted(Bug::kAcknowledgesClosing);
  if (session->boot != beat.boot || closing || session->mute) return;
  session->deadline = now + times_.silence;
  session->rooms = beat.rooms;
  session->draining = beat.draining;
  session->level = beat.level;
  Acknowledge(from, beat, beat.session, Verdict::kAcknowledged);
  if (beat.term == term_.term() && session->reconciled) session->channel.Taken(beat.taken);
  Resend(session);
  observer_.OnRoom();
}

// --- Channels -----------------------------------------------------------------------------------

uint64_t SessionKeeper::Tell(SessionId session, decltype(ChannelItem::body) body) {
  Session* found = Find(session);
  if (found == nullptr || found->closing) return 0;
  found->channel.Add(std::move(body), term_.MonoNow());
  return found->channel.last_number();
}

void SessionKeeper::Flush() {
  const MonoTime now = term_.MonoNow();
  for (auto& [id, session] : sessions_) {
    while (session.channel.has_unsent()) {
      term_.parts().send(session.node, session.channel.TakeUnsent(now));
    }
  }
  ArmTick();
}

void SessionKeeper::Resend(Session* session) {
  // A Start among them needs the lease now as it did when it was first sent.
  if (!term_.HasLease()) return;
  ChannelMessages again = session->channel.Resend(term_.MonoNow(), kResendAfter);
  if (!again.items.empty()) term_.parts().send(session->node, std::move(again));
}

void SessionKeeper::OnReport(const NodeId& from, const ReportMessage& report) {
  Session* session = Find(report.session);
  if (session == nullptr || session->node != from || report.term != term_.term()) return;
  // Reconcile is answered by what the node lists, not by its having been taken: until that has
  // arrived it is sent again.
  if (session->reconciled) session->channel.Taken(report.taken);
  if (session->closing) return;
  if (report.reconcile && !session->reconciled) {
    session->reconciled = true;
    session->channel.Taken(report.taken);
    observer_.OnReconciled(report.session, report.runs, report.outcomes);
    return;
  }
  if (!session->reconciled) return;  // they come again with the answer to Reconcile
  for (const OutcomeMessage& outcome : report.outcomes) {
    observer_.OnOutcome(report.session, outcome);
  }
}

// --- Opening and closing ------------------------------------------------------------------------

void SessionKeeper::AskToOpen(const NodeId& node, BootCounter boot) {
  if (!term_.HasLease() || !opening_.insert(node).second) return;
  pb::Command command;
  pb::OpenSession* open = command.mutable_open_session();
  open->set_node_id(node.value);
  open->set_boot(boot.value);
  open->set_max_deliveries(kMaxDeliveries);
  for (auto& [id, session] : sessions_) {
    if (session.node != node || session.closing) continue;
    Probe("sessions.opening-closes-older");
    session.closing = true;
    for (const RunKey& run : observer_.WithdrawSession(id)) *open->add_taken() = ToRunRef(run);
  }
  term_.Propose(&command, term_.Guard([this, node, boot](TermContext::Outcome outcome) {
    OnOpened(node, boot, std::move(outcome));
  }),
                {.alone = true});
}

void SessionKeeper::OnOpened(const NodeId& node, BootCounter boot, TermContext::Outcome outcome) {
  opening_.erase(node);
  std::vector<SessionId> older;
  for (auto& [id, session] : sessions_) {
    if (session.node == node) older.push_back(id);
  }
  if (!outcome.answer.ok()) {
    for (SessionId id : older) {
      Find(id)->closing = false;
      observer_.RestoreSession(id);
    }
    return;
  }
  const SessionId opened(outcome.answer->session());
  for (SessionId id : older) {
    if (id != opened) Forget(id);
  }
  if (Find(opened) == nullptr) {
    term_.parts().log.Info("session opened",
                           {{"peer", node.value}, {"session", opened.value}, {"boot", boot.value}});
    Add(opened, node, boot, term_.MonoNow() + times_.silence);
  }
  Acknowledge(node, HeartbeatMessage{.boot = boot}, opened, Verdict::kOpened);
  Flush();
}

void SessionKeeper::Close(SessionId id, std::string_view why) {
  Session& session = *Find(id);
  SCHEDULED_ASSERT(session.node != term_.options().node_id,
                   "a leader never closes its own session for silence");
  term_.parts().log.Warn("closing a session",
                         {{"peer", session.node.value}, {"session", id.value}, {"reason", why}});
  session.closing = true;
  pb::Command command;
  pb::CloseSession* close = command.mutable_close_session();
  close->set_node_id(session.node.value);
  close->set_session(id.value);
  close->set_max_deliveries(kMaxDeliveries);
  close->set_taken_unknown(!session.reconciled);
  for (const RunKey& run : observer_.WithdrawSession(id)) *close->add_taken() = ToRunRef(run);
  term_.Propose(&command, term_.Guard([this, id](TermContext::Outcome outcome) {
    OnCloseAnswer(id, std::move(outcome));
  }),
                {.alone = true});
}

void SessionKeeper::OnCloseAnswer(SessionId id, TermContext::Outcome outcome) {
  Session* session = Find(id);
  if (session == nullptr) return;
  if (outcome.answer.ok()) return Forget(id);
  session->closing = false;  // the next tick tries again
  observer_.RestoreSession(id);
}

void SessionKeeper::Forget(SessionId id) {
  sessions_.erase(id);
  observer_.OnSessionClosed(id);
}

// --- Time ---------------------------------------------------------------------------------------

bool SessionKeeper::NeedsTick() const {
  if (!term_.options().alone()) return true;
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [](const auto& s) { return s.second.channel.unanswered() > 0; });
}

void SessionKeeper::ArmTick() {
  if (tick_timer_ != TimerId() || !NeedsTick()) return;
  tick_due_ = term_.MonoNow() + kTick;
  tick_timer_ = term_.parts().dispatch->PostAt(tick_due_, term_.Guard([this] { Tick(); }));
}

void SessionKeeper::Tick() {
  tick_timer_ = {};
  const MonoTime now = term_.MonoNow();
  if (now - tick_due_ > kLateLane) {
    // We did not listen meanwhile, so what we did not hear says nothing.
    Probe("sessions.late-lane");
    counts_from_ = now;
    for (auto& [id, session] : sessions_) {
      session.deadline = std::max(session.deadline, now + times_.silence);
      if (session.mute) session.mute = now;
    }
  }
  std::vector<std::pair<SessionId, std::string_view>> to_close;
  for (auto& [id, session] : sessions_) {
    Resend(&session);
    if (session.node == term_.options().node_id || session.closing) continue;
    const std::optional<MonoTime> since = session.channel.unanswered_since();
    if (!session.mute && since && now - std::max(*since, counts_from_) > times_.unanswered) {
      Probe("sessions.unanswered");
      session.mute = now;
    }
    if (session.mute && now - *session.mute > times_.mute_before_close) {
      to_close.emplace_back(id, "unanswered");
    } else if (now > session.deadline) {
      to_close.emplace_back(id, "silent");
    }
  }
  if (term_.HasLease()) {
    for (const auto& [id, why] : to_close) Close(id, why);
  }
  ArmTick();
}

void SessionKeeper::CheckInvariants() const {
  std::set<NodeId> nodes;
  for (const auto& [id, session] : sessions_) {
    SCHEDULED_ASSERT(nodes.insert(session.node).second, "a node has one session");
    session.channel.CheckInvariants();
  }
}

}  // namespace scheduled
