// One replica at work: drives raft::Core on the raft lane, carries its effects out (the log writer
// on the log lane, the applier on the apply lane, the transport), and turns what comes from
// callers, peers and lanes into its events. Everything that arrives is left in an inbox; one
// wake-up of the raft lane takes all of it, steps the core for each, and drains it once.
//
//   any thread   Propose, Barrier, Transfer, HasLease, status, frames of the transport
//   raft lane    Pump and all that it calls; the core, the ledger, the sizes
//   other lanes  come in through inbox_, failed_ and lease_until_
//
// A node without data in a group of several has a core with no configuration: it stands for nothing
// and asks nobody, and only answers what the members of a cluster send it, a leader's entries and
// requests for votes, until the founder (bootstrap.h) has written entry 1.
#ifndef SCHEDULED_LIB_CONSENSUS_HOST_H_
#define SCHEDULED_LIB_CONSENSUS_HOST_H_

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/logger.h"
#include "consensus/applier.h"
#include "consensus/bootstrap.h"
#include "consensus/flusher.h"
#include "consensus/inspect.h"
#include "consensus/ledger.h"
#include "consensus/log_sizes.h"
#include "consensus/log_writer.h"
#include "consensus/proposal_queue.h"
#include "consensus/raft_parts.h"
#include "consensus/recovery.h"
#include "consensus/snapshots.h"
#include "raft/codec.h"
#include "raft/core.h"

namespace scheduled {

// The core's role as a host of ours is told it.
Role ToRole(raft::Role role);

class Host {
 public:
  // Loads what is there and founds a group of one. Nothing runs before Start.
  static absl::StatusOr<std::unique_ptr<Host>> Open(RaftOptions options, RaftParts parts);
  absl::Status Start();
  ~Host();

  void Propose(std::string command, ProposeDone done, ProposeOptions options);
  void Barrier(BarrierDone done);
  void Transfer(std::optional<NodeId> to, Completion<absl::Status> done);
  void ChangeMembers(std::vector<MemberChange> changes, Completion<absl::Status> done);
  // Stops for good; any thread. The first reason stays.
  void Fail(const absl::Status& why);
  ClusterStatus status() const;
  bool HasLease() const;
  bool HasLease(Term term) const;
  void OnRoleChange(std::function<void(const RoleChange&)> observer);
  void OnApplicationFrame(std::function<void(const NodeId&, std::string)> handler);
  void SendApplicationFrame(const NodeId& to, std::string frame);
  const raft::Core& core() const { return *core_; }  // see inspect.h, this and the next two
  InHand in_hand() const;
  bool is_written() const;

 private:
  using ApplicationHandler = std::function<void(const NodeId&, std::string)>;
  // Outlives the node: its calls may still wait on the completions lane then.
  struct RoleObserver {
    std::function<void(const RoleChange&)> call;
    std::optional<RoleChange> last;
  };
  struct Asked {  // a frame of the host's own
    NodeId from;
    EnvelopeKind kind = EnvelopeKind::kAskData;
    std::string content;
  };
  struct TransferRequest {
    std::optional<NodeId> to;
    Completion<absl::Status> done;
  };
  struct MembersRequest {
    std::vector<MemberChange> changes;
    Completion<absl::Status> done;
  };
  struct Piece {  // of a snapshot
    NodeId from;
    std::string frame;
  };
  struct Offered {
    NodeId from;
    SnapshotSource source;
    SnapshotManifest manifest;
  };
  // Where the install of a snapshot stands: each step waits for the one before.
  enum class InstallStep : uint8_t { kNone, kAnnounced, kReplaced, kRefused, kReset };
  // What has arrived for the raft lane since it last looked.
  struct Inbox {
    raft::IoSeq persisted;
    LogIndex applied;
    LogIndex flushed;
    LogIndex cut;
    bool founded = false;
    std::string cluster_id;  // that a peer's frame told, where this node has none
    std::vector<raft::Message> messages;
    std::vector<Asked> asked;
    std::vector<raft::EntriesRead> reads;
    std::vector<BarrierDone> barriers;
    std::vector<TransferRequest> transfers;
    std::vector<MembersRequest> members;
    std::vector<raft::Event> events;  // of the host's own parts
    std::vector<Piece> pieces;
    InstallStep install = InstallStep::kNone;
  };

  Host(RaftOptions options, RaftParts parts, Recovery recovery);

  // host.cc: the frame around it.
  void Wake();
  // Puts something into the inbox and wakes the raft lane.
  template <typename F>
  void Leave(F into_inbox) {
    {
      std::lock_guard lock(inbox_mutex_);
      into_inbox(inbox_);
    }
    Wake();
  }
  // The same as a task of the raft lane: for what a disk did, which is not known before it has
  // taken its time, in virtual time too.
  template <typename F>
  void Hand(F into_inbox) {
    parts_.raft->Post([this, into_inbox = std::move(into_inbox)]() mutable {
      {
        std::lock_guard lock(inbox_mutex_);
        into_inbox(inbox_);
      }
      Pump();
    });
  }
  void Receive(const NodeId& from, FrameClass frame_class, std::string frame);
  bool BelongsHere(const NodeId& from, const Opened& opened);
  absl::Status CheckChanges(const std::vector<MemberChange>& changes) const;
  absl::Status LimitsAllow(size_t command_bytes, ProposalClass proposal_class) const;
  void Refuse(std::vector<PackedProposal> proposals, const absl::Status& why);
  void Complete(Completion<absl::Status> done, absl::Status outcome);
  void Complete(Inbox& inbox, const absl::Status& why);
  bool HearsQuorum(const raft::Status& core, MonoTime now) const;

