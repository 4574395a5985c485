// Request targets, and quoting of what came out of them.
#include <cstdint>
#include <string_view>

#include "http/json_text.h"
#include "http/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scheduled::server;  // NOLINT: one function
  const auto uri = ParseUri(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!uri.ok()) return 0;
  for (const std::string& segment : uri->segments) {
    if (!CheckJson(JsonQuote(segment)).ok()) __builtin_trap();
  }
  for (const auto& [name, value] : uri->query) {
    if (!CheckJson(JsonQuote(value)).ok()) __builtin_trap();
  }
  return 0;
}
