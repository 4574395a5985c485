// The leader's side of sessions: which node is alive, what each was told, when a session is opened
// or closed (dispatch.md, rules 8 and 10 to 13). It keeps time and channels; runs are the
// dispatcher's, which it asks for the names of those that were taken. The leader's, lost with its
// term; dispatch lane.
//
//   state    heartbeats    leaves it
//   open     acknowledged  silent for 2 s; a message unanswered for 5 s; a larger boot
//   mute     not           2 s later: the session is closed
//   closing  not           the answer to CloseSession, or to the OpenSession that replaces it
//
// Invariants (CheckInvariants):
//  1. A session in `sessions_` is open in the tables as of the last answer.
//  2. Nothing is acknowledged to a session that is mute or closing.
//  3. Its own session is never closed for silence.
#ifndef SCHEDULED_LIB_SCHEDULER_SESSION_KEEPER_H_
#define SCHEDULED_LIB_SCHEDULER_SESSION_KEEPER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "jobs/dispatch_view.h"
#include "scheduler/channel.h"
#include "scheduler/clock_agreement.h"
#include "scheduler/session_times.h"
#include "scheduler/term.h"

namespace scheduled {

// What the keeper needs of whoever holds the runs.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // The session is about to be closed: takes back what is held for it, and names what was taken.
  virtual std::vector<RunKey> WithdrawSession(SessionId session) = 0;
  // It was not closed after all: what was withdrawn is held again.
  virtual void RestoreSession(SessionId session) = 0;
  // It is closed; its runs are back in `slots`.
  virtual void OnSessionClosed(SessionId session) = 0;
  // The node has answered the Reconcile of this term.
  virtual void OnReconciled(SessionId session, const std::vector<RunKey>& runs,
                            const std::vector<OutcomeMessage>& outcomes) = 0;
  virtual void OnOutcome(SessionId session, OutcomeMessage outcome) = 0;
  // There may be more room than before.
  virtual void OnRoom() = 0;
};

class SessionKeeper {
 public:
  // `open` is what the tables hold at the begin of the term.
  SessionKeeper(TermContext* term, SessionObserver* observer,
                const std::vector<jobs::SessionEntry>& open);

  // Sends Reconcile to every open session and begins to keep time.
  void Begin();

  void OnHeartbeat(const NodeId& from, const HeartbeatMessage& beat);
  void OnReport(const NodeId& from, const ReportMessage& report);

  // Puts a message on a session's channel, sent with the next Flush; dropped if it is not open.
  // The number under which it is known; 0 if it was dropped.
  uint64_t Tell(SessionId session, decltype(ChannelItem::body) body);
  void Flush();

  // True while runs may be sent to the session.
  bool IsUsable(SessionId session) const;
  // True if the node has said that it took the message.
  bool WasTaken(SessionId session, uint64_t number) const;
  bool IsReconciled(SessionId session) const;
  // A command that ends it is under way.
  bool IsClosing(SessionId session) const;
  // The open session of a node that answers, or none.
  SessionId SessionOf(const NodeId& node) const;
  const NodeId* NodeOf(SessionId session) const;
  // What the executors of the session's node take at once; empty while it drains.
  const std::vector<ExecutorRoom>& Rooms(SessionId session) const;

  // Whether the clocks of a majority agree with ours.
  ClockAgreement::Verdict LookAtClocks() const;
  // The feature level that every voter's program has; 0 while one has no session, or has not told.
  uint32_t CommonLevel() const;

  void CheckInvariants() const;

  static constexpr absl::Duration kLateLane = absl::Milliseconds(250);
  static constexpr absl::Duration kTick = absl::Milliseconds(100);
  static constexpr absl::Duration kResendAfter = absl::Milliseconds(100);

 private:
  struct Session {
    NodeId node;
    BootCounter boot;
    MonoTime deadline;             // closed once it is passed without a heartbeat
    std::optional<MonoTime> mute;  // since when nothing is acknowledged
    bool closing = false;          // a command that ends it was proposed
    bool reconciled = false;
    bool draining = false;
    // That this life's program can follow, by its heartbeats; 0: not told yet. The next life may be
    // one of another program.
    uint32_t level = 0;
    std::vector<ExecutorRoom> rooms;
    Channel channel;
  };

  Session* Find(SessionId session);
  const Session* Find(SessionId session) const;
  void Add(SessionId id, const NodeId& node, BootCounter boot, MonoTime deadline);
  void Acknowledge(const NodeId& to, const HeartbeatMessage& beat, SessionId session,
                   HeartbeatAnswerMessage::Verdict verdict);
  // What the node has not answered for a while.
  void Resend(Session* session);
  void AskToOpen(const NodeId& node, BootCounter boot);
  void OnOpened(const NodeId& node, BootCounter boot, TermContext::Outcome outcome);
  void Close(SessionId id, std::string_view why);
  void OnCloseAnswer(SessionId id, TermContext::Outcome outcome);
  void Forget(SessionId id);
  void ArmTick();
  void Tick();
  bool NeedsTick() const;

  TermContext& term_;
  const SessionTimes times_;
  SessionObserver& observer_;
  std::map<SessionId, Session> sessions_;
  std::set<NodeId> opening_;  // an OpenSession of theirs is in flight
  std::vector<NodeId> voters_;
  ClockAgreement clocks_;
  TimerId tick_timer_;
  MonoTime tick_due_;
  MonoTime counts_from_;  // no silence is counted from before it
  std::vector<ExecutorRoom> no_rooms_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_SESSION_KEEPER_H_
