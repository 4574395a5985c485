// Writes one JSON object member by member into a string. Values that are JSON already (a payload)
// go in as they are.
#ifndef SCHEDULED_SERVER_HTTP_JSON_WRITER_H_
#define SCHEDULED_SERVER_HTTP_JSON_WRITER_H_

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "http/json_text.h"
#include "scheduled/time_text.h"

namespace scheduled::server {

class JsonObject {
 public:
  JsonObject& Raw(std::string_view key, std::string_view json) {
    absl::StrAppend(&text_, text_.size() > 1 ? "," : "", "\"");
    text_.append(key).append("\":").append(json);
    return *this;
  }
  JsonObject& Text(std::string_view key, std::string_view value) {
    return Raw(key, JsonQuote(value));
  }
  // Left out if empty.
  JsonObject& TextIfSet(std::string_view key, std::string_view value) {
    return value.empty() ? *this : Text(key, value);
  }
  template <std::integral T>
  JsonObject& Number(std::string_view key, T value) {
    return Raw(key, std::to_string(value));
  }
  // The shortest text that reads back as the same number. Precondition: it is finite.
  JsonObject& Number(std::string_view key, double value) {
    char text[32];
    const char* end = std::to_chars(text, text + sizeof(text), value).ptr;
    return Raw(key, std::string_view(text, static_cast<size_t>(end - text)));
  }
  JsonObject& Bool(std::string_view key, bool value) { return Raw(key, value ? "true" : "false"); }
  // Epoch seconds; null if not set.
  JsonObject& Time(std::string_view key, const std::optional<absl::Time>& time) {
    return Raw(key, time ? FormatEpochSeconds(*time) : "null");
  }
  JsonObject& TimeIfSet(std::string_view key, const std::optional<absl::Time>& time) {
    return time ? Time(key, time) : *this;
  }

  // The finished object; ends the writer.
  std::string Take() {
    text_ += '}';
    return std::move(text_);
  }

 private:
  std::string text_ = "{";
};

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_JSON_WRITER_H_
