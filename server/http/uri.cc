// Percent-decoding, by hand because the parts must be split before they are decoded.
#include "http/uri.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace scheduled::server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::StatusOr<std::string> Decode(absl::string_view text, bool plus_is_space) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return absl::InvalidArgumentError("the URL has a '%' without two hexadecimal digits");
      }
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

}  // namespace

absl::StatusOr<Uri> ParseUri(std::string_view target) {
  const absl::string_view whole(target.data(), target.size());
  if (whole.empty() || whole.front() != '/') {
    return absl::InvalidArgumentError("the request target does not begin with '/'");
  }
  Uri uri;
  const size_t mark = whole.find('?');
  const absl::string_view path = whole.substr(1, mark == absl::string_view::npos ? mark : mark - 1);
  if (!path.empty()) {
    for (const absl::string_view part : absl::StrSplit(path, '/')) {
      absl::StatusOr<std::string> segment = Decode(part, false);
      if (!segment.ok()) return segment.status();
      uri.segments.push_back(*std::move(segment));
    }
  }
  if (mark == absl::string_view::npos) return uri;
  for (const absl::string_view part : absl::StrSplit(whole.substr(mark + 1), '&')) {
    if (part.empty()) continue;
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    absl::StatusOr<std::string> name = Decode(pair.first, true);
    absl::StatusOr<std::string> value = Decode(pair.second, true);
    if (!name.ok()) return name.status();
    if (!value.ok()) return value.status();
    if (!uri.query.emplace(*name, *std::move(value)).second) {
      return absl::InvalidArgumentError(absl::StrCat("parameter \"", *name, "\" stands twice"));
    }
  }
  return uri;
}

}  // namespace scheduled::server
