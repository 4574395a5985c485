// See text_rules.h.
#include "jobs/text_rules.h"

#include <cstdint>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kQuotedBytes = 60;

// Takes the first character off; nothing if what is there is not UTF-8.
std::optional<uint32_t> TakeCharacter(std::string_view* text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>((*text)[i]); };
  const uint8_t first = byte(0);
  size_t size = 1;
  uint32_t value = first;
  uint32_t least = 0;
  if (first >= 0x80) {
    if (first >= 0xc2 && first <= 0xdf) {
      size = 2, value = first & 0x1f, least = 0x80;
    } else if (first >= 0xe0 && first <= 0xef) {
      size = 3, value = first & 0x0f, least = 0x800;
    } else if (first >= 0xf0 && first <= 0xf4) {
      size = 4, value = first & 0x07, least = 0x10000;
    } else {
      return std::nullopt;
    }
  }
  if (text->size() < size) return std::nullopt;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    value = value << 6 | (byte(i) & 0x3f);
  }
  if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
    return std::nullopt;
  }
  text->remove_prefix(size);
  return value;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    if (!TakeCharacter(&text).has_value()) return false;
  }
  return true;
}

bool HasControl(std::string_view text) {
  while (!text.empty()) {
    const std::optional<uint32_t> character = TakeCharacter(&text);
    if (!character.has_value()) return true;
    if (*character < 0x20 || (*character >= 0x7f && *character <= 0x9f)) return true;
  }
  return false;
}

std::string Quote(std::string_view text) {
  const std::string_view cut = text.substr(0, kQuotedBytes);
  return absl::StrCat("\"", absl::CHexEscape(absl::string_view(cut.data(), cut.size())),
                      text.size() > cut.size() ? "...\"" : "\"");
}

}  // namespace scheduled::jobs
