// The table of well-formed sequences of RFC 3629, section 4, as comparisons.
#include "base/utf8.h"

#include <cstdint>

namespace scheduled {
namespace {

uint8_t ByteAt(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// What the first byte alone says of the size; 0 where no character begins so.
int SizeByFirstByte(uint8_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

// Refuses overlong forms, surrogates and what lies above U+10FFFF: all show in the second byte.
bool IsSecondByteInRange(uint8_t first, uint8_t second) {
  switch (first) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second <= 0x9f;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second <= 0x8f;
    default:
      return true;
  }
}

}  // namespace

int Utf8CharacterSize(std::string_view text) {
  if (text.empty()) return 0;
  const int size = SizeByFirstByte(ByteAt(text, 0));
  if (size == 0 || text.size() < static_cast<size_t>(size)) return 0;
  for (int i = 1; i < size; ++i) {
    if (!IsContinuation(ByteAt(text, i))) return 0;
  }
  if (size > 1 && !IsSecondByteInRange(ByteAt(text, 0), ByteAt(text, 1))) return 0;
  return size;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const int size = Utf8CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const int size = Utf8CharacterSize(text);
    if (size == 0) {
      valid.append("\xef\xbf\xbd");
      text.remove_prefix(1);
    } else {
      valid.append(text.substr(0, size));
      text.remove_prefix(size);
    }
  }
  return valid;
}

}  // namespace scheduled
