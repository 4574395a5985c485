// XXH3 by the xxHash library.
#include "base/checksum.h"

#include <xxhash.h>

#include "base/assert.h"

namespace scheduled {

uint64_t Checksum64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t Checksum64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

struct RunningChecksum::State {
  // Allocated by the library itself, since it must stand on a boundary of 64 bytes.
  XXH3_state_t* const xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) {
  SCHEDULED_ASSERT(state_->xxh != nullptr, "there is memory for the state of a checksum");
  XXH3_64bits_reset(state_->xxh);
}

RunningChecksum::~RunningChecksum() = default;

void RunningChecksum::Add(std::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

uint64_t RunningChecksum::value() const { return XXH3_64bits_digest(state_->xxh); }

}  // namespace scheduled
