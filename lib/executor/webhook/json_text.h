// Whether bytes are one JSON text (RFC 8259). Nothing is parsed into values: a payload is delivered
// as the bytes it came in.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_JSON_TEXT_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_JSON_TEXT_H_

#include <string_view>

namespace scheduled::webhook {

// True if `text` is one JSON value, with blanks around it or not, in strict UTF-8. Nesting costs a
// bit of memory a level and no stack. Numbers may be of any size.
bool IsJsonText(std::string_view text);

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_JSON_TEXT_H_
