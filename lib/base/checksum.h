// The checksum that every stored record and every piece of a snapshot carries: XXH3 with 64 bits.
// It finds damage; it does not withstand someone who makes it (see sha256.h).
#ifndef SCHEDULED_LIB_BASE_CHECKSUM_H_
#define SCHEDULED_LIB_BASE_CHECKSUM_H_

#include <cstdint>
#include <memory>
#include <string_view>

namespace scheduled {

uint64_t Checksum64(std::string_view bytes);
// With another seed the same bytes give another sum: to bind a record to where it stands.
uint64_t Checksum64(std::string_view bytes, uint64_t seed);

// The same sum over pieces: what a stream of them adds up to. Not thread-safe.
class RunningChecksum {
 public:
  RunningChecksum();
  ~RunningChecksum();
  RunningChecksum(const RunningChecksum&) = delete;
  RunningChecksum& operator=(const RunningChecksum&) = delete;

  void Add(std::string_view bytes);
  // The sum of all that was added so far; more may be added after it.
  uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_CHECKSUM_H_
