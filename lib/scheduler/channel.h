// The leader's end of one session channel: what it has to say to one node, numbered within
// (term, session), kept until the node has taken it (dispatch.md, rule 8). A pure data structure on
// the dispatch lane; it sends nothing itself, and is lost with the leader's term.
//
//   Add --> unsent --TakeUnsent--> unanswered --Taken--> gone
//                                      └──Resend──┘ (as often as it takes)
#ifndef SCHEDULED_LIB_SCHEDULER_CHANNEL_H_
#define SCHEDULED_LIB_SCHEDULER_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "scheduled/types.h"
#include "scheduler/messages.h"

namespace scheduled {

class Channel {
 public:
  // Begins with Reconcile, number 1, as every channel does.
  Channel(Term term, SessionId session, MonoTime now);

  void Add(decltype(ChannelItem::body) body, MonoTime now);
  // The node has taken all messages up to `number`. What it says about messages that were never
  // sent is not believed.
  void Taken(uint64_t number);

  // What was never sent; empty if there is nothing. At most kMaxMessages: call again.
  ChannelMessages TakeUnsent(MonoTime now);
  // The oldest messages once more if nothing was sent for `quiet`; empty otherwise.
  ChannelMessages Resend(MonoTime now, absl::Duration quiet);

  // Since when the oldest unanswered message waits.
  std::optional<MonoTime> unanswered_since() const;
  size_t unanswered() const { return items_.size(); }
  bool has_unsent() const { return sent_ < items_.size(); }
  uint64_t last_number() const { return next_number_ - 1; }
  // All up to this number were taken.
  uint64_t taken_through() const { return next_number_ - 1 - items_.size(); }

  void CheckInvariants() const;

  static constexpr size_t kMaxMessages = 256;   // in one ChannelMessages
  static constexpr size_t kMaxBytes = 1 << 20;  // of payloads in it, but at least one message

 private:
  struct Waiting {
    ChannelItem item;
    MonoTime since;
  };
  ChannelMessages Copy(size_t from);

  Term term_;
  SessionId session_;
  uint64_t next_number_ = 1;
  std::deque<Waiting> items_;  // not yet taken, consecutive numbers
  size_t sent_ = 0;            // of items_, from the front
  MonoTime last_sent_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_CHANNEL_H_
