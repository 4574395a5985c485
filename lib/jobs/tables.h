// The keys of every table in state/: one byte that names the table, then parts that sort as they
// mean to (base/codec.h): numbers big-endian, strings ended by 0x00. Values are protobuf
// (proto/rows.proto). This is the one description of the layout. Pure; any lane.
//
//   tag  table         key behind the tag                                             value
//   J    jobs          job id                                                         JobRow
//   S    schedules     job id                                                         ScheduleRow
//   Q    slots         queue, then as slots/slot_key.h says: ready at, job id, run    SlotRow
//   F    inflight      job id, run u64                                                InflightRow
//   R    runs          job id, run u64, attempt u32, delivery u32                     RunRow
//   D    done          status u8, end i64, job id, run u64                            empty
//   U    queues        queue                                                          QueueRow
//   N    sessions      node id                                                        SessionRow
//   K    dedup         kind u8, key as raw bytes                                      DedupRow
//   E    dedup_expiry  expiry i64, kind u8, key as raw bytes                          empty
//   M    meta          name as raw bytes: "applied" (storage/applied_row.h), "counters", "group"
//   A P T              kept for audit, parked and tags
//
// Every decoder is total: it takes any bytes, and is false for what no encoder made.
#ifndef SCHEDULED_LIB_JOBS_TABLES_H_
#define SCHEDULED_LIB_JOBS_TABLES_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "scheduled/job.h"

namespace scheduled::jobs {

inline constexpr char kJobsTag = 'J';
inline constexpr char kSchedulesTag = 'S';
inline constexpr char kSlotsTag = 'Q';
inline constexpr char kInflightTag = 'F';
inline constexpr char kRunsTag = 'R';
inline constexpr char kDoneTag = 'D';
inline constexpr char kQueuesTag = 'U';
inline constexpr char kSessionsTag = 'N';
inline constexpr char kDedupTag = 'K';
inline constexpr char kDedupExpiryTag = 'E';

// What a name in a key may be: at most this many bytes, at least one, no 0x00.
inline constexpr size_t kMaxKeyNameBytes = 255;
bool IsKeyName(std::string_view name);

// One run of one job, as `inflight` knows it.
struct RunKey {
  std::string job_id;
  uint64_t run = 0;
  auto operator<=>(const RunKey&) const = default;
};

// A row of `slots`: a run that waits for its time. Order is (queue, ready, 3 - priority, job, run).
struct SlotKey {
  std::string queue;
  int64_t ready_us = 0;  // when it may start: its due time, or its retry's
  int priority = 0;
  std::string job_id;
  uint64_t run = 0;
  bool operator==(const SlotKey&) const = default;
};

// A row of `runs`: one delivery; both numbers begin at 1.
struct DeliveryKey {
  std::string job_id;
  uint64_t run = 0;
  uint32_t attempt = 0;
  uint32_t delivery = 0;
  auto operator<=>(const DeliveryKey&) const = default;
};

// A row of `done`: a run that has ended.
struct DoneKey {
  JobStatus status = JobStatus::kCompleted;
  int64_t end_us = 0;
  std::string job_id;
  uint64_t run = 0;
  bool operator==(const DoneKey&) const = default;
};

enum class DedupKind : uint8_t {
  kIdempotencyKey = 1,  // key: the client's text
  kRequest = 2,         // key: the request id of a write other than a create
  kUndoneCreate = 3,    // key: the request id of a create, then the id of its job, since deleted
};

struct DedupKey {
  DedupKind kind = DedupKind::kIdempotencyKey;
  std::string key;
  bool operator==(const DedupKey&) const = default;
};

struct DedupExpiryKey {
  int64_t expires_us = 0;
  DedupKey key;
  bool operator==(const DedupExpiryKey&) const = default;
};

// Names in keys are key names (IsKeyName); that is the caller's to check.
std::string EncodeJobKey(std::string_view job_id);
std::string EncodeScheduleKey(std::string_view job_id);
std::string EncodeSlotKey(const SlotKey& key);
std::string EncodeInflightKey(std::string_view job_id, uint64_t run);
std::string EncodeDeliveryKey(const DeliveryKey& key);
std::string EncodeDoneKey(const DoneKey& key);
std::string EncodeQueueKey(std::string_view queue);
std::string EncodeSessionKey(std::string_view node_id);
std::string EncodeDedupKey(const DedupKey& key);
std::string EncodeDedupExpiryKey(const DedupExpiryKey& key);
inline constexpr std::string_view kCountersKey = "Mcounters";
inline constexpr std::string_view kGroupKey = "Mgroup";

// Prefixes and starts of scans; the end of a prefix is PrefixEnd (base/codec.h).
std::string TablePrefix(char tag);
std::string SlotsPrefix(std::string_view queue);
std::string RunsPrefix(std::string_view job_id);
std::string RunsFrom(std::string_view job_id, uint64_t run);
std::string DonePrefix(JobStatus status);
std::string DoneFrom(JobStatus status, int64_t end_us);
std::string DedupExpiryFrom(int64_t expires_us);

// The job id of a key of `jobs` or `schedules`.
bool DecodeJobKey(std::string_view key, std::string* job_id);
bool DecodeScheduleKey(std::string_view key, std::string* job_id);
bool DecodeSlotKey(std::string_view key, SlotKey* out);
bool DecodeInflightKey(std::string_view key, RunKey* out);
bool DecodeDeliveryKey(std::string_view key, DeliveryKey* out);
bool DecodeDoneKey(std::string_view key, DoneKey* out);
bool DecodeQueueKey(std::string_view key, std::string* queue);
bool DecodeSessionKey(std::string_view key, std::string* node_id);
bool DecodeDedupKey(std::string_view key, DedupKey* out);
bool DecodeDedupExpiryKey(std::string_view key, DedupExpiryKey* out);

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_TABLES_H_
