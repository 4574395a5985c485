// See term.h.
#include "scheduler/term.h"

namespace scheduled {

ProposalClass ClassOf(const pb::Command& command) {
  switch (command.body_case()) {
    case pb::Command::kCreate:
    case pb::Command::kReplace:
    case pb::Command::kDeleteJob:
    case pb::Command::kCancel:
    case pb::Command::kPause:
    case pb::Command::kResume:
    case pb::Command::kTrigger:
    case pb::Command::kRedrive:
    case pb::Command::BODY_NOT_SET:
      return ProposalClass::kClient;
    case pb::Command::kClaims:
    case pb::Command::kFinishes:
    case pb::Command::kOpenSession:
    case pb::Command::kCloseSession:
    case pb::Command::kPutBack:
    case pb::Command::kRetain:
    case pb::Command::kSweepDedup:
    case pb::Command::kSetGroup:
      return ProposalClass::kInternal;
  }
  return ProposalClass::kClient;
}

void TermContext::Propose(pb::Command* command, OnOutcome done, ProposeOptions how) const {
  command->set_stamp_us(absl::ToUnixMicros(WallNow()));
  how.proposal_class = ClassOf(*command);
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
