// What a host does about snapshots: carries word between them, the core and the peers, and installs
// what the core wants installed. Raft lane.
//
// An install, and what a crash leaves after each step (recovery.h goes on from there):
//
//   1 log lane     the log says that a snapshot up to this position is coming   old state, old log
//   2 apply lane   the state machine replaces its state, in one switch          new state, old log
//   3 log lane     the log begins anew behind the position                      new state, new log
#include <utility>

#include "base/assert.h"
#include "consensus/host.h"

namespace scheduled {
namespace {

LogPosition ToStorage(const raft::LogPosition& at) { return {at.index, at.term}; }

}  // namespace

SnapshotsEvents Host::EventsOfSnapshots() {
  return {
      .step =
          [this](raft::Event event) {
            Leave([&](Inbox& inbox) { inbox.events.push_back(std::move(event)); });
          },
      .send =
          [this](const NodeId& to, FrameClass frame_class, EnvelopeKind kind,
                 std::string_view cluster_id, std::string content) {
            Seal(kind, cluster_id, &content);
            parts_.transport->Send(to, frame_class, std::move(content));
          },
      .describe = [this](LogIndex index) { return DescribeSnapshot(index); },
      .reply =
          [this](const NodeId& to, raft::SnapshotReply reply) {
            SendMessage({parts_.group, options_.node_id, to, parts_.disk, core_->term(), reply});
          },
      .cluster_id = [this] { return ledger_.cluster_id(); },
      .flush_beside = [this](Task then) { flusher_.FlushBeside(std::move(then)); },
  };
}

std::optional<raft::SnapshotMeta> Host::DescribeSnapshot(LogIndex index) const {
  if (core_->role() != raft::Role::kLeader || !core_->TermAt(index)) return std::nullopt;
  return core_->DescribeSnapshot(index);
}

// Offers are stepped as what they are to Raft, a leader's message, and taken up once the core has
// made of it what it does.
void Host::StepOffers(MonoTime now) {
  for (const Offered& offered : offered_) {
    absl::StatusOr<raft::SnapshotMeta> meta = raft::DecodeSnapshotMeta(offered.manifest.meta);
    if (!meta.ok()) continue;
    core_->Step(
        now,
        raft::Message{
            parts_.group, offered.from, options_.node_id, offered.source.disk, offered.source.term,
            raft::SnapshotRequest{raft::TransferId(offered.manifest.id.value), *std::move(meta)}});
  }
}

void Host::WorkSnapshots() {
  const Term term = core_->term();
  const NodeId leader = core_->leader();
  if (std::exchange(asked_core_to_install_, false) && !installing_) {
    snapshots_.NotWanted(core_->commit());
  }
  snapshots_.Work(leader, term);
  for (Offered& offered : std::exchange(offered_, {})) {
    if (offered.source.term != term || offered.from != leader) continue;
    snapshots_.OnOffer(offered.from, std::move(offered.manifest), core_->commit());
  }
  for (Piece& piece : taken_.pieces) snapshots_.OnPiece(piece.from, std::move(piece.frame));
}

void Host::BeginInstall(const raft::InstallSnapshot& install) {
  SCHEDULED_ASSERT(!installing_, "one snapshot is installed at a time");
  installing_ = install;
  snapshots_.PathForInstall();
  LogWrite write;
  write.group = parts_.group;
  write.installing = ToStorage(install.meta.at);
  std::vector<LogWrite> writes;
  writes.push_back(ledger_.RecordInstalling(install.meta));
  writes.push_back(std::move(write));
  writer_.Write(raft::IoSeq(), std::move(writes));
  writer_.Run([this] { Hand([](Inbox& inbox) { inbox.install = InstallStep::kAnnounced; }); });
}

// Before the core is stepped: what is done is known to it together with all that came with it.
void Host::GoOnInstalling(MonoTime now) {
  if (taken_.install == InstallStep::kNone) return;
  SCHEDULED_ASSERT(installing_, "a step of an install belongs to one");
  const raft::SnapshotMeta& meta = installing_->meta;
  switch (taken_.install) {
    case InstallStep::kNone:
      return;
    case InstallStep::kAnnounced:
      applier_.Install(snapshots_.PathForInstall(), {meta.at.index, meta.at.term});
      return;
    case InstallStep::kReplaced: {
      LogWrite reset;
      reset.group = parts_.group;
      reset.reset_to = ToStorage(meta.at);
      std::vector<LogWrite> writes;
      writes.push_back(ledger_.RecordInstalled());
      writes.push_back(std::move(reset));
      writer_.Write(raft::IoSeq(), std::move(writes));
      writer_.Run([this] { Hand([](Inbox& inbox) { inbox.install = InstallStep::kReset; }); });
      return;
    }
    case InstallStep::kRefused: {
      {
        std::lock_guard lock(core_mutex_);
        core_->Step(now, raft::SnapshotRefused{});
      }
      snapshots_.Installed(false);
      installing_.reset();
      return;
    }
    case InstallStep::kReset: {
      sizes_.Clear();
      flushed_ = meta.at.index;
      cut_asked_ = meta.at.index;
      {
        std::lock_guard lock(core_mutex_);
        core_->Step(now, raft::SnapshotInstalled{meta});
      }
      snapshots_.Installed(true);
      installing_.reset();
      return;
    }
  }
}

}  // namespace scheduled
