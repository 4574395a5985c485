// The container, version 1: one manifest record, then piece records in the order of their places.
//
//   record     u8 version (1) · u8 kind · u64 checksum of kind and body (XXH3) · body
//   manifest   kind 1: u64 id · u32 size of meta · meta · u32 files (at least 1) · for each file
//              u8 size of name · name · u64 size
//   piece      kind 2: u64 id · u32 file (from 0, as in the manifest) · u64 offset · 1 to 1 MiB of
//              the file's bytes
//
// Numbers are big-endian. A name is 1 to 255 bytes without '/' and NUL, is not "." or "..", and
// names are sorted, none twice: so a manifest cannot name a place outside of its directory. A piece
// is valid if its checksum fits and it lies within its file. The container is whole once every file
// has as many bytes as the manifest says. A record that is short, altered or of another version is
// refused as a whole; the reader then goes on from the last place that it has.
#include "storage/snapshot_container.h"

#include <algorithm>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kManifest = 1;
constexpr uint8_t kPiece = 2;
constexpr size_t kHeadBytes = 2 + sizeof(uint64_t);
constexpr size_t kPieceHeadBytes = kHeadBytes + 8 + 4 + 8;

void Begin(uint8_t kind, std::string* out) {
  AppendU8(out, kVersion);
  AppendU8(out, kind);
  AppendU64(out, 0);
}

void FillInChecksum(std::string* out) {
  const uint64_t sum =
      Checksum64(std::string_view(*out).substr(kHeadBytes), static_cast<uint8_t>((*out)[1]));
  std::string bytes;
  AppendU64(&bytes, sum);
  out->replace(2, sizeof(uint64_t), bytes);
}

absl::StatusOr<std::string_view> Open(std::string_view record, uint8_t wanted) {
  KeyReader reader(record);
  uint8_t version = 0, kind = 0;
  uint64_t sum = 0;
  if (reader.U8(&version) && version > kVersion) {
    return absl::UnimplementedError("a snapshot is of a newer version of this program");
  }
  reader.U8(&kind);
  reader.U64(&sum);
  if (!reader.ok() || version != kVersion || kind != wanted ||
      sum != Checksum64(reader.rest(), kind)) {
    return absl::DataLossError("a record of a snapshot is damaged");
  }
  return reader.rest();
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxSnapshotNameBytes && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

size_t BytesOf(const SnapshotManifest& manifest) {
  size_t bytes = kHeadBytes + 8 + 4 + manifest.meta.size() + 4;
  for (const SnapshotFile& file : manifest.files) bytes += 1 + file.name.size() + 8;
  return bytes;
}

}  // namespace

uint64_t SnapshotManifest::bytes() const {
  uint64_t total = 0;
  for (const SnapshotFile& file : files) total += file.size;
  return total;
}

bool IsWithinBounds(const SnapshotManifest& manifest) {
  if (manifest.meta.size() > kMaxSnapshotMetaBytes || manifest.files.empty() ||
      manifest.files.size() > kMaxSnapshotFiles || BytesOf(manifest) > kMaxSnapshotManifestBytes) {
    return false;
  }
  uint64_t total = 0;
  for (size_t i = 0; i < manifest.files.size(); ++i) {
    const SnapshotFile& file = manifest.files[i];
    if (!IsName(file.name) || (i > 0 && manifest.files[i - 1].name >= file.name)) return false;
    if (file.size > UINT64_MAX / 2 - total) return false;
    total += file.size;
  }
  return true;
}

SnapshotPlace Settle(const SnapshotManifest& manifest, SnapshotPlace place) {
  while (place.file < manifest.files.size() && place.offset >= manifest.files[place.file].size) {
    place = {place.file + 1, 0};
  }
  return place;
}

std::string EncodeManifest(const SnapshotManifest& manifest) {
  SCHEDULED_ASSERT(IsWithinBounds(manifest), "a manifest is within its bounds");
  std::string out;
  Begin(kManifest, &out);
  AppendU64(&out, manifest.id.value);
  AppendU32(&out, static_cast<uint32_t>(manifest.meta.size()));
  out += manifest.meta;
  AppendU32(&out, static_cast<uint32_t>(manifest.files.size()));
  for (const SnapshotFile& file : manifest.files) {
    AppendU8(&out, static_cast<uint8_t>(file.name.size()));
    out += file.name;
    AppendU64(&out, file.size);
  }
  FillInChecksum(&out);
  return out;
}

std::string EncodePiece(const SnapshotPiece& piece, size_t spare) {
  SCHEDULED_ASSERT(!piece.bytes.empty() && piece.bytes.size() <= kSnapshotPieceBytes,
                   "a piece is within its bounds");
  std::string out;
  out.reserve(kPieceHeadBytes + piece.bytes.size() + spare);
  Begin(kPiece, &out);
  AppendU64(&out, piece.id.value);
  AppendU32(&out, piece.place.file);
  AppendU64(&out, piece.place.offset);
  out += piece.bytes;
  FillInChecksum(&out);
  return out;
}

absl::StatusOr<SnapshotManifest> DecodeManifest(std::string_view record) {
  const absl::Status damaged = absl::DataLossError("the manifest of a snapshot is malformed");
  if (record.size() > kMaxSnapshotManifestBytes) return damaged;
  absl::StatusOr<std::string_view> body = Open(record, kManifest);
  if (!body.ok()) return body.status();
  KeyReader reader(*body);
  SnapshotManifest manifest;
  uint32_t meta_bytes = 0, files = 0;
  std::string_view meta;
  reader.U64(&manifest.id.value);
  reader.U32(&meta_bytes);
  reader.Raw(meta_bytes, &meta);
  reader.U32(&files);
  manifest.meta = meta;
  for (uint32_t i = 0; i < files && reader.ok(); ++i) {
    uint8_t name_bytes = 0;
    std::string_view name;
    uint64_t size = 0;
    reader.U8(&name_bytes);
    reader.Raw(name_bytes, &name);
    if (reader.U64(&size)) manifest.files.push_back({std::string(name), size});
  }
  if (!reader.AtEnd() || !IsWithinBounds(manifest)) return damaged;
  return manifest;
}

absl::StatusOr<SnapshotPiece> DecodePiece(std::string_view record) {
  absl::StatusOr<std::string_view> body = Open(record, kPiece);
  if (!body.ok()) return body.status();
  KeyReader reader(*body);
  SnapshotPiece piece;
  reader.U64(&piece.id.value);
  reader.U32(&piece.place.file);
  reader.U64(&piece.place.offset);
  piece.bytes = reader.rest();
  if (!reader.ok() || piece.bytes.empty() || piece.bytes.size() > kSnapshotPieceBytes) {
    return absl::DataLossError("a piece of a snapshot is malformed");
  }
  return piece;
}

}  // namespace scheduled
