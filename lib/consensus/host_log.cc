// What a host does about its log beside writing it: cuts it behind what everybody has, belongs to a
// cluster, and founds one. Raft lane.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "consensus/host.h"

namespace scheduled {
namespace {

constexpr absl::Duration kCutInterval = absl::Seconds(1);
constexpr uint64_t kCutStepBytes = uint64_t{4} << 20;  // a smaller cut is not worth its sync
constexpr absl::Duration kAskInterval = absl::Milliseconds(100);

}  // namespace

// Nothing is cut that a crash would need, what the state machine has not flushed, nor what is
// behind a snapshot that is on its way.
LogIndex Host::CutPoint() {
  const raft::Status core = core_->status();
  const LogIndex safe = std::min(flushed_, core.applied);
  const LogIndex shared = SharedPoint(core);
  const LogIndex compacted = CompactionPoint();
  const LogIndex hold = snapshots_.Hold(core, sizes_);
  cuttable_bytes_ = sizes_.BytesThrough(std::min(safe, std::max(shared, compacted)));
  return std::min(safe, std::max(shared, std::min(compacted, hold)));
}

// What every member has, nobody will ask for again. The leader's own disk is one of theirs: where
// it is slower than its followers, what only it lacks is what it will ask them for after a crash.
LogIndex Host::SharedPoint(const raft::Status& core) {
  if (core.role != raft::Role::kLeader) {
    return configuration_.IsSoleVoter(options_.node_id) ? core.applied : cut_hint_;
  }
  if (core.peers.empty()) return core.applied;
  LogIndex everybody = core.durable;
  for (const raft::PeerStatus& peer : core.peers) everybody = std::min(everybody, peer.match);
  if (everybody > cut_hint_) {
    cut_hint_ = everybody;
    for (const raft::PeerStatus& peer : core.peers) {
      SendEnvelope(peer.id, EnvelopeKind::kCutHint, EncodeCutHint(everybody));
    }
  }
  return everybody;
}

// A log that has grown too long is cut whoever lags, since a snapshot can bring them up: all but
// the tail.
LogIndex Host::CompactionPoint() const {
  if (!snapshots_.enabled()) return LogIndex();
  LogIndex through;
  if (sizes_.total() > options_.compact_log_bytes) {
    through = sizes_.LastWithBytesBehind(options_.log_tail_bytes);
  }
  if (options_.compact_log_entries && sizes_.entries() > *options_.compact_log_entries) {
    constexpr uint64_t kTailShare = 8;
    through =
        std::max(through, sizes_.LastWithEntriesBehind(*options_.compact_log_entries / kTailShare));
  }
  if (through != LogIndex()) Probe("consensus.log-compacted");
  return through;
}

void Host::CountLog() {
  log_bytes_ = sizes_.total();
  uncuttable_bytes_ = sizes_.total() - std::min(cuttable_bytes_, sizes_.total());
}

void Host::MaybeCut(MonoTime now) {
  CountLog();
  const bool due = taken_.flushed != LogIndex() || taken_.cut != LogIndex() ||
                   now >= cut_checked_ + kCutInterval;
  if (!due || configuration_.empty() || snapshots_.is_installing()) return;
  cut_checked_ = now;
  const LogIndex through = CutPoint();
  CountLog();
  const uint64_t step = std::min(kCutStepBytes, options_.compact_log_bytes / 8);
  const bool has_many_entries =
      options_.compact_log_entries && sizes_.entries() > *options_.compact_log_entries;
  if (through <= cut_asked_) return;
  if (sizes_.BytesThrough(through) < step && !has_many_entries) return;
  cut_asked_ = through;
  writer_.CutBefore(parts_.group, through.Next(),
                    [this, through] { Hand([through](Inbox& inbox) { inbox.cut = through; }); });
}

bool Host::HasData() const {
  return !ledger_.cluster_id().empty() || core_->last() != LogIndex() || core_->term() != Term();
}

absl::Status Host::TellClusterId(const std::string& cluster_id) const {
  return parts_.on_cluster_id ? parts_.on_cluster_id(cluster_id) : absl::OkStatus();
}

// Recorded before anything else of the cluster is written, so that nothing is ever promised to a
// cluster that a restart would not remember.
void Host::Adopt(std::string cluster_id) {
  if (!ledger_.cluster_id().empty()) return;
  bootstrap_.reset();
  std::vector<LogWrite> writes;
  writes.push_back(ledger_.RecordIdentity(options_.node_id, cluster_id));
  writer_.Write(raft::IoSeq(), std::move(writes));
  writer_.Run([this, cluster_id] {
    if (absl::Status told = TellClusterId(cluster_id); !told.ok()) Fail(told);
  });
  parts_.transport->SetClusterId(std::move(cluster_id));
  log_.Info("joined a cluster");
}

void Host::OnAsked(Asked asked) {
  if (asked.kind == EnvelopeKind::kAskData) {
    if (!DecodeAskData(asked.content)) return;
    SendEnvelope(asked.from, EnvelopeKind::kTellData,
                 EncodeTellData({parts_.disk, founding_ || HasData()}));
  } else if (asked.kind == EnvelopeKind::kTellData) {
    const std::optional<TellData> answer = DecodeTellData(asked.content);
    if (!answer || !bootstrap_ || founding_) return;
    const bool knew = bootstrap_->FoundData();
    bootstrap_->Answered(clock_.MonoNow(), asked.from, *answer);
    if (!knew && bootstrap_->FoundData()) {
      log_.Warn("this node has no data, and a peer has: it waits to be taken in",
                {{"peer", asked.from.value}});
    }
    MaybeFound();
  } else if (asked.kind == EnvelopeKind::kCutHint) {
    const std::optional<LogIndex> through = DecodeCutHint(asked.content);
    if (through) cut_hint_ = std::max(cut_hint_, *through);
  } else if (asked.kind == EnvelopeKind::kSnapshotProgress) {
    const std::optional<SnapshotProgress> progress = DecodeSnapshotProgress(asked.content);
    if (progress) snapshots_.OnProgress(asked.from, *progress);
  } else if (asked.kind == EnvelopeKind::kSnapshotOffer) {
    std::optional<SnapshotOffer> offer = DecodeSnapshotOffer(asked.content);
    if (offer) offered_.push_back({asked.from, offer->source, std::move(offer->manifest)});
  }
}

void Host::AskForData() {
  if (failed_ || !bootstrap_ || founding_ || !bootstrap_->IsFounder()) return;
  bootstrap_->BeginRound();
  for (const auto& [id, address] : options_.peers) {
    if (id == options_.node_id) continue;
    SendEnvelope(id, EnvelopeKind::kAskData, EncodeAskData(parts_.disk));
  }
  parts_.raft->PostAt(clock_.MonoNow() + kAskInterval, [this] { AskForData(); });
}

void Host::MaybeFound() {
  if (!bootstrap_->MayFound(clock_.MonoNow()) || HasData()) return;
  std::string cluster_id = NewClusterId(*parts_.runtime);
  {
    std::lock_guard lock(state_mutex_);
    if (!cluster_id_.empty()) return;  // a peer's frame was quicker
    cluster_id_ = cluster_id;
  }
  founding_ = true;
  std::vector<LogWrite> writes;
  founded_ =
      Found(options_.node_id, cluster_id, bootstrap_->Founding(), parts_.group, &ledger_, &writes);
  writer_.Write(raft::IoSeq(), std::move(writes));
  writer_.Run([this, cluster_id] {
    if (absl::Status told = TellClusterId(cluster_id); !told.ok()) {
      Fail(told);
      return;
    }
    Hand([](Inbox& inbox) { inbox.founded = true; });
  });
  parts_.transport->SetClusterId(std::move(cluster_id));
}

// The core begins anew, with the founding entry in its log. It has promised nothing before.
void Host::Founded(MonoTime now) {
  SCHEDULED_ASSERT(founding_ && core_->term() == Term(), "a founder had no data");
  founding_ = false;
  bootstrap_.reset();
  sizes_.Append({LogIndex(1), LogIndex(1), raft::kEntryOverheadBytes});
  {
    std::lock_guard lock(core_mutex_);
    core_.emplace(core_options_, std::move(founded_), now);
  }
  deadline_ = now;
  for (auto& [id, waiting] : std::exchange(reading_, {})) {
    for (BarrierDone& done : waiting) {
      Complete(std::move(done), absl::UnavailableError("the cluster has only just been founded"));
    }
  }
  log_.Info("founded a cluster", {{"members", options_.peers.size()}});
}

}  // namespace scheduled
