// Request bodies: whatever is accepted can be shown again as valid JSON with the payload in it byte
// for byte.
#include <cstdint>
#include <string>
#include <string_view>

#include "http/job_json.h"
#include "http/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scheduled::server;  // NOLINT: one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!CheckJson(text).ok()) return 0;
  const JsonValue value(text);
  const absl::StatusOr<scheduled::Job> job = JobFromJson(value);
  (void)BatchFromJson(value);
  if (!job.ok()) return 0;
  scheduled::JobInfo info;
  info.job = *job;
  const std::string shown = JobToJson(info);
  if (!CheckJson(shown).ok()) __builtin_trap();
  if (!job->payload.empty() && shown.find(job->payload) == std::string::npos) __builtin_trap();
  return 0;
}
