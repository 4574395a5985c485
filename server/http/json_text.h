// JSON as text that was checked once and is then looked at in place: a value is a slice of the
// request's own bytes. So a payload is kept byte for byte, numbers are exact or refused, and no
// document tree is built. Boost.JSON checks syntax, UTF-8 and depth, and decodes strings; the walk
// over the (then valid) text adds what it does not do: duplicate keys and source positions.
#ifndef SCHEDULED_SERVER_HTTP_JSON_TEXT_H_
#define SCHEDULED_SERVER_HTTP_JSON_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace scheduled::server {

inline constexpr int kMaxJsonDepth = 64;

// OK if `text` is one JSON value in valid UTF-8 without duplicate keys, at most kMaxJsonDepth deep.
// kInvalidArgument with a sentence and the offset of the first defect otherwise.
absl::Status CheckJson(std::string_view text);

enum class JsonKind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

struct JsonMember;

// One value of a text that passed CheckJson; valid as long as that text.
class JsonValue {
 public:
  // `text` must have passed CheckJson, or be a part of such a text. Space around is cut off.
  explicit JsonValue(std::string_view text);

  JsonKind kind() const;
  // The value's own bytes.
  std::string_view raw() const { return raw_; }
  // Precondition for each: the kind fits.
  bool AsBool() const { return raw_ == "true"; }
  std::string AsString() const;
  std::vector<JsonMember> Members() const;
  std::vector<JsonValue> Elements() const;
  // The number if it is an integer that fits exactly; 1.0 and 1e3 are integers too.
  std::optional<int64_t> AsInteger() const;
  // The number if it is finite.
  std::optional<double> AsDouble() const;

 private:
  std::string_view raw_;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

// `text` as a JSON string literal; what is not UTF-8 in it is replaced by U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace scheduled::server

#endif  // SCHEDULED_SERVER_HTTP_JSON_TEXT_H_
