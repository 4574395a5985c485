// See ledger.h, where the records are described.
#include "consensus/ledger.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "consensus/envelope.h"
#include "raft/codec.h"

namespace scheduled {
namespace {

constexpr uint8_t kIdentity = 1;
constexpr uint8_t kConfiguration = 2;
constexpr uint8_t kInstalling = 3;
constexpr uint8_t kInstalled = 4;
constexpr uint32_t kSideBit = uint32_t{1} << 31;
constexpr size_t kLedgerReadBytes = size_t{1} << 20;

}  // namespace

Ledger::Ledger(GroupId group) : side_group_(group.value | kSideBit) {
  SCHEDULED_ASSERT((group.value & kSideBit) == 0, "the highest bit of a group id is for side logs");
}

absl::StatusOr<Ledger> Ledger::Load(LogStore* store, GroupId group) {
  Ledger ledger(group);
  absl::StatusOr<LogState> state = store->Load(ledger.side_group_);
  if (!state.ok()) return state.status();
  ledger.last_record_ = state->last;
  for (LogIndex next = state->first; next <= state->last;) {
    auto records = store->Read(ledger.side_group_, next, state->last.Next(), kLedgerReadBytes);
    if (!records.ok()) return records.status();
    for (const LogRecord& record : *records) {
      if (absl::Status taken = ledger.Take(record); !taken.ok()) return taken;
      next = record.index.Next();
    }
  }
  return ledger;
}

absl::Status Ledger::Take(const LogRecord& record) {
  KeyReader reader(record.bytes.view());
  last_term_ = record.term;
  if (record.kind == kIdentity) {
    std::string_view node, cluster;
    reader.String(&node);
    reader.Raw(kClusterIdBytes, &cluster);
    if (!reader.AtEnd()) return absl::DataLossError("the identity in the log is damaged");
    node_ = NodeId(node);
    cluster_id_ = cluster;
    return absl::OkStatus();
  }
  if (record.kind == kInstalling) {
    absl::StatusOr<raft::SnapshotMeta> meta = raft::DecodeSnapshotMeta(reader.rest());
    if (!meta.ok()) return meta.status();
    installing_ = *std::move(meta);
    return absl::OkStatus();
  }
  if (record.kind == kInstalled && reader.AtEnd()) return TakeInstalled(record.index);
  LogIndex index;
  if (record.kind != kConfiguration || !reader.U64(&index.value)) {
    return absl::DataLossError("a record beside the log is damaged, or of a newer version");
  }
  absl::StatusOr<raft::Configuration> configuration = raft::DecodeConfiguration(reader.rest());
  if (!configuration.ok()) return configuration.status();
  configurations_.push_back({record.index, {index, *std::move(configuration)}});
  return absl::OkStatus();
}

std::vector<raft::ConfigurationAt> Ledger::configurations() const {
  std::vector<raft::ConfigurationAt> all;
  for (const Known& known : configurations_) all.push_back(known.configuration);
  return all;
}

LogWrite Ledger::RecordIdentity(const NodeId& node, std::string cluster_id) {
  SCHEDULED_ASSERT(cluster_id.size() == kClusterIdBytes, "a cluster id has 16 bytes");
  SCHEDULED_ASSERT(cluster_id_.empty(), "an identity is recorded once");
  node_ = node;
  cluster_id_ = std::move(cluster_id);
  return Record(kIdentity, KeyWriter().String(node.value).Raw(cluster_id_).Take());
}

absl::Status Ledger::TakeInstalled(LogIndex record) {
  if (!installing_) return absl::DataLossError("the log says nothing of a snapshot it begins with");
  configurations_.clear();
  configurations_.push_back(
      {record, {installing_->configuration_index, installing_->configuration}});
  return absl::OkStatus();
}

LogWrite Ledger::Record(uint8_t kind, std::string bytes) {
  last_record_ = last_record_.Next();
  LogWrite write;
  write.group = side_group_;
  write.hard_state = HardState{last_term_, std::nullopt};
  write.entries.push_back({last_term_, last_record_, kind, SharedBuffer(std::move(bytes))});
  return write;
}

LogWrite Ledger::RecordInstalling(const raft::SnapshotMeta& meta) {
  installing_ = meta;
  last_term_ = std::max(last_term_, meta.at.term);
  return Record(kInstalling, raft::EncodeSnapshotMeta(meta));
}

LogWrite Ledger::RecordInstalled() {
  LogWrite write = Record(kInstalled, "");
  const absl::Status known = TakeInstalled(last_record_);
  SCHEDULED_ASSERT(known.ok(), "what is installed was said before");
  return write;
}

void Ledger::Follow(const LogWrite& write, std::vector<LogWrite>* writes) {
  LogWrite own;
  own.group = side_group_;
  while (write.truncate_from && !configurations_.empty() &&
         configurations_.back().configuration.index >= *write.truncate_from) {
    if (!IsPlanted(Bug::kTruncatedConfigurationKept)) {
      own.truncate_from = configurations_.back().record;
      last_record_ = configurations_.back().record.Prev();
    }
    configurations_.pop_back();
  }
  for (const LogRecord& entry : write.entries) {
    if (entry.kind != static_cast<uint8_t>(raft::EntryKind::kConfiguration)) continue;
    absl::StatusOr<raft::Configuration> configuration =
        raft::DecodeConfiguration(entry.bytes.view());
    SCHEDULED_ASSERT(configuration.ok(), "the core takes no malformed configuration");
    last_record_ = last_record_.Next();
    last_term_ = std::max(last_term_, entry.term);
    own.entries.push_back(
        {last_term_, last_record_, kConfiguration,
         SharedBuffer(KeyWriter().U64(entry.index.value).Raw(entry.bytes.view()).Take())});
    configurations_.push_back({last_record_, {entry.index, *std::move(configuration)}});
  }
  if (!own.entries.empty()) own.hard_state = HardState{last_term_, std::nullopt};
  if (own.truncate_from || !own.entries.empty()) writes->push_back(std::move(own));
}

}  // namespace scheduled
