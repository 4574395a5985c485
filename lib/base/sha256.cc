// SHA-256 by OpenSSL's EVP interface.
#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/assert.h"

namespace scheduled {

std::string Sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  unsigned size = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<uint8_t*>(digest.data()),
                            &size, EVP_sha256(), nullptr);
  SCHEDULED_ASSERT(ok == 1 && size == digest.size(), "OpenSSL provides SHA-256");
  return digest;
}

}  // namespace scheduled
