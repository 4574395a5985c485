// Whether this is the build under the address sanitizer: a search over seeds takes several times as
// long there, and may take fewer.
#ifndef SCHEDULED_TESTS_BASE_SANITIZED_H_
#define SCHEDULED_TESTS_BASE_SANITIZED_H_

namespace scheduled::testing {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_BASE_SANITIZED_H_
