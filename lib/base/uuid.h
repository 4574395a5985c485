// UUIDs (RFC 9562). Version 7, which sorts by time, for job and request ids that nobody chose;
// version 8 for run ids, which are made of the cluster's id and the run's number, so that each
// delivery of a run has the same id without it being stored.
//
//   version 7:  unix ms 48 | 7 | random 12 | variant 2 | random 62
//   version 8:  cluster 48 | 8 | cluster 10, run 2 | variant 2 | run 62      (cluster: 58 bits of
//               the XXH3 of the cluster's id; run: the number, high bits first)
#ifndef SCHEDULED_LIB_BASE_UUID_H_
#define SCHEDULED_LIB_BASE_UUID_H_

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "scheduled/types.h"

namespace scheduled {

// A plain value; its order is that of its bytes, and of its text.
struct Uuid {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  int version() const { return bytes[6] >> 4; }
  // Of a version 7: the milliseconds of its making, since 1970.
  uint64_t unix_ms() const;
  // 16 raw bytes.
  std::string ToBytes() const;
  // 36 characters, lower case.
  std::string ToString() const;
  // Takes 36 characters of either case; nullopt for all else, other variants included.
  static std::optional<Uuid> Parse(std::string_view text);
};

// 128 random bits.
struct RandomBits {
  uint64_t high = 0;
  uint64_t low = 0;
};

// Makes UUIDs of version 7. Each is larger than the one before it from the same generator, even if
// the clock stands still or goes back. Thread-safe.
class UuidGenerator {
 public:
  Uuid Next(absl::Time wall_now, RandomBits random);

 private:
  std::mutex mu_;
  uint64_t last_ms_ = 0;
  uint64_t last_high_ = 0;  // the 12 random bits beside the time
  uint64_t last_low_ = 0;   // the 62 below them
};

// The id of a run. Different for each (cluster, run); sorts by run number within a cluster.
// Precondition: the cluster id has 16 bytes.
Uuid RunUuid(std::string_view cluster_id, RunNumber run);
// The number in a run's id; nullopt if it is not one of this cluster.
std::optional<RunNumber> ParseRunUuid(std::string_view cluster_id, const Uuid& uuid);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_UUID_H_
