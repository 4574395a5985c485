// See planted.h: the list.
#include "sim/planted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace scheduled::sim {
namespace {

constexpr WorkloadKind kLog = WorkloadKind::kLog;
constexpr WorkloadKind kJobs = WorkloadKind::kJobs;
// What takes longer, in real seconds, goes round in circles because of the bug.
constexpr double kHangs = 40;

constexpr PlantedBug kPlanted[] = {
    {Bug::kCommitsOldTermsByCounting, "commits-old-terms-by-counting", 2, kLog, 20,
     "an entry of an earlier term is committed by counting its copies"},
    {Bug::kCommitsBeyondMatch, "commits-beyond-match", 3, kLog, 0,
     "a follower believes a commit index beyond what the append matched"},
    {Bug::kCountsOwnUndurable, "counts-own-undurable", 9, kLog, 20,
     "a leader counts its own copy before it is durable"},
    {Bug::kQuorumTooSmall, "quorum-too-small", 10, kLog, 20, "one less than a majority commits"},
    {Bug::kStaleAckMovesMatch, "stale-ack-moves-match", 11, kLog, 20,
     "an old acknowledgement takes back what a newer one said"},
    {Bug::kLateCompletionCounts, "late-completion-counts", 13, kLog, 40,
     "the completion of a write that was truncated since makes its index durable"},
    {Bug::kSuccessAfterStepDown, "success-after-step-down", 14, kLog, 20,
     "a proposal whose place another entry took is answered with that one's result"},
    {Bug::kRefusesWhatMayCommit, "refuses-what-may-commit", 14, kLog, 20,
     "a lost leadership is told as a refusal, and the command is applied later"},
    {Bug::kDurableNotRolledBack, "durable-not-rolled-back", 15, kLog, 20,
     "the durable index stays behind an overwritten suffix"},
    {Bug::kVoteSentUnsynced, "vote-sent-unsynced", 16, kLog, 20,
     "a vote is sent before it is durable"},
    {Bug::kVoteForgotten, "vote-forgotten", 16, kLog, 20, "a vote is never written"},
    {Bug::kAckSentUnsynced, "ack-sent-unsynced", 9, kLog, 20,
     "an acknowledgement is sent before its entries are durable"},
    {Bug::kVoteLostByRestart, "vote-lost-by-restart", 16, kLog, 20,
     "a vote is on the disk, and a restart does not read it"},
    {Bug::kTruncatedConfigurationKept, "truncated-configuration-kept", 6, kLog, 60,
     "a configuration that was truncated stays on the disk, and a restart would take it up again"},
    {Bug::kTermWrittenLater, "term-written-later", 12, kLog, 20,
     "entries are written without the term that they came with"},
    {Bug::kReadsBeforeFirstCommit, "reads-before-first-commit", 17, kLog, 40,
     "a leader serves reads before the first commit of its term"},
    {Bug::kAdmissionLeaks, "admission-leaks", 28, kLog, 20,
     "the room of a command that an election cost is not given back"},
    {Bug::kVotesWhileLeaderAlive, "votes-while-leader-alive", 18, kLog, 80,
     "a voter forgets the promise that a lease rests on"},
    {Bug::kTruncatesWhatMatches, "truncates-what-matches", 20, kLog, 20,
     "an append that comes again truncates what it has brought before"},
    {Bug::kIgnoresPastTerms, "ignores-past-terms", 21, kLog, 20,
     "whoever is behind in terms is not told so"},
    {Bug::kVotesCountedTwice, "votes-counted-twice", 31, kLog, 60,
     "a vote that comes twice counts twice"},
    {Bug::kRestartForgetsLease, "restart-forgets-lease", 33, kLog, 0,
     "a voter restarts within a lease and votes"},
    {Bug::kLeaseAfterTimeoutNow, "lease-after-timeout-now", 34, kLog, 60,
     "a leader takes its lease up again after it sent TimeoutNow"},
    {Bug::kAppliesUndurable, "applies-undurable", 35, kLog, 20,
     "an entry is applied that is not durable on the node itself"},
    {Bug::kLostDiskBelieved, "lost-disk-believed", 30, kLog, 20,
     "a member that comes back with another disk is taken for the one that promised"},
    {Bug::kJointCountsNewOnly, "joint-counts-new-only", 24, kLog, 20,
     "the voters of before are not counted in a joint phase"},
    {Bug::kJointLeftUncommitted, "joint-left-uncommitted", 25, kLog, 20,
     "a joint phase is left before it is committed"},
    {Bug::kConfigurationNotTruncated, "configuration-not-truncated", 6, kLog, 80,
     "a truncation does not bring the configuration before back"},
    {Bug::kTakesOldSnapshot, "takes-old-snapshot", 27, kLog, 0,
     "a snapshot of an earlier term is installed"},
    {Bug::kSnapshotOfNewestMembers, "snapshot-of-newest-members", 6, kLog, 20,
     "a snapshot has the newest members, not those at its index"},
    {Bug::kMatchesByIndexAlone, "matches-by-index-alone", 0, kLog, 20,
     "what is not committed is taken behind an entry of another term"},
    {Bug::kVotesForShorterLog, "votes-for-shorter-log", 0, kLog, 20,
     "a vote does not look at the logs"},
    {Bug::kReadsWithoutQuorum, "reads-without-quorum", 0, kLog, 100,
     "a leader serves reads without asking whether it still leads"},
    {Bug::kTakesStartTwice, "takes-start-twice", 36, kJobs, 20,
     "a Start that is resent runs again"},
    {Bug::kCommandsDoNotWait, "commands-do-not-wait", 37, kJobs, 80,
     "a cancel does not wait for claims of an earlier leader"},
    {Bug::kTokenFalls, "token-falls", 38, kJobs, 20, "a later claim has a smaller token"},
    {Bug::kRedeliveryEntersNext, "redelivery-enters-next", 39, kJobs, 20,
     "a redelivery enters the next occurrence a second time"},
    {Bug::kRunNotInSlotKey, "run-not-in-slot-key", 41, kJobs, 20,
     "two rows of one job at one instant overwrite each other"},
    {Bug::kWithdrawnNotGivenBack, "withdrawn-not-given-back", 42, kJobs, 40,
     "what a refused command withdrew is lost"},
    {Bug::kRefusalIsAnAnswer, "refusal-is-an-answer", 43, kJobs, 80,
     "a refused Start counts as taken"},
    {Bug::kTurnPassedEarly, "turn-passed-early", 44, kJobs, 20,
     "the turn passes before the dispatcher knows the claim"},
    {Bug::kReconciledBeforeTermRaised, "reconciled-before-term-raised", 45, kJobs, 0,
     "Reconcile is answered before the term is raised"},
    {Bug::kAcknowledgesClosing, "acknowledges-closing", 40, kJobs, 400,
     "a heartbeat is acknowledged after the session's close was proposed"},
    {Bug::kSessionNeverReopens, "session-never-reopens", 46, kJobs, 20,
     "a closed session of a living node never opens again"},
    {Bug::kStartsEarly, "starts-early", 0, kJobs, 20, "a claim is started as soon as it is made"},
    {Bug::kStartsWithoutLease, "starts-without-lease", 0, kJobs, 40,
     "a leader starts runs without a look at its lease"},
    {Bug::kOutcomeForgotten, "outcome-forgotten", 0, kJobs, 20,
     "a node keeps no outcome until it is told that it was applied"},
    {Bug::kClosingForgetsRuns, "closing-forgets-runs", 0, kJobs, 20,
     "a session closes and its runs are not put back"},
    {Bug::kDeliveryNotCounted, "delivery-not-counted", 0, kJobs, 20,
     "a run that died with its node does not count as delivered"},
    {Bug::kDedupForgotten, "dedup-forgotten", 0, kJobs, 20,
     "a write that is retried is done again"},
    {Bug::kPausedRunEnters, "paused-run-enters", 0, kJobs, 20,
     "a run of a paused job finds its way back into the slots"},
    {Bug::kLevelRaisedEarly, "level-raised-early", 0, kJobs, 20,
     "the feature level is raised once a majority of the voters can follow"},
};

// Each bug once, in any order, but for kTakesOldLeadersStart: as long as runs are placed on the
// leader's own node alone, a Start goes through that node's memory, behind whatever it was told
// before, and no history can show it. The worker's own tests do.
static_assert(std::size(kPlanted) == kBugs - 2);

}  // namespace

