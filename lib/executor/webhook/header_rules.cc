// The rules as tables; names are compared without regard to case (RFC 9110, section 5.1).
#include "executor/webhook/header_rules.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace scheduled::webhook {
namespace {

constexpr size_t kMaxHeaders = 64;
constexpr size_t kMaxHeaderBytes = 8 << 10;

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

absl::Status CheckUserHeaders(const std::map<std::string, std::string>& headers,
                              bool has_bearer_token) {
  if (headers.size() > kMaxHeaders) {
    return absl::InvalidArgumentError(
        absl::StrCat("headers: ", headers.size(), " are more than ", kMaxHeaders));
  }
  size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size();
    if (!IsToken(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("headers: \"", absl::CHexEscape(name), "\" is no header name"));
    }
    if (!IsValue(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("headers: the value of ", name, " holds a control character"));
    }
    if (IsReserved(name, has_bearer_token)) {
      return absl::InvalidArgumentError(absl::StrCat("headers: ", name, " cannot be set by a job"));
    }
  }
  if (bytes > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("headers: ", bytes, " bytes are more than ", kMaxHeaderBytes));
  }
  return absl::OkStatus();
}

}  // namespace scheduled::webhook
