// Snapshots on their way: as a leader, has the state machine write a copy for a follower whose
// entries were cut, and sends it; as a follower, puts the pieces together and tells the core. When
// one is to be installed, the host does it (host_snapshots.cc). Files are read and written on the
// files lane; all else is on the raft lane. Owned by the host.
//
// A copy is held for one follower: as long as it is on its way the log behind it is not cut, and
// afterwards as long as the follower catches up from it, within the limits of the options. What
// ends without being installed is counted; the core tries again.
//
//   sending   checkpoint -> offered -> pieces -> awaits install -> catching up
//                  any of them: failed, given up, no longer leader -> ended
//   receiving pieces -> complete -> asked the core -> installing -> gone
#ifndef SCHEDULED_LIB_CONSENSUS_SNAPSHOTS_H_
#define SCHEDULED_LIB_CONSENSUS_SNAPSHOTS_H_

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/lane.h"
#include "base/logger.h"
#include "base/runtime.h"
#include "consensus/envelope.h"
#include "consensus/log_sizes.h"
#include "consensus/raft_parts.h"
#include "consensus/snapshot_transfer.h"
#include "raft/core.h"

namespace scheduled {

struct SnapshotLimits {
  SnapshotPacing pacing;
  // Of log behind a copy that is on its way; or the copy's own size if that is more.
  uint64_t log_bytes = uint64_t{1} << 30;
  // A follower that is this near to the end of the log needs nothing held for it.
  uint64_t tail_bytes = uint64_t{64} << 20;
};

struct SnapshotsParts {
  RaftParts raft;
  NodeId self;
  Logger log;
};

// Called on the raft lane, but for `send`, which is also called on the files lane, and
// `flush_beside`.
struct SnapshotsEvents {
  // To the core, with the next wake-up.
  std::function<void(raft::Event)> step;
  std::function<void(const NodeId& to, FrameClass, EnvelopeKind, std::string_view cluster_id,
                     std::string content)>
      send;
  // What a copy at `index` stands for. Nothing: it is not known here any more.
  std::function<std::optional<raft::SnapshotMeta>(LogIndex index)> describe;
  std::function<void(const NodeId& to, raft::SnapshotReply)> reply;
  std::function<std::string()> cluster_id;
  std::function<void(Task)> flush_beside;  // on the apply lane: see Flusher
};

struct SnapshotCounts {
  std::atomic<uint64_t> sent{0};      // installed by their followers
  std::atomic<uint64_t> dropped{0};   // ended in another way
  std::atomic<uint64_t> received{0};  // installed here
};

// Raft lane unless a method says otherwise. Without RaftParts::snapshots it sends and takes none.
class Snapshots {
 public:
  Snapshots(SnapshotsParts parts, SnapshotLimits limits, SnapshotsEvents events);

  bool enabled() const { return parts_.raft.snapshots != nullptr; }
  const SnapshotCounts& counts() const { return counts_; }

  // --- Leader -----------------------------------------------------------------------------------

  // The core's wish. `applied` is what this node has applied by now at least.
  void Send(const NodeId& peer, LogIndex applied);
  void OnProgress(const NodeId& from, const SnapshotProgress& progress);
  // As the core has let it through.
  void OnReply(const NodeId& from, const raft::SnapshotReply& reply);
  // The leadership has ended, or the node.
  void StopSending();
  // Ends what waits too long or holds too much. Then: nothing behind this index may be cut.
  LogIndex Hold(const raft::Status& core, const LogSizes& sizes);

  // --- Follower ---------------------------------------------------------------------------------

  // From the leader of the current term. `commit` is this node's own.
  void OnOffer(const NodeId& from, SnapshotManifest manifest, LogIndex commit);
  // `frame` is a record of a piece that was looked at before.
  void OnPiece(const NodeId& from, std::string frame);
  // It is complete, and the core is being asked about it.
  bool IsAwaiting(raft::TransferId transfer) const;
  // The core was asked about a complete snapshot, and does not want it.
  void NotWanted(LogIndex commit);
  // The core wants it: where it is. It stays until Installed.
  std::string PathForInstall();
  void Installed(bool done);
  bool is_installing() const { return receiving_ && receiving_->installing; }

  // Sends what is due; drops what is received from somebody who does not lead any more. That no
  // leader is heard for a while, in the same term, is no reason: the same one may be heard again.
  void Work(const NodeId& leader, Term term);

 private:
  struct Sending {
    SnapshotId id;
    std::string dir;
    LogIndex hold;  // the copy's index, or at least what it will be
    uint64_t bytes = 0;
    std::optional<OutgoingSnapshot> out;  // once the copy is there
    bool ended = false;                   // failed: the core is told after a while
  };
  struct CatchingUp {
    LogIndex match;
    uint64_t bytes = 0;
    MonoTime progressed;
  };
  struct Receiving {
    NodeId from;
    Term term;
    raft::SnapshotMeta meta;
    std::string dir;  // of this attempt alone
    IncomingSnapshot in;
    int writing = 0;       // pieces handed to the files lane and not written
    bool asked = false;    // written, and on its way to the core:
    bool durable = false;  // it is safe to tell
    bool stepped = false;  // told
    bool installing = false;
  };

  MonoTime now() const { return parts_.raft.runtime->clock().MonoNow(); }
  Lane* files_lane() const;
  void OnFiles(Task task) { files_lane()->Post(std::move(task)); }
  void OnRaft(Task task) { parts_.raft.raft->Post(std::move(task)); }
  std::string NewDir(std::string_view what);
  void RemoveDir(const std::string& dir);

  Sending* FindSending(const NodeId& peer, SnapshotId id);
  void FlushThenCheckpoint(const NodeId& peer, SnapshotId id, const std::string& dir);
  void Checkpoint(const NodeId& peer, SnapshotId id, const std::string& dir);
  void Checkpointed(const NodeId& peer, SnapshotId id, LogIndex index,
                    absl::StatusOr<std::vector<SnapshotFile>> files);
  void SendPiece(const NodeId& peer, const Sending& sending, const OutgoingSnapshot::Piece& piece);
  void FailSending(const NodeId& peer, SnapshotId id, std::string_view why);
  void WorkSending(Term term);
  void Forget(const Sending& sending);
  // Of log behind a copy of this size.
  uint64_t MayHold(uint64_t copy_bytes) const;

  void DropReceiving();
  void TellProgress(bool resume);
  void WritePiece(std::string frame, const SnapshotPiece& piece);
  void Wrote(const std::string& dir, SnapshotPlace through, const absl::Status& written);
  void Finish();
  void AskCore();
  void ArmTimer();

  const SnapshotsParts parts_;
  const SnapshotLimits limits_;
  const SnapshotsEvents events_;

  std::map<NodeId, Sending> sending_;
  std::map<NodeId, CatchingUp> catching_up_;
  std::optional<Receiving> receiving_;
  uint64_t last_dir_ = 0;
  Term term_;  // of the last Work
  NodeId leader_;
  MonoTime timer_at_ = MonoTime::Infinite();
  TimerId timer_;
  SnapshotCounts counts_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_SNAPSHOTS_H_
