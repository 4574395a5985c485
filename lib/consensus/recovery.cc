// See recovery.h: each step refuses with a sentence what the one before it does not explain.
#include "consensus/recovery.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "consensus/bootstrap.h"
#include "raft/codec.h"
#include "storage/log_state.h"

namespace scheduled {
namespace {

constexpr size_t kSampleBytes = size_t{1} << 20;

absl::Status DataLoss(const std::string& what) {
  return absl::DataLossError(absl::string_view(what.data(), what.size()));
}

std::optional<Term> TermIn(const LogState& log, LogIndex index) {
  if (index == log.before_first.index) return log.before_first.term;
  std::optional<Term> term;
  if (index < log.first || index > log.last) return term;
  for (const TermRun& run : log.term_runs) {
    if (run.first <= index) term = run.term;
  }
  return term;
}

// Older entries' sizes are not known without reading all of them: the first ones stand for all.
absl::StatusOr<LogSizes> EstimateSizes(LogStore& store, GroupId group, const LogState& log) {
  LogSizes sizes;
  if (log.empty()) return sizes;
  auto sample = store.Read(group, log.first, log.last.Next(), kSampleBytes);
  if (!sample.ok()) return sample.status();
  uint64_t bytes = 0;
  for (const LogRecord& record : *sample) bytes += record.bytes.size() + raft::kEntryOverheadBytes;
  const uint64_t entries = log.last.value - log.first.value + 1;
  sizes.Append({log.first, log.last, bytes / sample->size() * entries});
  return sizes;
}

raft::Recovered ToRecovered(const LogState& log, const Ledger& ledger, AppliedPosition applied) {
  raft::Recovered recovered;
  recovered.hard_state.term = log.hard_state.term;
  recovered.hard_state.vote = log.hard_state.vote.value_or(NodeId());
  if (IsPlanted(Bug::kVoteLostByRestart)) recovered.hard_state.vote = NodeId();
  recovered.base = {log.before_first.index, log.before_first.term};
  recovered.last = log.last;
  for (const TermRun& run : log.term_runs) recovered.terms.push_back({run.term, run.first});
  recovered.configurations = ledger.configurations();
  // What counts where the state machine stands is known: nothing, before the first configuration.
  if (!recovered.configurations.empty() && recovered.configurations.front().index > applied.index) {
    recovered.configurations.insert(recovered.configurations.begin(), raft::ConfigurationAt());
  }
  recovered.applied = {applied.index, applied.term};
  return recovered;
}

bool IsGroupOfOne(const RaftOptions& options) { return options.peers.size() <= 1; }

}  // namespace

absl::Status CheckApplied(const LogState& log, AppliedPosition applied) {
  if (applied.index > log.last) {
    return DataLoss(fmt::format(
        "the log ends at entry {}, and the state has applied entry {}: the log lost its tail",
        log.last.value, applied.index.value));
  }
  if (applied.index < log.before_first.index) {
    return DataLoss(fmt::format(
        "the log begins behind entry {}, and the state has applied entry {} only: what is between "
        "is lost",
        log.before_first.index.value, applied.index.value));
  }
  const std::optional<Term> term = TermIn(log, applied.index);
  if (term != applied.term) {
    return DataLoss(fmt::format(
        "the state has applied entry {} of term {}, and the log has another entry there: the two "
        "do not belong together",
        applied.index.value, applied.term.value));
  }
  return absl::OkStatus();
}

// A crash in the middle of an install leaves either the old tables, and all is as before, or the
// new ones before the log begins anew behind them: then that is done now. Only the very position
// that was said before may be ahead of the log. One that the log has reached in the usual way since
// is none: entries behind it may have been promised.
absl::Status EndInstall(LogStore* store, GroupId group, AppliedPosition applied, Ledger* ledger,
                        LogState* log) {
  const LogPosition at{applied.index, applied.term};
  if (log->installing != at || TermIn(*log, at.index) == at.term) return absl::OkStatus();
  const auto& meta = ledger->installing();
  if (!meta || meta->at != raft::LogPosition{applied.index, applied.term}) {
    return DataLoss("the log does not say which members belong to the snapshot that was installed");
  }
  Probe("consensus.install-ended-at-start");
  LogWrite reset;
  reset.group = group;
  reset.reset_to = at;
  const LogWrite writes[] = {ledger->RecordInstalled(), reset};
  if (absl::Status written = store->Write(writes); !written.ok()) return written;
  ApplyWrite(*log, reset);
  return absl::OkStatus();
}

LogWrite ToLogWrite(GroupId group, raft::Persist persist) {
  LogWrite write;
  write.group = group;
  if (persist.hard_state) {
    write.hard_state.emplace().term = persist.hard_state->term;
    if (!persist.hard_state->vote.empty()) write.hard_state->vote = persist.hard_state->vote;
  }
  write.truncate_from = persist.truncate_from;
  write.entries.reserve(persist.entries.size());
  for (raft::Entry& entry : persist.entries) {
    write.entries.push_back(
        {entry.term, entry.index, static_cast<uint8_t>(entry.kind), std::move(entry.bytes)});
  }
  return write;
}

std::string NewClusterId(Runtime& runtime) {
  // Version and variant of a random UUID (RFC 9562, section 5.4), as the data directory has it.
  const uint64_t high = (runtime.Random() & ~uint64_t{0xf000}) | 0x4000;
  const uint64_t low = (runtime.Random() & ~(uint64_t{3} << 62)) | uint64_t{1} << 63;
  return KeyWriter().U64(high).U64(low).Take();
}

raft::Recovered Found(const NodeId& self, std::string cluster_id,
                      const raft::Configuration& configuration, GroupId group, Ledger* ledger,
                      std::vector<LogWrite>* writes) {
  raft::Persist persist;
  persist.hard_state = raft::HardState{kFoundingTerm, NodeId()};
  persist.entries.push_back({kFoundingTerm, LogIndex(1), raft::EntryKind::kConfiguration,
                             SharedBuffer(raft::EncodeConfiguration(configuration))});
  writes->push_back(ledger->RecordIdentity(self, std::move(cluster_id)));
  LogWrite write = ToLogWrite(group, std::move(persist));
  ledger->Follow(write, writes);
  writes->push_back(std::move(write));

  raft::Recovered recovered;
  recovered.hard_state.term = kFoundingTerm;
  recovered.last = LogIndex(1);
  recovered.terms.push_back({kFoundingTerm, LogIndex(1)});
  recovered.configurations = {{}, {LogIndex(1), configuration}};
  return recovered;
}

absl::StatusOr<raft::Recovered> ReadRecovered(LogStore* store, GroupId group,
                                              AppliedPosition applied) {
  absl::StatusOr<Ledger> ledger = Ledger::Load(store, group);
  if (!ledger.ok()) return ledger.status();
  absl::StatusOr<LogState> log = store->Load(group);
  if (!log.ok()) return log.status();
  if (absl::Status fits = CheckApplied(*log, applied); !fits.ok()) return fits;
  return ToRecovered(*log, *ledger, applied);
}

absl::StatusOr<Recovery> Recover(const RaftOptions& options, const RaftParts& parts) {
  absl::StatusOr<Ledger> ledger = Ledger::Load(parts.log_store, parts.group);
  if (!ledger.ok()) return ledger.status();
  absl::StatusOr<LogState> log = parts.log_store->Load(parts.group);
  if (!log.ok()) return log.status();
  absl::StatusOr<LogIndex> flushed = parts.state_machine->Durable();
  if (!flushed.ok()) return flushed.status();
  const AppliedPosition applied = parts.state_machine->applied();
  if (absl::Status ended = EndInstall(parts.log_store, parts.group, applied, &*ledger, &*log);
      !ended.ok())
    return ended;
  if (absl::Status fits = CheckApplied(*log, applied); !fits.ok()) return fits;
  if (!ledger->node().empty() && ledger->node() != options.node_id) {
    return absl::FailedPreconditionError("this data belongs to node '" + ledger->node().value +
                                         "', not to node '" + options.node_id.value + "'");
  }
  const std::vector<raft::ConfigurationAt> configurations = ledger->configurations();
  if (!configurations.empty()) {
    // Once the members were changed, what the log says of them counts, and not what is given. That
    // holds for a node that was added to a founded group, and has not come to that entry yet, too.
    const bool is_founding = configurations.back().index <= LogIndex(1) &&
                             configurations.back().configuration.IsMember(options.node_id);
    absl::Status fits = is_founding ? CheckMembers(options.node_id, options.peers,
                                                   configurations.back().configuration)
                                    : absl::OkStatus();
    if (!fits.ok()) return fits;
    if (parts.transport == nullptr && configurations.back().configuration.Ids().size() > 1) {
      return absl::InvalidArgumentError("a group of several needs a transport");
    }
  }
  absl::StatusOr<LogSizes> sizes = EstimateSizes(*parts.log_store, parts.group, *log);
  if (!sizes.ok()) return sizes.status();
  Recovery recovery{*std::move(ledger), {}, *std::move(sizes), *flushed};
  if (configurations.empty() && IsGroupOfOne(options)) {
    if (!log->empty() || log->hard_state.term != Term() || !recovery.ledger.cluster_id().empty()) {
      return absl::FailedPreconditionError(
          "this node was about to join a group of several, and is opened as a group of one: start "
          "it with its peers, or with an empty data directory");
    }
    raft::Configuration alone;
    const std::string address =
        options.peers.empty() ? std::string() : options.peers.begin()->second;
    alone.voters.push_back({options.node_id, address, parts.disk});
    std::vector<LogWrite> writes;
    recovery.core = Found(options.node_id, NewClusterId(*parts.runtime), alone, parts.group,
                          &recovery.ledger, &writes);
    recovery.sizes.Append({LogIndex(1), LogIndex(1), raft::kEntryOverheadBytes});
    if (absl::Status written = parts.log_store->Write(writes); !written.ok()) return written;
    return recovery;
  }
  recovery.core = ToRecovered(*log, recovery.ledger, applied);
  return recovery;
}

}  // namespace scheduled
