// Signs requests as Standard Webhooks 1.0 says (standardwebhooks.com, "symmetric signatures"):
//   webhook-signature: v1,<base64 of HMAC-SHA256(key, id "." timestamp "." body)>
// A secret "whsec_<base64>" stands for the decoded bytes; any other secret is the key itself.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_SIGNATURE_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct evp_mac_ctx_st;

namespace scheduled::webhook {

// What is signed.
struct SignedMessage {
  std::string_view id;
  int64_t timestamp = 0;  // seconds since the epoch
  std::string_view body;
};

// Holds OpenSSL's algorithm ready, whose look-up costs more than a signature. One thread at a time.
class Signer {
 public:
  Signer();
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  // The value of the webhook-signature header. kInvalidArgument: what follows "whsec_" is not
  // base64 of at least one byte. Precondition: `secret` is not empty.
  absl::StatusOr<std::string> Sign(std::string_view secret, const SignedMessage& message);

 private:
  evp_mac_ctx_st* hmac_;  // owned; HMAC-SHA256, keyed anew for each signature
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_SIGNATURE_H_
