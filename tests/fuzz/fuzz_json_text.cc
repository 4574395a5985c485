// Fuzz target: whether a payload is one JSON text, against what the server's check of a body says,
// and the keys of webhooks' secrets.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/strings/match.h"
#include "base/assert.h"
#include "base/webhook_rules.h"
#include "executor/webhook/json_text.h"
#include "http/json_text.h"

using namespace scheduled;  // NOLINT: a program of one page

namespace {

void CheckJsonText(std::string_view text) {
  const bool is_json = webhook::IsJsonText(text);
  const absl::Status server = server::CheckJson(text);
  if (server.ok()) SCHEDULED_ASSERT(is_json, "what the server takes for JSON is JSON");
  // The server refuses more: deep nesting, keys that stand twice, exponents beyond any number, and
  // half a character (which the grammar of RFC 8259 allows).
  const bool surrogates =
      text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
  const bool no_json = absl::StartsWith(server.message(), "not valid JSON") && !surrogates &&
                       !absl::StrContains(server.message(), "exponent");
  if (no_json) SCHEDULED_ASSERT(!is_json, "what is no JSON for the server is none");
}

void CheckKey(std::string_view text) {
  const auto key = WebhookKeyOf(text);
  if (!key.ok()) return;
  SCHEDULED_ASSERT(key->size() <= text.size(), "a key is no longer than its text");
  SCHEDULED_ASSERT(!text.starts_with("whsec_") || !key->empty(), "a key has a byte");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckJsonText(text);
  CheckKey(text);
  return 0;
}
