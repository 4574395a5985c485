// Fuzz target: ids and names as text, and UTF-8.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "base/uuid.h"

using namespace scheduled;  // NOLINT: a program of one page

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto uuid = Uuid::Parse(text)) {
    SCHEDULED_ASSERT(Uuid::Parse(uuid->ToString()) == uuid, "an id is read back");
    const std::string cluster(16, 'c');
    if (const auto run = ParseRunUuid(cluster, *uuid)) {
      SCHEDULED_ASSERT(RunUuid(cluster, *run) == *uuid, "a run's id has one number");
    }
  }
  const std::string valid = ToValidUtf8(text);
  SCHEDULED_ASSERT(IsUtf8(valid) && ToValidUtf8(valid) == valid, "text stays text");
  SCHEDULED_ASSERT(IsUtf8(text) == (valid == text), "valid text comes back as it is");
  return 0;
}
