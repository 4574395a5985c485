// The container of a snapshot: a manifest that names the files of one copy of the state and what it
// stands for, and the files' bytes in pieces, each with its own checksum. It is sent piece by piece
// over a bulk stream, where any place (file, offset) can be taken up again. Pure functions; the
// format is described at the head of snapshot_container.cc.
#ifndef SCHEDULED_LIB_STORAGE_SNAPSHOT_CONTAINER_H_
#define SCHEDULED_LIB_STORAGE_SNAPSHOT_CONTAINER_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "scheduled/types.h"
#include "storage/snapshot_files.h"

namespace scheduled {

// Names one transfer of one copy; unique among all that can meet.
using SnapshotId = StrongInt<struct SnapshotIdTag>;

inline constexpr size_t kSnapshotPieceBytes = size_t{1} << 20;
inline constexpr size_t kMaxSnapshotFiles = 65536;
inline constexpr size_t kMaxSnapshotNameBytes = 255;
inline constexpr size_t kMaxSnapshotMetaBytes = size_t{64} << 10;
// A manifest stays within what a bulk stream queues.
inline constexpr size_t kMaxSnapshotManifestBytes = size_t{6} << 20;

struct SnapshotManifest {
  SnapshotId id;
  std::string meta;  // what the copy stands for, in the form of the layer above
  std::vector<SnapshotFile> files;
  uint64_t bytes() const;  // of all files together
  bool operator==(const SnapshotManifest&) const = default;
};

// A place between two bytes of a container. After the last byte it is {number of files, 0}.
struct SnapshotPlace {
  uint32_t file = 0;
  uint64_t offset = 0;
  auto operator<=>(const SnapshotPlace&) const = default;
};
inline constexpr SnapshotPlace kSnapshotBegin{};

// Where the first byte at or behind `place` is: steps over files that end there.
SnapshotPlace Settle(const SnapshotManifest& manifest, SnapshotPlace place);

struct SnapshotPiece {
  SnapshotId id;
  SnapshotPlace place;
  std::string_view bytes;  // 1 to kSnapshotPieceBytes, of one file
};

// Precondition: the manifest is within the bounds above.
std::string EncodeManifest(const SnapshotManifest& manifest);
// The head and the bytes of one record; `spare` is room behind it for what the caller appends.
std::string EncodePiece(const SnapshotPiece& piece, size_t spare = 0);

// Total: any bytes give a value or an error. kDataLoss: not a record that these functions wrote;
// kUnimplemented: one of a newer version. A piece's bytes are a view into `record`.
absl::StatusOr<SnapshotManifest> DecodeManifest(std::string_view record);
absl::StatusOr<SnapshotPiece> DecodePiece(std::string_view record);

// The manifest is one that EncodeManifest could write.
bool IsWithinBounds(const SnapshotManifest& manifest);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_STORAGE_SNAPSHOT_CONTAINER_H_
