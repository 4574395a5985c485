// See escaped_text.h.
#include "base/escaped_text.h"

#include <algorithm>
#include <cstdint>

namespace scheduled {
namespace {

bool IsSpecial(char c) { return c == '"' || c == '\\' || IsControlCharacter(c); }

// The letter behind the backslash, for those that have one; 0 for the others.
char ShortEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

}  // namespace

bool IsControlCharacter(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

void AppendEscaped(std::string_view text, std::string_view hex_prefix, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  while (true) {
    // Most text has nothing to escape: it is appended in as few pieces as can be.
    const auto special = std::find_if(text.begin(), text.end(), IsSpecial);
    const auto plain = static_cast<size_t>(special - text.begin());
    out->append(text.substr(0, plain));
    if (special == text.end()) return;
    if (const char letter = ShortEscape(*special); letter != 0) {
      *out += {'\\', letter};
    } else {
      const auto byte = static_cast<uint8_t>(*special);
      out->append(hex_prefix);
      *out += {kHex[byte >> 4], kHex[byte & 15]};
    }
    text.remove_prefix(plain + 1);
  }
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  AppendEscaped(text, "\\u00", out);
  out->push_back('"');
}

}  // namespace scheduled
