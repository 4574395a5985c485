// What the library's own code writes its log with: a sink, and the fields that each line carries
// (the node, the group). A value: copy it with more fields.
#ifndef SCHEDULED_LIB_BASE_LOGGER_H_
#define SCHEDULED_LIB_BASE_LOGGER_H_

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scheduled/log.h"

namespace scheduled {

// One field at the place where a line is written: {"job", id.value}, {"term", term.value}. Refers
// to a text, so that nothing is copied where there is no sink.
class LogArg {
 public:
  LogArg(std::string_view key, std::string_view text) : key_(key), text_(text) {}
  LogArg(std::string_view key, const std::string& text) : key_(key), text_(text) {}
  LogArg(std::string_view key, const char* text) : key_(key), text_(text) {}
  template <std::integral Int>
  LogArg(std::string_view key, Int number)
      : key_(key),
        kind_(std::signed_integral<Int> ? Kind::kSigned : Kind::kUnsigned),
        number_(static_cast<uint64_t>(number)) {}

  LogField ToField() const;

 private:
  enum class Kind : uint8_t { kText, kSigned, kUnsigned };

  std::string_view key_;
  std::string_view text_;
  Kind kind_ = Kind::kText;
  uint64_t number_ = 0;
};

// Thread-safe, as the sink is. Says nothing where it has no sink.
class Logger {
 public:
  using Args = std::initializer_list<LogArg>;

  Logger() = default;
  explicit Logger(LogSink sink) : sink_(std::move(sink)) {}

  // A copy whose lines carry one more field.
  Logger With(std::string key, std::string value) const;

  void Debug(std::string_view message, Args args = {}) const {
    if (sink_) Write(LogLevel::kDebug, message, args);
  }
  void Info(std::string_view message, Args args = {}) const {
    if (sink_) Write(LogLevel::kInfo, message, args);
  }
  void Warn(std::string_view message, Args args = {}) const {
    if (sink_) Write(LogLevel::kWarn, message, args);
  }
  void Error(std::string_view message, Args args = {}) const {
    if (sink_) Write(LogLevel::kError, message, args);
  }

 private:
  void Write(LogLevel level, std::string_view message, Args args) const;

  LogSink sink_;
  std::vector<std::pair<std::string, std::string>> own_fields_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_LOGGER_H_
