// See text_rules.h.
#include "jobs/text_rules.h"

#include <cstdint>

#include "base/utf8.h"

namespace scheduled::jobs {
namespace {

// Of one well-formed character. Those above U+007F are C2 80 to C2 9F.
bool IsControl(std::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  if (first < 0x80) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<uint8_t>(character[1]) <= 0x9f;
}

}  // namespace

bool IsPlainText(std::string_view text) {
  while (!text.empty()) {
    const int size = Utf8CharacterSize(text);
    if (size == 0 || IsControl(text)) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace scheduled::jobs
