// SHA-256 by OpenSSL's EVP interface.
#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/assert.h"

namespace scheduled {

std::string Sha256(std::string_view bytes) {
  // Fetched once: OpenSSL 3 looks EVP_sha256() up in its providers on each use.
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SCHEDULED_ASSERT(kSha256 != nullptr, "OpenSSL provides SHA-256");
  std::string digest(32, '\0');
  unsigned size = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<uint8_t*>(digest.data()),
                            &size, kSha256, nullptr);
  SCHEDULED_ASSERT(ok == 1 && size == digest.size(), "a SHA-256 has 32 bytes");
  return digest;
}

}  // namespace scheduled
