// See term.h.
#include "scheduler/term.h"

#include "scheduler/peer_codec.h"

namespace scheduled {

ProposalClass ClassOf(const pb::Command& command) {
  return IsClientCommand(command) ? ProposalClass::kClient : ProposalClass::kInternal;
}

void TermContext::Propose(pb::Command* command, OnOutcome done, ProposeOptions how) const {
  command->set_stamp_us(absl::ToUnixMicros(WallNow()));
  how.proposal_class = ClassOf(*command);
  how.term = term_;
  parts_.raft->Propose(
      command->SerializeAsString(),
      [done = std::move(done)](absl::StatusOr<Applied> applied) mutable {
        if (!applied.ok()) return std::move(done)({applied.status(), LogIndex()});
        pb::Answer answer;
        if (!answer.ParseFromString(applied->answer)) {
          return std::move(done)(
              {absl::DataLossError("the state machine's answer does not parse"), applied->index});
        }
        std::move(done)({std::move(answer), applied->index});
      },
      how);
}

}  // namespace scheduled
