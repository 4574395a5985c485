// See page_cursor.h.
#include "jobs/page_cursor.h"

#include "absl/strings/escaping.h"
#include "base/codec.h"
#include "jobs/tables.h"

namespace scheduled::jobs {
namespace {

constexpr uint8_t kVersion = 1;

uint8_t ListNumber(std::optional<JobStatus> status) {
  return status.has_value() ? static_cast<uint8_t>(*status) : 0;
}

}  // namespace

std::string EncodePageCursor(std::optional<JobStatus> status, std::string_view key) {
  return absl::WebSafeBase64Escape(KeyWriter().U8(kVersion).U8(ListNumber(status)).Raw(key).Take());
}

absl::StatusOr<std::string> DecodePageCursor(std::optional<JobStatus> status,
                                             std::string_view cursor) {
  std::string bytes;
  if (absl::WebSafeBase64Unescape(absl::string_view(cursor.data(), cursor.size()), &bytes)) {
    KeyReader reader(bytes);
    uint8_t version = 0, list = 0;
    reader.U8(&version);
    reader.U8(&list);
    std::string key(reader.rest());
    // The same text comes out again, so that no two cursors mean one place.
    if (reader.ok() && version == kVersion && list == ListNumber(status) &&
        IsListKey(status, key) && EncodePageCursor(status, key) == cursor) {
      return key;
    }
  }
  return absl::InvalidArgumentError("cursor is not one that this list has given out");
}

std::optional<char> TableOfList(std::optional<JobStatus> status) {
  if (!status.has_value()) return kSchedulesTag;
  switch (*status) {
    case JobStatus::kPending:
      return kSlotsTag;
    case JobStatus::kInProgress:
      return kInflightTag;
    case JobStatus::kPaused:
      return kSchedulesTag;
    case JobStatus::kCompleted:
    case JobStatus::kFailed:
    case JobStatus::kTimeout:
    case JobStatus::kCancelled:
      return kDoneTag;
    case JobStatus::kSkipped:
      break;
  }
  return std::nullopt;
}

bool IsListKey(std::optional<JobStatus> status, std::string_view key) {
  std::string job_id;
  SlotKey slot;
  RunKey run;
  DoneKey done;
  switch (TableOfList(status).value_or('\0')) {
    case kSchedulesTag:
      return DecodeScheduleKey(key, &job_id);
    case kSlotsTag:
      return DecodeSlotKey(key, &slot);
    case kInflightTag:
      return DecodeInflightKey(key, &run);
    case kDoneTag:
      return DecodeDoneKey(key, &done) && done.status == *status;
    default:
      return false;
  }
}

}  // namespace scheduled::jobs
