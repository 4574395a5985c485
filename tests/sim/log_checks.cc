// See log_checks.h.
#include "sim/log_checks.h"

#include <fmt/format.h>

#include <iterator>

#include "base/checksum.h"
#include "raft/codec.h"
#include "sim/finding.h"
#include "sim/raft_checks.h"

namespace scheduled::sim {
namespace {

// The term of what a write's first entry stands behind; nothing where the log begins anew with it.
std::optional<Term> TermBefore(const Machine& machine, const LogWrite& write) {
  const LogIndex before = write.entries.front().index.Prev();
  if (before == LogIndex()) return Term();
  if (write.reset_to) {
    return write.reset_to->index == before ? std::optional(write.reset_to->term) : std::nullopt;
  }
  if (const LogRecord* record = machine.log->Find(kSimGroup, before)) return record->term;
  const LogState* state = machine.log->State(kSimGroup);
  if (state == nullptr || state->before_first.index != before) return std::nullopt;
  return state->before_first.term;
}

}  // namespace

uint64_t LogChecks::HashOf(const LogRecord& record) {
  return Checksum64(record.bytes.view(), record.kind);
}

void LogChecks::OnWrite(const Machine& machine, const LogWrite& write) {
  if (write.entries.empty()) return;
  std::optional<Term> before = TermBefore(machine, write);
  for (const LogRecord& record : write.entries) {
    if (before) {
      const Known fresh{HashOf(record), *before, machine.number};
      Known& known =
          entries_.try_emplace({record.index.value, record.term.value}, fresh).first->second;
      ++known.writes;
      Require(known.hash == fresh.hash, [&] {
        return fmt::format("{} writes another entry {} of term {} than was written before",
                           machine.id.value, record.index.value, record.term.value);
      });
      Require(known.before == fresh.before, [&] {
        return fmt::format("{} has an entry of term {} before entry {} of term {}, not of term {}",
                           machine.id.value, before->value, record.index.value, record.term.value,
                           known.before.value);
      });
    }
    before = record.term;
  }
}

// A founder speaks of its first write once that is on the disk.
void LogChecks::ForgetLostFounding(const Machine& machine) {
  const auto founding = entries_.find({1, 1});
  if (founding == entries_.end() || founding->second.writes > 1) return;
  if (founding->second.writer != machine.number) return;
  if (machine.log->Find(kSimGroup, LogIndex(1)) == nullptr) entries_.erase(founding);
}

void LogChecks::OnCrash(const Machine& machine) {
  ForgetLostFounding(machine);
  std::optional<Left>& left = left_[machine.number];
  left.reset();
  const LogState* state = machine.log->State(kSimGroup);
  if (state == nullptr) return;
  left = Left{machine.disk, state->hard_state, state->before_first, state->before_first,
              machine.tables->applied()};
  if (const LogRecord* last = machine.log->Find(kSimGroup, state->last)) {
    left->last = {last->index, last->term};
  }
}

void LogChecks::OnBoot(const Machine& machine, const raft::Core& core) {
  applied_[machine.number] = LogIndex();
  const std::optional<Left>& left = left_[machine.number];
  if (!left || left->disk != machine.disk) return;
  const raft::Status status = core.status();
  Require(status.term >= left->hard_state.term, "a term goes back by a restart");
  Require(status.term > left->hard_state.term || left->hard_state.vote.value_or(NodeId()).empty() ||
              status.vote == *left->hard_state.vote,
          "a vote is forgotten by a restart");
  Require(status.applied >= left->applied && status.commit >= left->applied,
          "what was applied goes back by a restart");
  // An install that the crash came into is completed first, and drops what was before it.
  const LogState* state = machine.log->State(kSimGroup);
  const bool begun_anew = state->before_first.index > left->before_first.index;
  Require(begun_anew || core.TermAt(left->last.index) == left->last.term,
          "the end of the log is forgotten by a restart");
}

void LogChecks::OnCommitted(const LogRecord& record) {
  if (record.kind != static_cast<uint8_t>(raft::EntryKind::kConfiguration)) return;
  absl::StatusOr<raft::Configuration> decoded = raft::DecodeConfiguration(record.bytes.view());
  Require(decoded.ok(), "a committed configuration is malformed");
  configurations_.insert_or_assign(record.index, *std::move(decoded));
}

void LogChecks::CheckConfiguration(const Machine& machine, const raft::Core& core) {
  const LogIndex applied = core.applied();
  if (applied == applied_[machine.number] || applied == LogIndex()) return;
  applied_[machine.number] = applied;
  const raft::SnapshotMeta meta = core.DescribeSnapshot(applied);
  const auto behind = configurations_.upper_bound(applied);
  Require(behind != configurations_.begin(), "something is applied before any configuration");
  const auto current = std::prev(behind);
  Require(meta.configuration_index == current->first && meta.configuration == current->second, [&] {
    return fmt::format("{} takes configuration {} for the one at {}, which is {}", machine.id.value,
                       meta.configuration_index.value, applied.value, current->first.value);
  });
}

}  // namespace scheduled::sim
