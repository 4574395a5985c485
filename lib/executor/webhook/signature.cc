// HMAC by OpenSSL's EVP_MAC, fed piece by piece so that a large body is not copied to be signed.
#include "executor/webhook/signature.h"

#include <openssl/evp.h>
#include <openssl/params.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/assert.h"
#include "base/webhook_rules.h"

namespace scheduled::webhook {

Signer::Signer() {
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  SCHEDULED_ASSERT(algorithm != nullptr, "OpenSSL offers HMAC");
  hmac_ = EVP_MAC_CTX_new(algorithm);
  EVP_MAC_free(algorithm);
  SCHEDULED_ASSERT(hmac_ != nullptr, "memory for a signature");
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                   OSSL_PARAM_construct_end()};
  const int ok = EVP_MAC_CTX_set_params(hmac_, parameters);
  SCHEDULED_ASSERT(ok == 1, "OpenSSL offers SHA-256");
}

Signer::~Signer() { EVP_MAC_CTX_free(hmac_); }

absl::StatusOr<std::string> Signer::Sign(std::string_view secret, const SignedMessage& message) {
  SCHEDULED_ASSERT(!secret.empty(), "there is a secret to sign with");
  const absl::StatusOr<std::string> key = WebhookKeyOf(secret);
  if (!key.ok()) return key.status();

  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const std::string head = absl::StrCat(absl::string_view(message.id.data(), message.id.size()),
                                        ".", message.timestamp, ".");
  unsigned char mac[EVP_MAX_MD_SIZE];
  size_t size = 0;
  const bool ok = EVP_MAC_init(hmac_, bytes(*key), key->size(), nullptr) == 1 &&
                  EVP_MAC_update(hmac_, bytes(head), head.size()) == 1 &&
                  EVP_MAC_update(hmac_, bytes(message.body), message.body.size()) == 1 &&
                  EVP_MAC_final(hmac_, mac, &size, sizeof(mac)) == 1;
  SCHEDULED_ASSERT(ok, "HMAC-SHA256 works");
  return absl::StrCat(
      "v1,", absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(mac), size)));
}

}  // namespace scheduled::webhook
