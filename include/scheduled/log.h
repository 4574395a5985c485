// Where log lines go. The library writes none by itself: a host gives a sink, or hears nothing.
#ifndef SCHEDULED_LOG_H_
#define SCHEDULED_LOG_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace scheduled {

enum class LogLevel : uint8_t { kDebug = 0, kInfo = 1, kWarn = 2, kError = 3 };

// One key=value of a line, such as node, job or index.
struct LogField {
  std::string_view key;
  std::string value;
};

// Called from any thread, one call an event; must not block for long.
using LogSink =
    std::function<void(LogLevel, std::string_view message, std::span<const LogField> fields)>;

}  // namespace scheduled

#endif  // SCHEDULED_LOG_H_
