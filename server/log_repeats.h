// Keeps a log readable, and its disk free, where one thing goes wrong over and over: a message
// comes through so often a second, and what was left out is told as a number. Wraps a sink; what
// counts as the same is level and message, whatever the fields say (log.h: a message is in the same
// words each time). Thread-safe.
#ifndef SCHEDULED_SERVER_LOG_REPEATS_H_
#define SCHEDULED_SERVER_LOG_REPEATS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scheduled/log.h"
#include "scheduled/types.h"

namespace scheduled::server {

struct LogRepeatsOptions {
  LogSink sink;
  // Monotonic, from any thread.
  std::function<MonoTime()> now;
  // Lines of one message that come through in a second, which begins with the first of them.
  int per_second = 10;
};

class LogRepeats {
 public:
  explicit LogRepeats(LogRepeatsOptions options) : options_(std::move(options)) {}
  // Tells what it has not told yet.
  ~LogRepeats();

  // Whoever logs by it does so while this lives.
  LogSink Sink();
  // Tells what was left out in seconds that have ended, and forgets messages that did not come
  // again. Every line does so too: call this now and then, for when no other line comes.
  void Tell();

 private:
  using Message = std::pair<LogLevel, std::string>;
  struct Second {
    MonoTime end;
    int lines = 0;  // that came through
    uint64_t left_out = 0;
  };
  struct LeftOut {
    Message message;
    uint64_t count = 0;
  };

  void Log(LogLevel level, std::string_view message, std::span<const LogField> fields);
  // With the lock held: takes out the seconds that have ended by `now`.
  std::vector<LeftOut> TakeEnded(MonoTime now);
  // Without it: a sink may take its time.
  void Write(const std::vector<LeftOut>& ended) const;

  const LogRepeatsOptions options_;
  std::mutex mutex_;
  std::map<Message, Second> seconds_;  // as many as there are messages in the code
};

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_LOG_REPEATS_H_
