// See snapshots.h. Here: the leader's side, and what both share; the follower's is in
// snapshots_receive.cc.
#include "consensus/snapshots.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "raft/codec.h"

namespace scheduled {
namespace {

// Between a failed transfer and the next one: what failed is often a disk that is full.
constexpr absl::Duration kRetryDelay = absl::Seconds(1);

}  // namespace

Snapshots::Snapshots(SnapshotsParts parts, SnapshotLimits limits, SnapshotsEvents events)
    : parts_(std::move(parts)), limits_(limits), events_(std::move(events)) {}

Lane* Snapshots::files_lane() const {
  if (parts_.raft.files != nullptr) return parts_.raft.files;
  return parts_.raft.flush != nullptr ? parts_.raft.flush : parts_.raft.apply;
}

std::string Snapshots::NewDir(std::string_view what) {
  return std::string(what) + "-" + std::to_string(++last_dir_);
}

void Snapshots::RemoveDir(const std::string& dir) {
  OnFiles([this, dir] {
    absl::Status removed = parts_.raft.snapshots->Remove(dir);
    if (!removed.ok()) {
      parts_.log.Warn("cannot remove a snapshot", {{"error", removed.ToString()}});
    }
  });
}

Snapshots::Sending* Snapshots::FindSending(const NodeId& peer, SnapshotId id) {
  const auto found = sending_.find(peer);
  return found != sending_.end() && found->second.id == id ? &found->second : nullptr;
}

void Snapshots::Send(const NodeId& peer, LogIndex applied) {
  if (!enabled()) {
    parts_.log.Error(
        "a peer needs entries that were cut from the log, and this node sends no "
        "snapshots",
        {{"peer", peer.value}});
    return;
  }
  // One at a time. The core forgets of one where the peer was another member in between, or had
  // what it lacked from elsewhere.
  if (const auto old = sending_.find(peer); old != sending_.end()) {
    Probe("consensus.snapshot-begun-anew");
    Forget(old->second);
    sending_.erase(old);
  }
  Probe("consensus.snapshot-begins");
  catching_up_.erase(peer);
  Sending& sending = sending_[peer];
  sending.id = SnapshotId(parts_.raft.runtime->Random());
  sending.dir = NewDir("out");
  sending.hold = applied;
  parts_.log.Info("sending a snapshot: the log does not reach back to what a peer needs",
                  {{"peer", peer.value}});
  FlushThenCheckpoint(peer, sending.id, sending.dir);
}

// While the copy itself flushes, nothing is applied.
void Snapshots::FlushThenCheckpoint(const NodeId& peer, SnapshotId id, const std::string& dir) {
  parts_.raft.apply->Post([this, peer, id, dir] {
    events_.flush_beside([this, peer, id, dir] { Checkpoint(peer, id, dir); });
  });
}

void Snapshots::Checkpoint(const NodeId& peer, SnapshotId id, const std::string& dir) {
  const LogIndex index = parts_.raft.state_machine->applied().index;
  absl::Status copied = parts_.raft.snapshots->Remove(dir);
  if (copied.ok()) {
    copied = parts_.raft.state_machine->Checkpoint(parts_.raft.snapshots->PathOf(dir));
  }
  OnFiles([this, peer, id, dir, index, copied] {
    auto files = copied.ok() ? parts_.raft.snapshots->List(dir) : copied;
    OnRaft([this, peer, id, dir, index, files = std::move(files)]() mutable {
      const Sending* sending = FindSending(peer, id);
      if (sending == nullptr || sending->ended) {
        Probe("consensus.snapshot-copied-too-late");
        RemoveDir(dir);
        return;
      }
      Checkpointed(peer, id, index, std::move(files));
    });
  });
}

void Snapshots::Checkpointed(const NodeId& peer, SnapshotId id, LogIndex index,
                             absl::StatusOr<std::vector<SnapshotFile>> files) {
  Sending& sending = *FindSending(peer, id);
  if (!files.ok()) {
    RemoveDir(sending.dir);
    FailSending(peer, id, files.status().ToString());
    return;
  }
  const std::optional<raft::SnapshotMeta> meta = events_.describe(index);
  SnapshotManifest manifest{id, meta ? raft::EncodeSnapshotMeta(*meta) : "", *std::move(files)};
  if (!meta || !IsWithinBounds(manifest)) {
    RemoveDir(sending.dir);
    FailSending(peer, id, "the copy cannot be described");
    return;
  }
  sending.hold = index;
  sending.bytes = manifest.bytes();
  sending.out.emplace(std::move(manifest), limits_.pacing, now());
  WorkSending(term_);
  ArmTimer();
}

void Snapshots::OnProgress(const NodeId& from, const SnapshotProgress& progress) {
  Sending* sending = FindSending(from, progress.id);
  if (sending == nullptr || !sending->out || sending->ended) return;
  if (!sending->out->Progressed(now(), progress.place, progress.resume)) {
    Probe("consensus.snapshot-odd-progress");
  }
}

void Snapshots::OnReply(const NodeId& from, const raft::SnapshotReply& reply) {
  Sending* sending = FindSending(from, SnapshotId(reply.transfer.value));
  if (sending == nullptr || !sending->out) return;  // not offered, or ended
  if (!reply.installed) {
    FailSending(from, sending->id, "the peer could not use it, or did not need it any more");
    return;
  }
  if (reply.index != sending->hold) {
    Probe("consensus.snapshot-odd-reply");
    FailSending(from, sending->id, "the peer speaks of another position");
    return;
  }
  ++counts_.sent;
  parts_.log.Info("a peer has installed a snapshot",
                  {{"peer", from.value}, {"index", reply.index.value}, {"bytes", sending->bytes}});
  catching_up_[from] = {reply.index, sending->bytes, now()};
  RemoveDir(sending->dir);
  sending_.erase(from);
  events_.step(raft::SnapshotSent{from, reply.index, true});
}

void Snapshots::FailSending(const NodeId& peer, SnapshotId id, std::string_view why) {
  Sending* sending = FindSending(peer, id);
  if (sending == nullptr || sending->ended) return;
  Probe("consensus.snapshot-dropped");
  ++counts_.dropped;
  parts_.log.Warn("a snapshot to a peer came to nothing",
                  {{"peer", peer.value}, {"reason", std::string(why)}});
  // Without a copy yet, whoever makes it removes it.
  if (sending->out) RemoveDir(sending->dir);
  sending->ended = true;
  sending->out.reset();
  parts_.raft.raft->PostAt(now() + kRetryDelay, [this, peer, id] {
    if (FindSending(peer, id) == nullptr) return;
    sending_.erase(peer);
    events_.step(raft::SnapshotSent{peer, LogIndex(), false});
  });
}

void Snapshots::Forget(const Sending& sending) {
  // Without a copy yet, whoever makes it removes it.
  if (sending.out) RemoveDir(sending.dir);
  if (!sending.ended) ++counts_.dropped;
}

void Snapshots::StopSending() {
  for (const auto& [peer, sending] : sending_) Forget(sending);
  sending_.clear();
  catching_up_.clear();
}

uint64_t Snapshots::MayHold(uint64_t copy_bytes) const {
  return std::max(limits_.log_bytes, copy_bytes);
}

LogIndex Snapshots::Hold(const raft::Status& core, const LogSizes& sizes) {
  LogIndex hold(UINT64_MAX);
  const auto behind = [&](LogIndex index) { return sizes.total() - sizes.BytesThrough(index); };
  for (auto& [peer, sending] : sending_) {
    if (sending.ended) continue;
    const bool is_member =
        std::any_of(core.peers.begin(), core.peers.end(),
                    [&peer = peer](const raft::PeerStatus& each) { return each.id == peer; });
    if (!is_member) {
      FailSending(peer, sending.id, "it is no member any more");
    } else if (behind(sending.hold) > MayHold(sending.bytes)) {
      FailSending(peer, sending.id, "too much was written to the log meanwhile");
    } else {
      hold = std::min(hold, sending.hold);
    }
  }
  for (const raft::PeerStatus& peer : core.peers) {
    const auto found = catching_up_.find(peer.id);
    if (found == catching_up_.end()) continue;
    CatchingUp& catching_up = found->second;
    if (peer.match > catching_up.match) {
      catching_up.match = peer.match;
      catching_up.progressed = now();
    }
    const uint64_t bytes = behind(catching_up.match);
    const bool is_over = bytes <= limits_.tail_bytes / 2 || bytes > MayHold(catching_up.bytes) ||
                         now() >= catching_up.progressed + limits_.pacing.patience;
    if (is_over) {
      catching_up_.erase(found);
    } else {
      hold = std::min(hold, catching_up.match);
    }
  }
  return hold;
}

void Snapshots::WorkSending(Term term) {
  const std::string cluster_id = events_.cluster_id();
  for (auto& [peer, sending] : sending_) {
    if (!sending.out) continue;
    if (sending.out->IsGivenUp(now())) {
      FailSending(peer, sending.id, "it made no progress");
      continue;
    }
    if (sending.out->TakeOffer(now())) {
      events_.send(peer, FrameClass::kBulk, EnvelopeKind::kSnapshotOffer, cluster_id,
                   EncodeSnapshotOffer({term, parts_.raft.disk}, sending.out->manifest()));
    }
    while (const auto piece = sending.out->TakePiece(now())) SendPiece(peer, sending, *piece);
  }
}

void Snapshots::SendPiece(const NodeId& peer, const Sending& sending,
                          const OutgoingSnapshot::Piece& piece) {
  OnFiles([this, peer, piece, id = sending.id, dir = sending.dir,
           file = sending.out->manifest().files[piece.place.file].name,
           cluster_id = events_.cluster_id()] {
    absl::StatusOr<std::string> bytes =
        parts_.raft.snapshots->Read(dir, file, piece.place.offset, piece.bytes);
    if (!bytes.ok()) {
      OnRaft([this, peer, id, why = bytes.status()] { FailSending(peer, id, why.ToString()); });
      return;
    }
    events_.send(peer, FrameClass::kBulk, EnvelopeKind::kSnapshotPiece, cluster_id,
                 EncodePiece({id, piece.place, *bytes}, kEnvelopeTrailerBytes));
  });
}

void Snapshots::Work(const NodeId& leader, Term term) {
  term_ = term;
  leader_ = leader;
  if (receiving_ && !receiving_->installing &&
      (receiving_->term != term || (!leader.empty() && receiving_->from != leader))) {
    Probe("consensus.snapshot-of-past-term");
    DropReceiving();
  }
  AskCore();
  WorkSending(term);
  ArmTimer();
}

void Snapshots::ArmTimer() {
  MonoTime next = MonoTime::Infinite();
  for (const auto& [peer, sending] : sending_) {
    if (sending.out) next = std::min(next, sending.out->NextDeadline());
  }
  if (next >= timer_at_) return;
  if (timer_at_ != MonoTime::Infinite()) parts_.raft.raft->Cancel(timer_);
  timer_at_ = next;
  timer_ = parts_.raft.raft->PostAt(next, [this] {
    timer_at_ = MonoTime::Infinite();
    WorkSending(term_);
    ArmTimer();
  });
}

}  // namespace scheduled