std::span<const PlantedBug> PlantedBugs() { return kPlanted; }

const PlantedBug* FindPlanted(std::string_view name) {
  for (const PlantedBug& bug : kPlanted) {
    if (name == bug.name) return &bug;
  }
  return nullptr;
}

bool TryPlanted(const PlantedBug& bug, const CampaignOptions& options) {
  if (bug.seeds == 0) {
    fmt::print("open {}: no campaign has found it yet\n", bug.name);
    return true;
  }
  CampaignOptions one = options;
  one.seeds.workload = bug.workload;
  one.first = 1;
  one.last = bug.seeds;
  one.most_findings = 1;
  one.twice_every = 0;
  one.hang_seconds = std::min(one.hang_seconds, kHangs);
  one.quiet = true;
  Plant(bug.bug);
  const CampaignResult result = RunCampaign(one);
  Plant(Bug::kNone);
  if (result.findings.empty()) {
    fmt::print("NOT FOUND {} by {} seeds\n", bug.name, result.seeds);
  } else {
    const std::string& finding = result.findings.front().report;
    fmt::print("found {} after {} seeds ({:.1f} s): {}\n", bug.name, result.seeds + 1,
               result.real_seconds, finding.substr(0, finding.find('\n')));
  }
  std::fflush(stdout);
  return !result.findings.empty();
}

}  // namespace scheduled::sim
