// SHA-256, by OpenSSL: where two contents must be told apart for certain, as an idempotency key's
// request. For mere damage there is checksum.h.
#ifndef SCHEDULED_LIB_BASE_SHA256_H_
#define SCHEDULED_LIB_BASE_SHA256_H_

#include <string>
#include <string_view>

namespace scheduled {

// 32 raw bytes.
std::string Sha256(std::string_view bytes);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_SHA256_H_
