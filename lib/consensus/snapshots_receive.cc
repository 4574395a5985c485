// See snapshots.h: a follower's side. A piece is acknowledged once it is written, so that the
// sender's window bounds what is in memory here too.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "consensus/snapshots.h"
#include "raft/codec.h"

namespace scheduled {
namespace {

// More than a sender's window: more only comes from one that does not keep it.
constexpr int kMaxWriting = 16;

}  // namespace

void Snapshots::OnOffer(const NodeId& from, SnapshotManifest manifest, LogIndex commit) {
  if (!enabled() || is_installing()) return;
  if (receiving_ && receiving_->from == from && receiving_->term == term_ &&
      receiving_->in.manifest() == manifest) {
    Probe("consensus.snapshot-resumed");
    TellProgress(/*resume=*/true);
    return;
  }
  absl::StatusOr<raft::SnapshotMeta> meta = raft::DecodeSnapshotMeta(manifest.meta);
  if (!meta.ok()) {
    Probe("consensus.malformed-snapshot");
    return;
  }
  DropReceiving();
  if (meta->at.index <= commit) {
    Probe("consensus.snapshot-offered-again");  // the word of its install was lost
    events_.reply(from, {raft::TransferId(manifest.id.value), meta->at.index, true});
    return;
  }
  parts_.log.Info(
      "receiving a snapshot",
      {{"from", from.value}, {"index", meta->at.index.value}, {"bytes", manifest.bytes()}});
  receiving_.emplace(Receiving{.from = from,
                               .term = term_,
                               .meta = *std::move(meta),
                               .dir = NewDir("in"),
                               .in = IncomingSnapshot(std::move(manifest)),
                               .writing = 1});
  const IncomingSnapshot& in = receiving_->in;
  OnFiles([this, dir = receiving_->dir, files = in.manifest().files, begin = in.written()] {
    absl::Status made = parts_.raft.snapshots->Create(dir);
    for (const SnapshotFile& file : files) {
      if (made.ok() && file.size == 0) made = parts_.raft.snapshots->Append(dir, file.name, "");
    }
    OnRaft([this, dir, begin, made] { Wrote(dir, begin, made); });
  });
  TellProgress(/*resume=*/true);
}

void Snapshots::TellProgress(bool resume) {
  const IncomingSnapshot& in = receiving_->in;
  events_.send(
      receiving_->from, FrameClass::kConsensus, EnvelopeKind::kSnapshotProgress,
      events_.cluster_id(),
      EncodeSnapshotProgress({in.manifest().id, resume ? in.place() : in.written(), resume}));
}

void Snapshots::OnPiece(const NodeId& from, std::string frame) {
  if (!receiving_ || receiving_->from != from || receiving_->asked) return;
  absl::StatusOr<SnapshotPiece> piece = DecodePiece(frame);
  SCHEDULED_ASSERT(piece.ok(), "a piece was looked at when it arrived");
  if (piece->id != receiving_->in.manifest().id) return;
  switch (receiving_->in.Take(*piece, receiving_->writing >= kMaxWriting)) {
    case IncomingSnapshot::Fit::kNext:
      WritePiece(std::move(frame), *piece);
      return;
    case IncomingSnapshot::Fit::kKnown:
      return;
    case IncomingSnapshot::Fit::kGap:
      Probe("consensus.snapshot-gap");
      if (receiving_->in.TellGap()) TellProgress(/*resume=*/true);
      return;
  }
}

void Snapshots::WritePiece(std::string frame, const SnapshotPiece& piece) {
  ++receiving_->writing;
  const IncomingSnapshot& in = receiving_->in;
  const size_t at = static_cast<size_t>(piece.bytes.data() - frame.data());
  OnFiles([this, dir = receiving_->dir, through = in.place(),
           file = in.manifest().files[piece.place.file].name, at, frame = std::move(frame)] {
    absl::Status written =
        parts_.raft.snapshots->Append(dir, file, std::string_view(frame).substr(at));
    OnRaft([this, dir, through, written] { Wrote(dir, through, written); });
  });
}

// `dir` tells the attempts at one snapshot apart: what an earlier one wrote is not there any more.
void Snapshots::Wrote(const std::string& dir, SnapshotPlace through, const absl::Status& written) {
  if (!receiving_ || receiving_->dir != dir) {
    Probe("consensus.snapshot-written-too-late");
    return;
  }
  if (receiving_->asked) return;
  --receiving_->writing;
  if (!written.ok()) {
    parts_.log.Error("cannot take in a snapshot", {{"error", written.ToString()}});
    NotWanted(LogIndex());
    return;
  }
  receiving_->in.Wrote(through);
  TellProgress(/*resume=*/false);
  if (receiving_->in.IsWritten()) Finish();
}

void Snapshots::Finish() {
  receiving_->asked = true;
  OnFiles([this, dir = receiving_->dir] {
    absl::Status finished = parts_.raft.snapshots->Finish(dir);
    OnRaft([this, dir, finished] {
      if (!receiving_ || receiving_->dir != dir) return;
      if (!finished.ok()) {
        parts_.log.Error("cannot take in a snapshot", {{"error", finished.ToString()}});
        NotWanted(LogIndex());
        return;
      }
      receiving_->durable = true;
      AskCore();
    });
  });
}

// Where no leader is known, it waits for the word of its own: nobody would want it.
void Snapshots::AskCore() {
  if (!receiving_ || !receiving_->durable || receiving_->stepped) return;
  if (receiving_->from != leader_) return;
  receiving_->stepped = true;
  events_.step(raft::SnapshotReceived{receiving_->from, receiving_->term,
                                      raft::TransferId(receiving_->in.manifest().id.value),
                                      receiving_->meta});
}

bool Snapshots::IsAwaiting(raft::TransferId transfer) const {
  return receiving_ && receiving_->stepped && !receiving_->installing &&
         receiving_->in.manifest().id.value == transfer.value;
}

void Snapshots::NotWanted(LogIndex commit) {
  if (!receiving_) return;
  events_.reply(receiving_->from,
                {raft::TransferId(receiving_->in.manifest().id.value), commit, false});
  DropReceiving();
}

std::string Snapshots::PathForInstall() {
  SCHEDULED_ASSERT(receiving_ && receiving_->stepped, "what is installed has been received");
  receiving_->installing = true;
  return parts_.raft.snapshots->PathOf(receiving_->dir);
}

void Snapshots::Installed(bool done) {
  SCHEDULED_ASSERT(is_installing(), "what was installed was to be");
  if (done) {
    Probe("consensus.snapshot-installed");
    ++counts_.received;
    parts_.log.Info("installed a snapshot", {{"index", receiving_->meta.at.index.value}});
  }
  events_.reply(receiving_->from, {raft::TransferId(receiving_->in.manifest().id.value),
                                   receiving_->meta.at.index, done});
  DropReceiving();
}

void Snapshots::DropReceiving() {
  if (!receiving_) return;
  RemoveDir(receiving_->dir);
  receiving_.reset();
}

}  // namespace scheduled
