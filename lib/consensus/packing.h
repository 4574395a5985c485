// How commands travel in entries: several in one, so that a busy leader pays for an entry once and
// not once a command. Pure functions; what waits to be packed is in the host.
//
// An entry of kind kCommand:
//
//   u8              high 4 bits: version, 1; lowest bit: the command wants to be alone
//   u32             number of commands, at least 1; 1 if alone
//   u32 each        their sizes
//   bytes           the commands, one after the other, to the exact end of the entry
//
// Numbers are big-endian. The log keeps a checksum for each entry, so a malformed one was written
// malformed: an error that stops the node.
#ifndef SCHEDULED_LIB_CONSENSUS_PACKING_H_
#define SCHEDULED_LIB_CONSENSUS_PACKING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/shared_buffer.h"

namespace scheduled {

inline constexpr size_t kPackedHeaderBytes = 5;
inline constexpr size_t kPackedCommandBytes = 4;  // beside the command itself

// Precondition: not empty; one command if `alone`.
SharedBuffer Pack(std::span<const std::string> commands, bool alone);

// Goes through the commands of an entry without copying them.
class PackedReader {
 public:
  // kDataLoss: not an entry that Pack made; kUnimplemented: one of a newer version.
  static absl::StatusOr<PackedReader> Open(std::string_view entry);

  uint32_t count() const { return count_; }
  bool alone() const { return alone_; }
  // The next command. Precondition: fewer than count() were taken.
  std::string_view Next();

 private:
  PackedReader() = default;

  uint32_t count_ = 0;
  bool alone_ = false;
  std::string_view sizes_;
  std::string_view commands_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_PACKING_H_