  // host_pump.cc: events into the core.
  void Pump();
  void StepArrivals(MonoTime now);
  raft::Effects* StepCore(MonoTime now);
  void StepProposals(MonoTime now);
  void StepBarriers(MonoTime now);
  void StepTransfers(MonoTime now);
  void StepMembers(MonoTime now);
  void StepMessages(MonoTime now);
  void StepOffers(MonoTime now);
  void ShutDown();
  void ArmTimer(MonoTime next);

  // host_effects.cc: effects out of the core.
  void Do(raft::Effects& effects);
  void DoRoleChange(const raft::RoleChanged& change);
  void TellRole(RoleChange told);
  void DoConfiguration(const raft::Configuration& configuration);
  void DoPersist(raft::Persist persist);
  void DoSend(raft::Send send);
  void DoProposals(raft::Effects& effects);
  void DoApply(const raft::ApplyRange& range);
  void DoReads(raft::Effects& effects);
  void DoFetch(const raft::FetchEntries& fetch);
  void DoTransfersEnded(const std::vector<raft::TransferEnded>& ended);
  void SendMessage(const raft::Message& message);
  void SendEnvelope(const NodeId& to, EnvelopeKind kind, std::string content);
  void ReleaseSends();

  // host_snapshots.cc
  SnapshotsEvents EventsOfSnapshots();
  std::optional<raft::SnapshotMeta> DescribeSnapshot(LogIndex index) const;
  void WorkSnapshots();
  void BeginInstall(const raft::InstallSnapshot& install);
  void GoOnInstalling(MonoTime now);

  // host_log.cc: cutting the log, belonging to a cluster, founding one.
  void MaybeCut(MonoTime now);
  void CountLog();
  LogIndex CutPoint();
  LogIndex SharedPoint(const raft::Status& core);
  LogIndex CompactionPoint() const;
  void Adopt(std::string cluster_id);
  absl::Status TellClusterId(const std::string& cluster_id) const;
  void OnAsked(Asked asked);
  void AskForData();
  void MaybeFound();
  void Founded(MonoTime now);
  bool HasData() const;

  const RaftOptions options_;
  const RaftParts parts_;
  const Clock& clock_;
  const Logger log_;
  const raft::Options core_options_;

  // Any thread.
  std::atomic<bool> woken_{false};
  std::atomic<bool> failed_{false};
  std::atomic<int64_t> lease_until_{INT64_MIN};  // of MonoTime; never in the future once failed_
  std::atomic<uint64_t> lease_term_{0};          // set before the first lease of its term
  std::atomic<size_t> unapplied_bytes_{0};       // of commands that callers wait for
  ProposalQueue proposals_;
  std::mutex inbox_mutex_;
  Inbox inbox_;  // guarded by inbox_mutex_
  mutable std::mutex state_mutex_;
  absl::Status failure_;                                      // guarded by state_mutex_
  std::string cluster_id_;                                    // guarded by state_mutex_
  std::map<NodeId, raft::FrameAssembler> assemblers_;         // nodes guarded by their peer
  std::map<NodeId, std::string> strangers_;                   // guarded by state_mutex_
  std::shared_ptr<const ApplicationHandler> on_application_;  // guarded by state_mutex_
  std::shared_ptr<RoleObserver> role_observer_;  // what is in it: completions lane alone

  // Changed on the raft lane under core_mutex_; elsewhere read under it.
  mutable std::mutex core_mutex_;
  std::optional<raft::Core> core_;
  std::atomic<uint64_t> log_bytes_{0};
  // Of them, without those that are cut as soon as no snapshot on its way needs them.
  std::atomic<uint64_t> uncuttable_bytes_{0};

  // Raft lane.
  LogSizes sizes_;
  Inbox taken_;
  Ledger ledger_;
  raft::Configuration configuration_;
  std::map<NodeId, std::string> moved_;  // members that got their address while this node ran
  std::optional<Bootstrap> bootstrap_;   // while this node has no data, in a group of several
  bool founding_ = false;                // entry 1 is being written: nothing is taken meanwhile
  raft::Recovered founded_;              // while founding_: what the core begins anew with
  bool shut_ = false;
  bool leading_ = false;
  raft::IoSeq handed_out_;  // writes
  raft::IoSeq persisted_;
  std::deque<raft::Send> held_;  // until their write is durable
  std::map<NodeId, uint64_t> frame_sequence_;
  uint64_t first_sequence_ = 0;
  std::vector<std::string> frames_;  // in use by SendMessage alone
  raft::ProposalId last_proposal_;
  std::map<raft::ProposalId, PackedProposal> proposing_;  // stepped, outcome due in the same drain
  uint64_t last_read_ = 0;
  std::map<raft::ReadId, std::vector<BarrierDone>> reading_;
  uint64_t last_transfer_ = 0;
  std::map<raft::TransferId, Completion<absl::Status>> transferring_;
  MonoTime deadline_ = MonoTime::Infinite();  // the core's next
  MonoTime timer_at_ = MonoTime::Infinite();  // when timer_ fires; at most deadline_
  TimerId timer_;
  LogIndex flushed_;    // what the state machine would have after a crash
  LogIndex cut_hint_;   // follower: what its leader says that all have; leader: what it said
  LogIndex cut_asked_;  // through here the log is cut, or will be
  uint64_t cuttable_bytes_ = 0;  // as of cut_checked_
  MonoTime cut_checked_{INT64_MIN};
  std::vector<Offered> offered_;  // within one wake-up, as the next
  bool asked_core_to_install_ = false;
  std::optional<raft::InstallSnapshot> installing_;

  LogWriter writer_;
  Applier applier_;
  Flusher flusher_;
  Snapshots snapshots_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_HOST_H_
