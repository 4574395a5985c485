// Bugs on purpose, to try the simulator on: each is one known way to get the protocol wrong, one
// branch in the code, and must be found by a campaign (tests/sim/planted.h says by how many seeds).
// Without SCHEDULED_PLANTED_BUGS, which no release build has, every branch is a constant false and
// nothing of it is left. Like the hooks of assert.h, the switch belongs to the test harness of a
// process. The numbers are those of the fault list in tests/sim/planted.cc.
#ifndef SCHEDULED_LIB_BASE_PLANTED_H_
#define SCHEDULED_LIB_BASE_PLANTED_H_

#include <cstdint>

namespace scheduled {

enum class Bug : uint8_t {
  kNone,
  // Raft.
  kCommitsOldTermsByCounting,
  kCommitsBeyondMatch,
  kCountsOwnUndurable,
  kQuorumTooSmall,
  kStaleAckMovesMatch,
  kLateCompletionCounts,
  kDurableNotRolledBack,
  kSuccessAfterStepDown,
  kRefusesWhatMayCommit,
  kVoteSentUnsynced,
  kVoteForgotten,
  kAckSentUnsynced,
  kTermWrittenLater,
  kVotesForShorterLog,
  kVotesCountedTwice,
  kVotesWhileLeaderAlive,
  kRestartForgetsLease,
  kLeaseAfterTimeoutNow,
  kReadsBeforeFirstCommit,
  kReadsWithoutQuorum,
  kTruncatesWhatMatches,
  kIgnoresPastTerms,
  kAppliesUndurable,
  kLostDiskBelieved,
  kJointCountsNewOnly,
  kJointLeftUncommitted,
  kConfigurationNotTruncated,
  kTakesOldSnapshot,
  kMatchesByIndexAlone,
  kSnapshotOfNewestMembers,
  kVoteLostByRestart,
  kTruncatedConfigurationKept,
  kAdmissionLeaks,
  // Dispatch.
  kStartsEarly,
  kStartsWithoutLease,
  kTakesOldLeadersStart,
  kTakesStartTwice,
  kCommandsDoNotWait,
  kTokenFalls,
  kRedeliveryEntersNext,
  kRunNotInSlotKey,
  kWithdrawnNotGivenBack,
  kRefusalIsAnAnswer,
  kTurnPassedEarly,
  kReconciledBeforeTermRaised,
  kAcknowledgesClosing,
  kSessionNeverReopens,
  kOutcomeForgotten,
  kClosingForgetsRuns,
  kDeliveryNotCounted,
  kDedupForgotten,
  kPausedRunEnters,
  kLevelRaisedEarly,
};
inline constexpr int kBugs = static_cast<int>(Bug::kLevelRaisedEarly) + 1;

#ifdef SCHEDULED_PLANTED_BUGS
inline Bug planted_bug = Bug::kNone;
inline bool IsPlanted(Bug bug) { return planted_bug == bug; }
// For the rest of the process, or until the next call. kNone: none.
inline void Plant(Bug bug) { planted_bug = bug; }
constexpr bool CanPlant() { return true; }
#else
constexpr bool IsPlanted(Bug) { return false; }
inline void Plant(Bug) {}
constexpr bool CanPlant() { return false; }
#endif

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_PLANTED_H_
