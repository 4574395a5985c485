// The two line formats of the log, and sinks that write them to a file.
#include <string>

#include "absl/time/time.h"
#include "base/escaped_text.h"
#include "base/system_clock.h"
#include "base/utf8.h"
#include "scheduled/log.h"

namespace scheduled {
namespace {

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

void AppendJsonText(std::string* out, std::string_view text) {
  AppendJsonString(ToValidUtf8(text), out);
}

void AppendTextValue(std::string* out, std::string_view text) {
  bool plain = !text.empty();
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || IsControlCharacter(c)) plain = false;
  }
  if (plain) {
    out->append(text);
    return;
  }
  out->push_back('"');
  AppendEscaped(text, "\\x", out);
  out->push_back('"');
}

using Formatter = std::string (*)(absl::Time, LogLevel, std::string_view,
                                  std::span<const LogField>);

LogSink FileSink(std::FILE* file, LogLevel least, Formatter format) {
  return [=](LogLevel level, std::string_view message, std::span<const LogField> fields) {
    if (level < least) return;
    std::string line = format(SystemClock().WallNow(), level, message, fields);
    line.push_back('\n');
    std::fwrite(line.data(), 1, line.size(), file);
    std::fflush(file);
  };
}

}  // namespace

std::string_view LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  return "ERROR";
}

std::string FormatLogText(absl::Time time, LogLevel level, std::string_view message,
                          std::span<const LogField> fields) {
  std::string line = Timestamp(time);
  line.push_back(' ');
  line.append(LogLevelName(level));
  line.push_back(' ');
  AppendEscaped(message, "\\x", &line);
  for (const LogField& field : fields) {
    line.push_back(' ');
    AppendEscaped(field.key, "\\x", &line);
    line.push_back('=');
    AppendTextValue(&line, field.value);
  }
  return line;
}

std::string FormatLogJson(absl::Time time, LogLevel level, std::string_view message,
                          std::span<const LogField> fields) {
  std::string line = "{\"time\":";
  AppendJsonText(&line, Timestamp(time));
  line.append(",\"level\":");
  AppendJsonText(&line, LogLevelName(level));
  line.append(",\"message\":");
  AppendJsonText(&line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendJsonText(&line, field.key);
    line.push_back(':');
    AppendJsonText(&line, field.value);
  }
  line.push_back('}');
  return line;
}

LogSink TextLogSink(std::FILE* file, LogLevel least) {
  return FileSink(file, least, &FormatLogText);
}

LogSink JsonLogSink(std::FILE* file, LogLevel least) {
  return FileSink(file, least, &FormatLogJson);
}

}  // namespace scheduled
