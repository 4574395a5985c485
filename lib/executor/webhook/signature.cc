// HMAC by OpenSSL's EVP_MAC, fed piece by piece so that a large body is not copied to be signed.
#include "executor/webhook/signature.h"

#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/assert.h"

namespace scheduled::webhook {
namespace {

constexpr std::string_view kBase64Prefix = "whsec_";

absl::StatusOr<std::string> KeyOf(std::string_view secret) {
  if (!secret.starts_with(kBase64Prefix)) return std::string(secret);
  secret.remove_prefix(kBase64Prefix.size());
  std::string key;
  if (!absl::Base64Unescape(absl::string_view(secret.data(), secret.size()), &key) || key.empty()) {
    return absl::InvalidArgumentError("the webhook's secret begins with whsec_ and is no base64");
  }
  return key;
}

}  // namespace

Signer::Signer() : hmac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)) {
  SCHEDULED_ASSERT(hmac_ != nullptr, "OpenSSL offers HMAC");
}

Signer::~Signer() { EVP_MAC_free(hmac_); }

absl::StatusOr<std::string> Signer::Sign(std::string_view secret,
                                         const SignedMessage& message) const {
  SCHEDULED_ASSERT(!secret.empty(), "there is a secret to sign with");
  const absl::StatusOr<std::string> key = KeyOf(secret);
  if (!key.ok()) return key.status();

  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(hmac_),
                                                                          &EVP_MAC_CTX_free);
  SCHEDULED_ASSERT(context != nullptr, "memory for a signature");
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
                                   OSSL_PARAM_construct_end()};
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const std::string head = absl::StrCat(absl::string_view(message.id.data(), message.id.size()),
                                        ".", message.timestamp, ".");
  unsigned char mac[EVP_MAX_MD_SIZE];
  size_t size = 0;
  const bool ok = EVP_MAC_init(context.get(), bytes(*key), key->size(), parameters) == 1 &&
                  EVP_MAC_update(context.get(), bytes(head), head.size()) == 1 &&
                  EVP_MAC_update(context.get(), bytes(message.body), message.body.size()) == 1 &&
                  EVP_MAC_final(context.get(), mac, &size, sizeof(mac)) == 1;
  SCHEDULED_ASSERT(ok, "HMAC-SHA256 works");
  return absl::StrCat(
      "v1,", absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(mac), size)));
}

}  // namespace scheduled::webhook
