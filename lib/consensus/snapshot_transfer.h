// The two ends of one snapshot's way over the network, as pure functions of time and what arrives:
// which piece goes next, when an unanswered offer is repeated, where a broken transfer goes on. No
// I/O, no clock. Raft lane; owned by Snapshots.
//
//   sender                      receiver
//   Offer(manifest)      ->     takes it up, or knows it already
//                        <-     Progress(place, resume): go on from here
//   Piece(place, bytes)  ->     takes it if it is the next one
//                        <-     Progress(place): written through here; resume: there was a gap
//   ...
//
// Pieces go in order, at most a window unanswered, no faster than the rate. Whatever is lost, the
// sender sees nothing of but silence: then it offers again, and the answer says where to go on. So
// a receiver that restarted, or whose stream broke, needs no rule of its own.
#ifndef SCHEDULED_LIB_CONSENSUS_SNAPSHOT_TRANSFER_H_
#define SCHEDULED_LIB_CONSENSUS_SNAPSHOT_TRANSFER_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "scheduled/types.h"
#include "storage/snapshot_container.h"

namespace scheduled {

struct SnapshotPacing {
  size_t piece_bytes = kSnapshotPieceBytes;
  // Half of what a bulk stream queues: enough for a disk's and a network's delay together.
  size_t window_bytes = size_t{4} << 20;
  std::optional<uint64_t> bytes_per_second;
  absl::Duration patience = absl::Minutes(10);  // without progress; then it is given up
};

class OutgoingSnapshot {
 public:
  OutgoingSnapshot(SnapshotManifest manifest, SnapshotPacing pacing, MonoTime now);

  const SnapshotManifest& manifest() const { return manifest_; }

  // The offer is to be sent now; it counts as sent.
  bool TakeOffer(MonoTime now);
  // The piece to be sent now; it counts as sent. Nothing: an answer is awaited, or time.
  struct Piece {
    SnapshotPlace place;
    size_t bytes = 0;
  };
  std::optional<Piece> TakePiece(MonoTime now);
  // The receiver has everything before `place`; with `resume` it waits for what follows. False for
  // a place that is none of this snapshot.
  bool Progressed(MonoTime now, SnapshotPlace place, bool resume);

  bool IsSent() const;  // the receiver has all of it
  bool IsGivenUp(MonoTime now) const { return now >= progressed_ + pacing_.patience; }
  // When TakeOffer, TakePiece or IsGivenUp may next say something else without an event.
  MonoTime NextDeadline() const;
  uint64_t acknowledged_bytes() const { return acknowledged_; }

 private:
  uint64_t BytesBefore(SnapshotPlace place) const;

  const SnapshotManifest manifest_;
  const SnapshotPacing pacing_;
  bool taken_up_ = false;      // an answer has come
  SnapshotPlace next_;         // to be sent
  uint64_t sent_ = 0;          // bytes before next_
  uint64_t acknowledged_ = 0;  // bytes that the receiver has; <= sent_
  MonoTime next_offer_;        // unless an answer comes before
  MonoTime next_piece_;        // by the rate
  MonoTime progressed_;        // when the receiver last had more than before
  uint64_t most_acknowledged_ = 0;
};

class IncomingSnapshot {
 public:
  explicit IncomingSnapshot(SnapshotManifest manifest);

  const SnapshotManifest& manifest() const { return manifest_; }

  enum class Fit : uint8_t {
    kNext,   // it is taken
    kKnown,  // it has been taken before
    kGap,    // something before it is missing, or nothing can be taken now
  };
  // kNext moves the place on. `full`: no more can be taken for now.
  Fit Take(const SnapshotPiece& piece, bool full);
  // What comes next.
  SnapshotPlace place() const { return place_; }
  // What the sender is told: behind what is written.
  SnapshotPlace written() const { return written_; }
  void Wrote(SnapshotPlace through) { written_ = through; }
  bool IsTaken() const { return place_.file == manifest_.files.size(); }
  bool IsWritten() const { return written_.file == manifest_.files.size(); }
  // True once for each gap, so that one lost piece is not reported by every one behind it.
  bool TellGap();

 private:
  const SnapshotManifest manifest_;
  SnapshotPlace place_;    // settled: at a byte, or at the end
  SnapshotPlace written_;  // settled; <= place_
  std::optional<SnapshotPlace> told_gap_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_SNAPSHOT_TRANSFER_H_
