// Where log lines go. The library writes none by itself: a host gives a sink, or hears nothing. The
// two sinks at the end are for a host that has no logger of its own.
#ifndef SCHEDULED_LOG_H_
#define SCHEDULED_LOG_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace scheduled {

// kDebug: for the library's own developers. kInfo: a change of state. kWarn: something is degraded,
// and rights itself when its cause ends. kError: something stopped or was refused; someone must
// look.
enum class LogLevel : uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

// "DEBUG", "INFO", "WARN", "ERROR".
std::string_view LogLevelName(LogLevel level);

// One key=value of a line, such as node, job or index.
struct LogField {
  std::string_view key;
  std::string value;
};

// Called from any thread, one call an event; must not block for long. `message` says what happened
// in the same words each time ("became leader"); what differs is in the fields.
using LogSink =
    std::function<void(LogLevel, std::string_view message, std::span<const LogField> fields)>;

// One event as one line, without its end. Blanks and quotes in a value of the text form lead to
// quotes around it, control characters are escaped in both, and bytes that are not UTF-8 become
// U+FFFD in JSON.
//   2026-01-01T00:00:00.000000Z INFO became leader node=a term=3
//   {"time":"2026-01-01T00:00:00.000000Z","level":"INFO","message":"became leader","node":"a"}
std::string FormatLogText(absl::Time time, LogLevel level, std::string_view message,
                          std::span<const LogField> fields);
std::string FormatLogJson(absl::Time time, LogLevel level, std::string_view message,
                          std::span<const LogField> fields);

// Write to `file`, which the caller keeps open, stamped with the system's time; each line whole, in
// one write. Events below `least` are dropped.
LogSink TextLogSink(std::FILE* file, LogLevel least = LogLevel::kInfo);
LogSink JsonLogSink(std::FILE* file, LogLevel least = LogLevel::kInfo);

}  // namespace scheduled

#endif  // SCHEDULED_LOG_H_
