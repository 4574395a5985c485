// Bounds that Apply keeps whatever a command asks for. They are part of the replicated behaviour:
// changing one needs a new feature level (GroupRow.level), or nodes would come to differ.
#ifndef SCHEDULED_LIB_JOBS_LIMITS_H_
#define SCHEDULED_LIB_JOBS_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace scheduled::jobs {

// Live runs of one job: 2 by its schedule, the others by triggers. A schedule row stays below 4
// KiB.
inline constexpr int kMaxLiveRuns = 64;
// Queues that hold a run. Each leader keeps a window for each of them, so that this bounds memory;
// half of the window's rows, so that each has room for two.
inline constexpr size_t kMaxQueues = 4096;
// Jobs of one create.
inline constexpr int kMaxCreateItems = 10'000;
// Items of any other command with a list.
inline constexpr int kMaxItems = 16'384;
// Rows of history that a delete removes at once, so that its batch stays below 4 MiB. What is left
// has no job any more, is seen by nobody, and goes with the retention.
inline constexpr size_t kMaxDeletedHistory = 8'192;
// Rows that one house-keeping command looks at.
inline constexpr int kMaxHousekeepingRows = 1'000;
// Texts of a record; what is longer is cut.
inline constexpr size_t kMaxErrorTypeBytes = 64;
inline constexpr size_t kMaxMessageBytes = 1'024;
inline constexpr size_t kMaxResponseBytes = 1'024;
inline constexpr size_t kMaxReasonBytes = 1'024;
// Request ids of writes other than creates are remembered this long.
inline constexpr int64_t kRequestMemoryUs = int64_t{10} * 60 * 1'000'000;
inline constexpr size_t kRequestIdBytes = 16;

// Stamps lie in the years 1970 to 9999. The epoch itself counts as the microsecond after it, since
// 0 means "not set" in a row.
inline constexpr int64_t kMinStampUs = 1;
inline constexpr int64_t kMaxStampUs = 253'402'300'799'999'999;

inline constexpr uint32_t kFormat = 1;
// Feature levels (GroupRow.level): where a group begins, and the last that this version can apply.
inline constexpr uint32_t kFirstLevel = 1;
inline constexpr uint32_t kLastLevel = 1;
inline constexpr uint32_t kMaxEpoch = 0xffff;
inline constexpr uint64_t kMaxTokenIndex = (uint64_t{1} << 48) - 1;

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_LIMITS_H_
