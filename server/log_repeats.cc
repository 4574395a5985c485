// See log_repeats.h.
#include "log_repeats.h"

#include "absl/strings/str_cat.h"

namespace scheduled::server {

LogRepeats::~LogRepeats() { Write(TakeEnded(MonoTime::Infinite())); }

LogSink LogRepeats::Sink() {
  return [this](LogLevel level, std::string_view message, std::span<const LogField> fields) {
    Log(level, message, fields);
  };
}

void LogRepeats::Tell() {
  std::vector<LeftOut> ended;
  {
    std::lock_guard lock(mutex_);
    ended = TakeEnded(options_.now());
  }
  Write(ended);
}

void LogRepeats::Log(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  std::vector<LeftOut> ended;
  bool passes;
  {
    std::lock_guard lock(mutex_);
    const MonoTime now = options_.now();
    ended = TakeEnded(now);
    Second& second = seconds_[Message(level, message)];
    if (second.lines == 0) second.end = now + absl::Seconds(1);
    passes = second.lines < options_.per_second;
    if (passes) {
      ++second.lines;
    } else {
      ++second.left_out;
    }
  }
  Write(ended);
  if (passes) options_.sink(level, message, fields);
}

std::vector<LogRepeats::LeftOut> LogRepeats::TakeEnded(MonoTime now) {
  std::vector<LeftOut> ended;
  for (auto it = seconds_.begin(); it != seconds_.end();) {
    if (it->second.end > now) {
      ++it;
      continue;
    }
    if (it->second.left_out > 0) ended.push_back({it->first, it->second.left_out});
    it = seconds_.erase(it);
  }
  return ended;
}

void LogRepeats::Write(const std::vector<LeftOut>& ended) const {
  for (const LeftOut& left_out : ended) {
    const LogField fields[] = {{"message", left_out.message.second},
                               {"count", absl::StrCat(left_out.count)}};
    options_.sink(left_out.message.first, "left out more lines like one before", fields);
  }
}

}  // namespace scheduled::server
