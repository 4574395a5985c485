// Reads messages, entries and configurations in the words that raft/print.h writes them in, so that
// a scenario can speak for a node that is not simulated. Throws std::runtime_error with a sentence
// for what it does not understand. For tests only.
#ifndef SCHEDULED_TESTS_RAFT_MESSAGE_TEXT_H_
#define SCHEDULED_TESTS_RAFT_MESSAGE_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "raft/messages.h"

namespace scheduled::raft {

// The words of a line, one after another.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) { SkipSpace(); }

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  // Skips `text` if it comes next.
  bool Eat(std::string_view text);
  void Expect(std::string_view text);
  // Up to a space or one of ",:)]"; never empty.
  std::string Word();
  uint64_t Number();
  // "text", or a word.
  std::string Quoted();
  // 7@3
  LogPosition Position();
  [[noreturn]] void Fail(std::string_view wanted) const;

 private:
  void SkipSpace();
  std::string_view rest_;
};

// (a b c) learners (d+ e+ for b) joint with (a b); a disk stands behind a name: c/9.
Configuration ParseConfiguration(Words& words);
// 7@3 with (a b c) of 2
SnapshotMeta ParseMeta(Words& words);
// 7@3 "x", 8@3 noop, 9@3 members (a b c); the brackets around are the caller's.
std::vector<Entry> ParseEntries(Words& words);
// What stands behind "a->b term 3:".
MessageBody ParseBody(Words& words);

}  // namespace scheduled::raft

#endif  // SCHEDULED_TESTS_RAFT_MESSAGE_TEXT_H_
