// A scanner over the grammar of RFC 8259, iterative: what is open is a stack of bits, so a payload
// of a million brackets is answered like any other.
#include "executor/webhook/json_text.h"

#include <vector>

#include "base/utf8.h"

namespace scheduled::webhook {
namespace {

bool IsDigit(char c) { return '0' <= c && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || ('a' <= c && c <= 'f') || ('A' <= c && c <= 'F'); }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  // value *( "," value / "]" / "}" ) with the commas and names that the open brackets ask for.
  bool Text() {
    while (true) {
      SkipBlanks();
      if (Take('{')) {
        SkipBlanks();
        if (!Take('}')) {
          open_.push_back(kObject);
          if (!Name()) return false;
          continue;
        }
      } else if (Take('[')) {
        SkipBlanks();
        if (!Take(']')) {
          open_.push_back(kArray);
          continue;
        }
      } else if (!Scalar()) {
        return false;
      }
      bool more = false;
      if (!AfterValue(&more)) return false;
      if (!more) return left_.empty();
    }
  }

 private:
  static constexpr bool kObject = true;
  static constexpr bool kArray = false;

  // Closes what ends here. `*more` tells whether another value must follow.
  bool AfterValue(bool* more) {
    while (true) {
      SkipBlanks();
      if (open_.empty()) return true;
      if (Take(',')) {
        *more = true;
        if (open_.back() == kArray) return true;
        SkipBlanks();
        return Name();
      }
      if (!Take(open_.back() == kObject ? '}' : ']')) return false;
      open_.pop_back();
    }
  }

  bool Name() {
    if (!String()) return false;
    SkipBlanks();
    return Take(':');
  }

  bool Scalar() {
    if (left_.empty()) return false;
    switch (left_.front()) {
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  // Its UTF-8 is checked for the whole text at once; a '"' or '\' is never part of a character.
  bool String() {
    if (!Take('"')) return false;
    while (!left_.empty()) {
      const char c = left_.front();
      left_.remove_prefix(1);
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\' && !Escape()) return false;
    }
    return false;
  }

  bool Escape() {
    if (left_.empty()) return false;
    const char c = left_.front();
    left_.remove_prefix(1);
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i) {
      if (left_.empty() || !IsHex(left_.front())) return false;
      left_.remove_prefix(1);
    }
    return true;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }

  bool Digits() {
    size_t count = 0;
    while (count < left_.size() && IsDigit(left_[count])) ++count;
    left_.remove_prefix(count);
    return count > 0;
  }

  bool Word(std::string_view word) {
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }

  bool Take(char c) {
    if (left_.empty() || left_.front() != c) return false;
    left_.remove_prefix(1);
    return true;
  }

  void SkipBlanks() {
    while (!left_.empty() &&
           std::string_view(" \t\n\r").find(left_.front()) != std::string_view::npos) {
      left_.remove_prefix(1);
    }
  }

  std::string_view left_;
  std::vector<bool> open_;
};

}  // namespace

bool IsJsonText(std::string_view text) { return IsUtf8(text) && Scanner(text).Text(); }

}  // namespace scheduled::webhook
