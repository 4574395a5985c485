// The messages in flight, each different one once, under a small number. A round of heartbeats is
// written as its age in ticks plus 1, at most kOldRound, so that it means the same in states that
// were reached by different ways; a node makes its own number of it again (Replica::Localized).
#ifndef SCHEDULED_TESTS_EXPLORE_RAFT_MESSAGES_H_
#define SCHEDULED_TESTS_EXPLORE_RAFT_MESSAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "raft/messages.h"

namespace scheduled::explore {

using MessageId = uint32_t;
// It renews no lease any more.
inline constexpr uint64_t kOldRound = 3;

inline NodeId NameOf(int node) { return NodeId(std::string(1, static_cast<char>('a' + node))); }
inline int NumberOf(const NodeId& id) { return id.value[0] - 'a'; }

class Messages {
 public:
  MessageId Intern(const raft::Message& message);
  const raft::Message& at(MessageId id) const { return messages_[id].message; }
  int To(MessageId id) const { return messages_[id].to; }
  // The same message a tick later.
  MessageId Aged(MessageId id);
  size_t size() const { return messages_.size(); }

 private:
  static constexpr MessageId kUnknown = UINT32_MAX;
  struct Known {
    raft::Message message;
    int to = 0;
    MessageId aged = kUnknown;
  };
  std::vector<Known> messages_;
  absl::flat_hash_map<std::string, MessageId> ids_;
};

}  // namespace scheduled::explore

#endif  // SCHEDULED_TESTS_EXPLORE_RAFT_MESSAGES_H_
