// The check by Boost.JSON's own parser, and the walk over text that passed it.
#include "http/json_text.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace scheduled::server {
namespace {

namespace json = boost::json;

// Accepts everything: the parser itself is the check.
struct AcceptAll {
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  using Error = json::error_code;
  using Text = json::string_view;
  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(std::size_t, Error&) { return true; }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_key_part(Text, std::size_t, Error&) { return true; }
  bool on_key(Text, std::size_t, Error&) { return true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(int64_t, Text, Error&) { return true; }
  bool on_uint64(uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }
};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string Unquote(std::string_view literal) {
  if (literal.find('\\') == std::string_view::npos) {
    return std::string(literal.substr(1, literal.size() - 2));
  }
  json::error_code error;
  const json::value value = json::parse(json::string_view(literal.data(), literal.size()), error);
  const json::string* text = value.if_string();
  return text ? std::string(text->data(), text->size()) : std::string();
}

// Steps over valid JSON text.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  bool AtEnd() {
    SkipSpace();
    return pos_ >= text_.size();
  }
  size_t pos() const { return pos_; }
  char Peek() {
    SkipSpace();
    return pos_ < text_.size() ? text_[pos_] : '\0';
  }
  void Next() { ++pos_; }

  std::string_view String() {
    SkipSpace();
    const size_t begin = pos_++;
    while (pos_ < text_.size() && text_[pos_] != '"') pos_ += text_[pos_] == '\\' ? 2 : 1;
    ++pos_;
    return text_.substr(begin, pos_ - begin);
  }

  // A whole value, however deep.
  std::string_view Value() {
    SkipSpace();
    const size_t begin = pos_;
    int depth = 0;
    do {
      const char c = Peek();
      if (c == '"') {
        String();
      } else if (c == '{' || c == '[') {
        ++depth, ++pos_;
      } else if (c == '}' || c == ']') {
        --depth, ++pos_;
      } else if (c == ',' || c == ':') {
        ++pos_;
      } else {
        Scalar();
      }
    } while (depth > 0 && pos_ < text_.size());
    return text_.substr(begin, pos_ - begin);
  }

  void Scalar() {
    while (pos_ < text_.size() && !IsSpace(text_[pos_]) &&
           std::string_view(",:{}[]\"").find(text_[pos_]) == std::string_view::npos) {
      ++pos_;
    }
  }

 private:
  void SkipSpace() {
    while (pos_ < text_.size() && IsSpace(text_[pos_])) ++pos_;
  }

  std::string_view text_;
  size_t pos_ = 0;
};

// Every object of the text has each key once. Keys of one object are held while it is open.
absl::Status CheckDuplicateKeys(std::string_view text) {
  Walker walker(text);
  std::vector<std::optional<absl::flat_hash_set<std::string>>> open;
  bool expect_key = false;
  while (!walker.AtEnd()) {
    const char c = walker.Peek();
    if (c == '{') {
      open.emplace_back(std::in_place);
      expect_key = true;
      walker.Next();
    } else if (c == '[') {
      open.emplace_back(std::nullopt);
      expect_key = false;
      walker.Next();
    } else if (c == '}' || c == ']') {
      open.pop_back();
      expect_key = false;
      walker.Next();
    } else if (c == ',') {
      expect_key = !open.empty() && open.back().has_value();
      walker.Next();
    } else if (c == ':') {
      walker.Next();
    } else if (c == '"') {
      const size_t at = walker.pos();
      const std::string_view literal = walker.String();
      if (expect_key) {
        expect_key = false;
        std::string key = Unquote(literal);
        if (!open.back()->insert(key).second) {
          return absl::InvalidArgumentError(absl::StrCat(
              "the key ", JsonQuote(key), " stands twice in one object (offset ", at, ")"));
        }
      }
    } else {
      walker.Scalar();
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckJson(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), IsSpace)) {
    return absl::InvalidArgumentError("there is no JSON: the body is empty");
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<AcceptAll> parser(options);
  json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (!error && !parser.done()) error = json::error::incomplete;
  if (error == json::error::too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat("the JSON is nested deeper than ", kMaxJsonDepth, " levels"));
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("not valid JSON at offset ", used, ": ", error.message()));
  }
  return CheckDuplicateKeys(text);
}

JsonValue::JsonValue(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  raw_ = text;
}

JsonKind JsonValue::kind() const {
  switch (raw_.front()) {
    case 'n':
      return JsonKind::kNull;
    case 't':
    case 'f':
      return JsonKind::kBool;
    case '"':
      return JsonKind::kString;
    case '[':
      return JsonKind::kArray;
    case '{':
      return JsonKind::kObject;
    default:
      return JsonKind::kNumber;
  }
}

std::string JsonValue::AsString() const { return Unquote(raw_); }

std::vector<JsonMember> JsonValue::Members() const {
  std::vector<JsonMember> members;
  Walker walker(raw_);
  walker.Peek();
  walker.Next();
  while (walker.Peek() == '"') {
    std::string key = Unquote(walker.String());
    walker.Peek();
    walker.Next();  // the colon
    members.push_back({std::move(key), JsonValue(walker.Value())});
    if (walker.Peek() == ',') walker.Next();
  }
  return members;
}

std::vector<JsonValue> JsonValue::Elements() const {
  std::vector<JsonValue> elements;
  Walker walker(raw_);
  walker.Peek();
  walker.Next();
  while (!walker.AtEnd() && walker.Peek() != ']') {
    elements.emplace_back(walker.Value());
    if (walker.Peek() == ',') walker.Next();
  }
  return elements;
}

std::optional<int64_t> JsonValue::AsInteger() const {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), value);
  if (error == std::errc() && end == raw_.data() + raw_.size()) return value;
  if (raw_.find_first_of(".eE") == std::string_view::npos) return std::nullopt;  // too large
  // 1.0 and 1e3 are whole numbers; beyond 2^53 a double would guess.
  const std::optional<double> number = AsDouble();
  if (!number || *number != std::floor(*number) || std::abs(*number) > 9007199254740992.0) {
    return std::nullopt;
  }
  return static_cast<int64_t>(*number);
}

std::optional<double> JsonValue::AsDouble() const {
  double value = 0;
  const auto [end, error] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), value);
  if (error != std::errc() || end != raw_.data() + raw_.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::string JsonQuote(std::string_view text) {
  std::string result = json::serialize(json::string_view(text.data(), text.size()));
  json::error_code error;
  json::basic_parser<AcceptAll> parser({});
  parser.write_some(false, result.data(), result.size(), error);
  if (!error) return result;
  // Not UTF-8: replace byte by byte what cannot be shown.
  std::string cleaned;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      cleaned += c;
    } else {
      cleaned += "\xEF\xBF\xBD";
    }
  }
  return json::serialize(json::string_view(cleaned.data(), cleaned.size()));
}

}  // namespace scheduled::server
