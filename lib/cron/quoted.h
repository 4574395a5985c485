// A user's text as it may stand in a message. What is refused may hold anything: line breaks, half
// a character, a megabyte.
#ifndef SCHEDULED_LIB_CRON_QUOTED_H_
#define SCHEDULED_LIB_CRON_QUOTED_H_

#include <string>
#include <string_view>

namespace scheduled::cron {

// In double quotes, all but printable ASCII escaped, cut after 120 bytes.
std::string Quoted(std::string_view text);

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_QUOTED_H_
