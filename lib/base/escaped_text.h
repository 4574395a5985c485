// Text in which quotes, backslashes and control characters are escaped: strings of JSON, and values
// in lines of a log. Pure.
#ifndef SCHEDULED_LIB_BASE_ESCAPED_TEXT_H_
#define SCHEDULED_LIB_BASE_ESCAPED_TEXT_H_

#include <string>
#include <string_view>

namespace scheduled {

// U+0000 to U+001F and U+007F.
bool IsControlCharacter(char c);

// Appends `text` with \" \\ \n \r \t, and any other control character as `hex_prefix` and two hex
// digits.
void AppendEscaped(std::string_view text, std::string_view hex_prefix, std::string* out);

// Appends `text` as a string of JSON (RFC 8259), in quotes. Precondition: it is UTF-8.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_ESCAPED_TEXT_H_
