// Whether bytes are UTF-8, strictly (RFC 3629): no overlong forms, no surrogates, nothing above
// U+10FFFF. Ids, payloads and log lines are looked at with it.
#ifndef SCHEDULED_LIB_BASE_UTF8_H_
#define SCHEDULED_LIB_BASE_UTF8_H_

#include <string>
#include <string_view>

namespace scheduled {

// The size of the first character in bytes, 1 to 4; 0 if `text` is empty or does not begin with
// one.
int Utf8CharacterSize(std::string_view text);

bool IsUtf8(std::string_view text);

// Each byte that is part of no character becomes U+FFFD; valid text comes back as it is.
std::string ToValidUtf8(std::string_view text);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_UTF8_H_
