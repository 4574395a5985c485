// Text of everything that goes into and comes out of a core, one line a thing, the same for the
// same input: for transcripts of scenarios, the simulator's trace and failure messages. Not for
// parsing.
#ifndef SCHEDULED_LIB_RAFT_PRINT_H_
#define SCHEDULED_LIB_RAFT_PRINT_H_

#include <string>

#include "raft/core.h"

namespace scheduled::raft {

std::string ToString(Role role);
std::string ToString(PeerState state);
std::string ToString(VoteRefusal refusal);
std::string ToString(ProposalFailure failure);
std::string ToString(ReadFailure failure);
std::string ToString(TransferOutcome outcome);
std::string ToString(const LogPosition& at);               // 7@3: index 7 of term 3
std::string ToString(const Entry& entry);                  // 7@3 "text"
std::string ToString(const Configuration& configuration);  // (a b c) learners (d) joint with (a b)
std::string ToString(const Message& message);  // a->b term 3: append after 6@2 commit 5 …
std::string ToString(const Event& event);
// One line for each effect, each ended by a newline; the two instants only if asked for.
std::string ToString(const Effects& effects, bool instants = false);
// One line: role, term, log and commit.
std::string ToString(const Status& status);
// The same with a line for each peer.
std::string DebugString(const Core& core);

}  // namespace scheduled::raft

#endif  // SCHEDULED_LIB_RAFT_PRINT_H_
