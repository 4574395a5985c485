// Rules about text that comes from users, shared by what validates it. Pure.
#ifndef SCHEDULED_LIB_JOBS_TEXT_RULES_H_
#define SCHEDULED_LIB_JOBS_TEXT_RULES_H_

#include <string_view>

namespace scheduled::jobs {

// UTF-8 without a control character (U+0000 to U+001F, U+007F to U+009F).
bool IsPlainText(std::string_view text);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_TEXT_RULES_H_
