#include "raft/core.h"
namespace scheduled::raft {
void Core::On(ChangeMembers event) {
  effects_.proposals_failed.push_back(ProposalFailed{event.id, ProposalFailure::kInvalid});
}
}  // namespace scheduled::raft
