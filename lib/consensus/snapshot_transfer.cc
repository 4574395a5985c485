// See snapshot_transfer.h.
#include "consensus/snapshot_transfer.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace scheduled {
namespace {

// Longer than a piece takes over any network that Raft works on, and than most syncs.
constexpr absl::Duration kAnswerPatience = absl::Milliseconds(500);

}  // namespace

OutgoingSnapshot::OutgoingSnapshot(SnapshotManifest manifest, SnapshotPacing pacing, MonoTime now)
    : manifest_(std::move(manifest)),
      pacing_(pacing),
      next_(Settle(manifest_, kSnapshotBegin)),
      next_offer_(now),
      next_piece_(now),
      progressed_(now) {
  SCHEDULED_ASSERT(pacing_.piece_bytes > 0 && pacing_.piece_bytes <= kSnapshotPieceBytes,
                   "a piece is within its bounds");
  SCHEDULED_ASSERT(pacing_.window_bytes >= pacing_.piece_bytes, "a window has room for a piece");
}

bool OutgoingSnapshot::TakeOffer(MonoTime now) {
  if (now < next_offer_) return false;
  next_offer_ = now + kAnswerPatience;
  return true;
}

std::optional<OutgoingSnapshot::Piece> OutgoingSnapshot::TakePiece(MonoTime now) {
  if (!taken_up_ || next_.file == manifest_.files.size() || now < next_piece_) return std::nullopt;
  if (sent_ - acknowledged_ + pacing_.piece_bytes > pacing_.window_bytes) return std::nullopt;
  const uint64_t left = manifest_.files[next_.file].size - next_.offset;
  const Piece piece{next_, static_cast<size_t>(std::min<uint64_t>(left, pacing_.piece_bytes))};
  next_ = Settle(manifest_, {next_.file, next_.offset + piece.bytes});
  sent_ += piece.bytes;
  next_offer_ = now + kAnswerPatience;
  if (pacing_.bytes_per_second) {
    // What was not used by then is lost, so that a pause is not followed by a burst.
    next_piece_ = now + absl::Seconds(static_cast<double>(piece.bytes) /
                                      static_cast<double>(*pacing_.bytes_per_second));
  }
  return piece;
}

uint64_t OutgoingSnapshot::BytesBefore(SnapshotPlace place) const {
  uint64_t bytes = place.offset;
  for (uint32_t file = 0; file < place.file; ++file) bytes += manifest_.files[file].size;
  return bytes;
}

bool OutgoingSnapshot::Progressed(MonoTime now, SnapshotPlace place, bool resume) {
  const size_t files = manifest_.files.size();
  if (place.file > files || (place.file == files && place.offset != 0)) return false;
  if (place.file < files && place.offset > manifest_.files[place.file].size) return false;
  place = Settle(manifest_, place);
  const uint64_t bytes = BytesBefore(place);
  if (resume) {
    // It may be behind what it had: it was started anew, and remembers nothing.
    next_ = place;
    sent_ = bytes;
    acknowledged_ = bytes;
    most_acknowledged_ = std::min(most_acknowledged_, bytes);  // what comes now is progress again
  } else if (bytes > sent_) {
    return false;
  } else {
    acknowledged_ = std::max(acknowledged_, bytes);
  }
  taken_up_ = true;
  next_offer_ = now + kAnswerPatience;
  if (acknowledged_ > most_acknowledged_) {
    most_acknowledged_ = acknowledged_;
    progressed_ = now;
  }
  return true;
}

bool OutgoingSnapshot::IsSent() const { return taken_up_ && acknowledged_ == manifest_.bytes(); }

MonoTime OutgoingSnapshot::NextDeadline() const {
  MonoTime next = std::min(next_offer_, progressed_ + pacing_.patience);
  const bool waits_for_time = taken_up_ && next_.file < manifest_.files.size() &&
                              sent_ - acknowledged_ + pacing_.piece_bytes <= pacing_.window_bytes;
  if (waits_for_time) next = std::min(next, next_piece_);
  return next;
}

IncomingSnapshot::IncomingSnapshot(SnapshotManifest manifest)
    : manifest_(std::move(manifest)), place_(Settle(manifest_, kSnapshotBegin)), written_(place_) {}

IncomingSnapshot::Fit IncomingSnapshot::Take(const SnapshotPiece& piece, bool full) {
  if (piece.place < place_) return Fit::kKnown;
  if (piece.place > place_ || full) return Fit::kGap;
  if (piece.place.file >= manifest_.files.size()) return Fit::kKnown;
  if (piece.bytes.size() > manifest_.files[piece.place.file].size - piece.place.offset) {
    return Fit::kGap;  // it reaches beyond its file
  }
  place_ = Settle(manifest_, {place_.file, place_.offset + piece.bytes.size()});
  told_gap_.reset();
  return Fit::kNext;
}

bool IncomingSnapshot::TellGap() {
  if (told_gap_ == place_) return false;
  told_gap_ = place_;
  return true;
}

}  // namespace scheduled
