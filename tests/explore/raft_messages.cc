// See raft_messages.h.
#include "explore/raft_messages.h"

#include "raft/codec.h"

namespace scheduled::explore {

MessageId Messages::Intern(const raft::Message& message) {
  const auto [it, fresh] =
      ids_.try_emplace(raft::EncodeMessage(message), static_cast<MessageId>(messages_.size()));
  if (fresh) messages_.push_back(Known{message, NumberOf(message.to)});
  return it->second;
}

MessageId Messages::Aged(MessageId id) {
  if (messages_[id].aged != kUnknown) return messages_[id].aged;
  raft::Message older = messages_[id].message;
  raft::Round* round = nullptr;
  if (auto* beat = std::get_if<raft::Heartbeat>(&older.body)) round = &beat->round;
  if (auto* reply = std::get_if<raft::HeartbeatReply>(&older.body)) round = &reply->round;
  if (round != nullptr && round->value > 0 && round->value < kOldRound) *round = round->Next();
  const MessageId aged = Intern(older);
  messages_[id].aged = aged;
  return aged;
}

}  // namespace scheduled::explore
