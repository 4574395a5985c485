// Fuzz target: what a webhook's receiver answers, and the address blocks of the server's settings.
//
// Input: 2 bytes choose the status, then Retry-After up to the first line feed, then the body.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "executor/webhook/cidr.h"
#include "executor/webhook/response.h"

using namespace scheduled;           // NOLINT: a program of one page
using namespace scheduled::webhook;  // NOLINT

namespace {

void CheckAnswer(int status, std::string_view text) {
  const size_t end = std::min(text.find('\n'), text.size());
  Transfer transfer;
  transfer.http_status = status;
  transfer.retry_after = std::string(text.substr(0, end));
  transfer.head = std::string(text.substr(end).substr(0, kKeptBytes));
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const Outcome outcome = Interpret(transfer, now);
  SCHEDULED_ASSERT(
      IsUtf8(outcome.result.response) && outcome.result.response.size() <= kRecordedBytes,
      "what is recorded is text, and bounded");
  SCHEDULED_ASSERT(outcome.result.status.ok() == (status >= 200 && status < 300),
                   "2xx alone is a success");
  if (const auto wait = ParseRetryAfter(transfer.retry_after, now)) {
    SCHEDULED_ASSERT(*wait >= absl::ZeroDuration() && *wait <= absl::Hours(24), "a wait in bounds");
  }
}

void CheckAddress(std::string_view text) {
  if (const auto address = IpAddress::Parse(text); address.ok()) {
    SCHEDULED_ASSERT(*IpAddress::Parse(address->ToString()) == *address, "an address is read back");
    if (const auto inner = address->EmbeddedV4()) {
      SCHEDULED_ASSERT(!address->is_v4() && inner->is_v4(), "only IPv6 carries IPv4");
    }
  }
  if (const auto block = Cidr::Parse(text); block.ok()) {
    SCHEDULED_ASSERT(*Cidr::Parse(block->ToString()) == *block, "a block is read back");
    SCHEDULED_ASSERT(block->Contains(*block), "a block is within itself");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  CheckAnswer(100 + (data[0] * 256 + data[1]) % 900, text);
  CheckAddress(text);
  return 0;
}
