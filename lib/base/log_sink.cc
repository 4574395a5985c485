// The two line formats of the log, and sinks that write them to a file.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/system_clock.h"
#include "base/utf8.h"
#include "scheduled/log.h"

namespace scheduled {
namespace {

std::string Timestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

void AppendHexEscape(std::string* out, const char* prefix, uint8_t byte) {
  absl::StrAppend(out, prefix, absl::Hex(byte, absl::kZeroPad2));
}

bool IsControl(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

// The two-character escapes that JSON and the text form share; nullptr for other characters.
const char* ShortEscape(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return nullptr;
  }
}

void AppendEscaped(std::string* out, std::string_view text, const char* hex_prefix) {
  for (const char c : text) {
    if (const char* escape = ShortEscape(c)) {
      out->append(escape);
    } else if (IsControl(c)) {
      AppendHexEscape(out, hex_prefix, static_cast<uint8_t>(c));
    } else {
      out->push_back(c);
    }
  }
}

void AppendJsonString(std::string* out, std::string_view text) {
  out->push_back('"');
  AppendEscaped(out, ToValidUtf8(text), "\\u00");
  out->push_back('"');
}

void AppendTextValue(std::string* out, std::string_view text) {
  bool plain = !text.empty();
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || IsControl(c)) plain = false;
  }
  if (plain) {
    out->append(text);
    return;
  }
  out->push_back('"');
  AppendEscaped(out, text, "\\x");
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
  AppendEscaped(&line, message, "\\x");
  for (const LogField& field : fields) {
    line.push_back(' ');
    AppendEscaped(&line, field.key, "\\x");
    line.push_back('=');
    AppendTextValue(&line, field.value);
  }
  return line;
}

std::string FormatLogJson(absl::Time time, LogLevel level, std::string_view message,
                          std::span<const LogField> fields) {
  std::string line = "{\"time\":";
  AppendJsonString(&line, Timestamp(time));
  line.append(",\"level\":");
  AppendJsonString(&line, LogLevelName(level));
  line.append(",\"message\":");
  AppendJsonString(&line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendJsonString(&line, field.key);
    line.push_back(':');
    AppendJsonString(&line, field.value);
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
