// See lost_quorum.h.
#include "consensus/lost_quorum.h"

#include <utility>

#include "base/assert.h"
#include "consensus/packing.h"
#include "consensus/recovery.h"
#include "raft/codec.h"
#include "storage/log_state.h"

namespace scheduled {
namespace {

struct Stopped {
  Ledger ledger;
  LogState log;
};

absl::StatusOr<Stopped> Load(LogStore* store, GroupId group, AppliedPosition applied) {
  absl::StatusOr<Ledger> ledger = Ledger::Load(store, group);
  if (!ledger.ok()) return ledger.status();
  absl::StatusOr<LogState> log = store->Load(group);
  if (!log.ok()) return log.status();
  if (absl::Status ended = EndInstall(store, group, applied, &*ledger, &*log); !ended.ok()) {
    return ended;
  }
  if (absl::Status fits = CheckApplied(*log, applied); !fits.ok()) return fits;
  if (ledger->node().empty() || ledger->configurations().empty()) {
    return absl::FailedPreconditionError("this node has never been a member of a group");
  }
  return Stopped{*std::move(ledger), *std::move(log)};
}

StoppedMember Describe(const Stopped& stopped) {
  return {stopped.ledger.node(), stopped.log.hard_state.term, stopped.log.last,
          TermAt(stopped.log, stopped.log.last),
          stopped.ledger.configurations().back().configuration};
}

}  // namespace

absl::StatusOr<StoppedMember> InspectStopped(LogStore* store, GroupId group,
                                             AppliedPosition applied) {
  absl::StatusOr<Stopped> stopped = Load(store, group, applied);
  if (!stopped.ok()) return stopped.status();
  return Describe(*stopped);
}

absl::StatusOr<StoppedMember> MakeSoleMember(LogStore* store, GroupId group,
                                             AppliedPosition applied, raft::DiskId disk,
                                             const std::vector<std::string>& commands) {
  absl::StatusOr<Stopped> stopped = Load(store, group, applied);
  if (!stopped.ok()) return stopped.status();
  const NodeId self = stopped->ledger.node();
  const raft::Configuration old = stopped->ledger.configurations().back().configuration;
  const raft::Member* known = old.Find(self);
  raft::Configuration alone;
  alone.voters.push_back({self, known != nullptr ? known->address : std::string(), disk});
  SCHEDULED_ASSERT(alone.IsWellFormed(), "a group of one makes sense");

  // A term that this node has not seen: entries of it can be in no other log.
  raft::Persist persist;
  const Term term = stopped->log.hard_state.term.Next();
  persist.hard_state = raft::HardState{term, self};
  LogIndex next = stopped->log.last.Next();
  persist.entries.push_back({term, next, raft::EntryKind::kConfiguration,
                             SharedBuffer(raft::EncodeConfiguration(alone))});
  if (!commands.empty()) {
    next = next.Next();
    persist.entries.push_back(
        {term, next, raft::EntryKind::kCommand, Pack(commands, /*alone=*/false)});
  }
  std::vector<LogWrite> writes;
  LogWrite write = ToLogWrite(group, std::move(persist));
  stopped->ledger.Follow(write, &writes);
  ApplyWrite(stopped->log, write);
  writes.push_back(std::move(write));
  if (absl::Status written = store->Write(writes); !written.ok()) return written;
  return Describe(*stopped);
}

}  // namespace scheduled
