// See reload_checks.h.
#include "sim/reload_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "consensus/inspect.h"
#include "consensus/recovery.h"
#include "sim/finding.h"
#include "sim/raft_checks.h"
#include "storage/applied_row.h"

namespace scheduled::sim {
namespace {

// Of the raft lane's tasks.
constexpr uint64_t kReloadEvery = 256;
// At the log's end, compared byte by byte.
constexpr uint64_t kTailEntries = 8;

// Only what stands behind the log's cut: `base` is within the log that `found` is of.
void ForgetThrough(raft::LogPosition base, raft::Recovered* found) {
  found->base = base;
  while (found->terms.size() > 1 && found->terms[1].first <= base.index.Next()) {
    found->terms.erase(found->terms.begin());
  }
  if (found->last == base.index) found->terms.clear();
  if (!found->terms.empty()) {
    found->terms[0].first = std::max(found->terms[0].first, base.index.Next());
  }
}

// The configuration that counts once everything through `applied` is applied, and all behind it.
void ForgetBefore(LogIndex applied, std::vector<raft::ConfigurationAt>* configurations) {
  const auto behind =
      std::find_if(configurations->begin(), configurations->end(),
                   [&](const raft::ConfigurationAt& each) { return each.index > applied; });
  if (behind == configurations->begin()) {
    configurations->emplace(behind);
  } else {
    configurations->erase(configurations->begin(), behind - 1);
  }
}

// The newest entries, as far as they are in memory still.
void CheckTail(Machine& machine, LogStore* log, LogIndex first) {
  const raft::Core& core = InspectCore(machine.member->raft());
  const LogIndex last = core.last();
  if (last.value >= first.value + kTailEntries) first = LogIndex(last.value - kTailEntries + 1);
  std::vector<raft::Entry> known;
  if (first <= last) core.CopyEntries(first, last, SIZE_MAX, &known);
  if (known.empty()) return;
  const auto found = log->Read(kSimGroup, first, last.Next(), SIZE_MAX);
  const bool equal =
      found.ok() && std::equal(known.begin(), known.end(), found->begin(), found->end(),
                               [](const raft::Entry& entry, const LogRecord& record) {
                                 return entry.term == record.term && entry.index == record.index &&
                                        static_cast<uint8_t>(entry.kind) == record.kind &&
                                        entry.bytes.view() == record.bytes.view();
                               });
  Require(equal, [&] {
    return fmt::format("{}: the end of its log has other entries on the disk", machine.id.value);
  });
}

}  // namespace

void ReloadChecks::OnWrite(const Machine& machine, const LogWrite& write) {
  if (write.truncate_from || write.reset_to) due_[machine.number] = true;
}

bool ReloadChecks::IsAllWritten(Machine& machine) {
  if (!InspectIsWritten(machine.member->raft())) return false;
  const raft::Status core = InspectCore(machine.member->raft()).status();
  const LogState* state = machine.log->State(kSimGroup);
  return state != nullptr && core.first == state->first &&
         core.applied == machine.tables->applied();
}

void ReloadChecks::AfterRaft(Machine& machine) {
  const bool often = ++looks_[machine.number] % kReloadEvery == 0;
  if (!often && !due_[machine.number]) return;
  if (machine.log->failed() || machine.tables->failed()) return;
  if (!InspectIsWritten(machine.member->raft())) return;
  if (due_[machine.number]) Probe("sim.reload-after-rare-write");
  due_[machine.number] = false;
  Check(machine);
}

void ReloadChecks::Check(Machine& machine) {
  const auto require = [&machine](bool equal, const char* what) {
    Require(equal, [&] { return fmt::format("{}: {}", machine.id.value, what); });
  };
  raft::Recovered known = InspectCore(machine.member->raft()).ToRecover();
  const absl::StatusOr<LogPosition> applied = ReadApplied(*machine.tables);
  const absl::StatusOr<LogIndex> flushed = machine.tables->FlushedIndex();
  require(applied.ok() && flushed.ok(), "the applied position cannot be read");
  const std::unique_ptr<LogStore> log = machine.log->Durable();
  absl::StatusOr<raft::Recovered> found =
      ReadRecovered(log.get(), kSimGroup, {.index = applied->index, .term = applied->term});
  Require(found.ok(), [&] {
    return fmt::format("{} could not start again: {}", machine.id.value, found.status().ToString());
  });
  require(found->hard_state == known.hard_state, "its term or vote is another one on the disk");
  require(found->last == known.last, "its log ends elsewhere on the disk");
  require(found->base.index >= known.base.index, "its log was cut, and the disk has the entries");
  require(*flushed >= found->base.index, "a crash would leave tables that the log is cut behind");
  require(InspectCore(machine.member->raft()).TermAt(found->base.index) == found->base.term,
          "its log is cut behind another entry on the disk");
  CheckTail(machine, log.get(), found->base.index.Next());
  ForgetThrough(found->base, &known);
  require(found->terms == known.terms, "its log has other terms on the disk");
  const auto all_applied = InspectCore(machine.member->raft()).commit();
  require(found->applied.index >= known.applied.index && found->applied.index <= all_applied,
          "its tables have applied what is not committed, or less than it believes");
  ForgetBefore(found->applied.index, &found->configurations);
  ForgetBefore(found->applied.index, &known.configurations);
  require(found->configurations == known.configurations, "its disk has other configurations");
}

}  // namespace scheduled::sim
