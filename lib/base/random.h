// A seeded generator of pseudo-random numbers with its own integer arithmetic: the same seed gives
// the same numbers with every compiler and standard library, for ever, so that a simulator's seed
// can be replayed. Not for secrets: those come from the operating system (Runtime::Random).
#ifndef SCHEDULED_LIB_BASE_RANDOM_H_
#define SCHEDULED_LIB_BASE_RANDOM_H_

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace scheduled {

// One step of SplitMix64 (Steele, Lea and Flood 2014): advances `*state` and returns its mix.
uint64_t SplitMix64(uint64_t* state);

// xoshiro256** (Blackman and Vigna 2018), seeded by SplitMix64. A plain value: a copy goes on with
// the same numbers. Not thread-safe.
class Random {
 public:
  explicit Random(uint64_t seed);

  // 64 uniform bits.
  uint64_t Next();
  // Uniform in [0, bound), without bias. Precondition: bound > 0.
  uint64_t Uniform(uint64_t bound);
  // Uniform in [low, high], both included. Precondition: low <= high.
  int64_t Between(int64_t low, int64_t high);
  // The same in whole nanoseconds.
  absl::Duration Between(absl::Duration low, absl::Duration high);
  // True in `numerator` of `denominator` cases. Precondition: denominator > 0.
  bool Chance(uint64_t numerator, uint64_t denominator);
  // A generator whose numbers do not depend on how many of this one's are used later.
  Random Fork();

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_RANDOM_H_
