// Whether this is a build under a sanitizer: a search over seeds takes several times as long there,
// and may take fewer.
#ifndef SCHEDULED_TESTS_BASE_SANITIZED_H_
#define SCHEDULED_TESTS_BASE_SANITIZED_H_

namespace scheduled::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace scheduled::testing

#endif  // SCHEDULED_TESTS_BASE_SANITIZED_H_
