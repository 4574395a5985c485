// The rules as tables; names are compared without regard to case (RFC 9110, section 5.1).
#include "base/webhook_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace scheduled {
namespace {

constexpr size_t kMaxHeaders = 64;
constexpr size_t kMaxHeaderBytes = 8 << 10;
constexpr std::string_view kBase64Prefix = "whsec_";

constexpr const char* kReserved[] = {
    "host",       "content-length", "content-type", "idempotency-key", "expect",
    "connection", "keep-alive",     "te",           "trailer",         "transfer-encoding",
    "upgrade",    "http2-settings", "traceparent",
};
constexpr const char* kReservedPrefixes[] = {"webhook-", "x-scheduled-", "proxy-"};

bool IsToken(std::string_view name) {
  static constexpr std::string_view kOther = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           kOther.find(c) != std::string_view::npos;
  });
}

bool IsValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool IsReserved(absl::string_view name, bool has_bearer_token) {
  if (has_bearer_token && absl::EqualsIgnoreCase(name, "authorization")) return true;
  const auto equals = [name](const char* word) { return absl::EqualsIgnoreCase(name, word); };
  const auto begins = [name](const char* word) { return absl::StartsWithIgnoreCase(name, word); };
  return std::any_of(std::begin(kReserved), std::end(kReserved), equals) ||
         std::any_of(std::begin(kReservedPrefixes), std::end(kReservedPrefixes), begins);
}

}  // namespace

absl::Status CheckWebhookHeaders(const std::map<std::string, std::string>& headers,
                                 bool has_bearer_token) {
  if (headers.size() > kMaxHeaders) {
    return absl::InvalidArgumentError(
        absl::StrCat("headers are ", headers.size(), "; at most ", kMaxHeaders, " are allowed"));
  }
  size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size();
    if (!IsToken(name)) {
      return absl::InvalidArgumentError(absl::StrCat("headers has the name \"",
                                                     absl::CHexEscape(name.substr(0, 60)),
                                                     "\"; it needs to be an HTTP token"));
    }
    if (!IsValue(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("headers has a value for ", name,
                       " that holds control characters; tab alone is allowed"));
    }
    if (IsReserved(name, has_bearer_token)) {
      return absl::InvalidArgumentError(
          absl::StrCat("headers has the name ", name, "; that one is set by the library"));
    }
  }
  if (bytes <= kMaxHeaderBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("headers have ", bytes, " bytes; at most ", kMaxHeaderBytes, " are allowed"));
}

absl::StatusOr<std::string> WebhookKeyOf(std::string_view secret) {
  if (!secret.starts_with(kBase64Prefix)) return std::string(secret);
  secret.remove_prefix(kBase64Prefix.size());
  std::string key;
  if (!absl::Base64Unescape(absl::string_view(secret.data(), secret.size()), &key) || key.empty()) {
    return absl::InvalidArgumentError(
        "secret begins with whsec_; base64 of at least one byte needs to follow");
  }
  return key;
}

}  // namespace scheduled
