// Rules about text that comes from users, shared by what validates it. Pure.
#ifndef SCHEDULED_LIB_JOBS_TEXT_RULES_H_
#define SCHEDULED_LIB_JOBS_TEXT_RULES_H_

#include <string>
#include <string_view>

namespace scheduled::jobs {

// Well-formed UTF-8 (RFC 3629): no overlong form, no surrogate, nothing past U+10FFFF.
bool IsUtf8(std::string_view text);
// A control character of Unicode (U+0000 to U+001F, U+007F to U+009F), in well-formed UTF-8.
bool HasControl(std::string_view text);
// As it may stand in a message: quoted, what is not printable ASCII escaped, cut to 60 bytes.
std::string Quote(std::string_view text);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_TEXT_RULES_H_
