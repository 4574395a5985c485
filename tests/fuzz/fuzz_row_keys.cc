// Fuzz target: stored keys and page cursors. What a decoder takes comes out of the encoder again
// byte for byte, so that no two byte strings mean one row; anything else is refused.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "jobs/page_cursor.h"
#include "jobs/tables.h"
#include "scheduled/job.h"

using namespace scheduled::jobs;  // NOLINT: the decoders under test

namespace {

void CheckKeys(std::string_view key) {
  std::string name;
  SlotKey slot;
  RunKey run;
  DeliveryKey delivery;
  DoneKey done;
  DedupKey dedup;
  DedupExpiryKey expiry;
  const auto same = [&](const std::string& again) {
    SCHEDULED_ASSERT(again == key, "a key that is taken is the key of what it says");
  };
  if (DecodeJobKey(key, &name)) same(EncodeJobKey(name));
  if (DecodeScheduleKey(key, &name)) same(EncodeScheduleKey(name));
  if (DecodeQueueKey(key, &name)) same(EncodeQueueKey(name));
  if (DecodeSessionKey(key, &name)) same(EncodeSessionKey(name));
  if (DecodeSlotKey(key, &slot)) same(EncodeSlotKey(slot));
  if (DecodeInflightKey(key, &run)) same(EncodeInflightKey(run.job_id, run.run));
  if (DecodeDeliveryKey(key, &delivery)) same(EncodeDeliveryKey(delivery));
  if (DecodeDoneKey(key, &done)) same(EncodeDoneKey(done));
  if (DecodeDedupKey(key, &dedup)) same(EncodeDedupKey(dedup));
  if (DecodeDedupExpiryKey(key, &expiry)) same(EncodeDedupExpiryKey(expiry));
}

void CheckCursor(std::string_view text) {
  std::optional<scheduled::JobStatus> status;
  for (uint8_t list = 0; list <= 8; ++list) {
    if (list > 0) status = static_cast<scheduled::JobStatus>(list);
    const absl::StatusOr<std::string> key = DecodePageCursor(status, text);
    if (!key.ok()) continue;
    SCHEDULED_ASSERT(IsListKey(status, *key), "a cursor names a row of its list");
    SCHEDULED_ASSERT(EncodePageCursor(status, *key) == text, "a cursor has one form");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckKeys(bytes);
  CheckCursor(bytes);
  return 0;
}
