// See planted.h: the list.
#include "explore/planted.h"

namespace scheduled::explore {
namespace {

constexpr PlantedBug kPlanted[] = {
    {Bug::kQuorumTooSmall, "quorum-too-small", "raft:quick", 20'000,
     "one less than a majority commits"},
    {Bug::kCountsOwnUndurable, "counts-own-undurable", "raft:quick", 20'000,
     "a leader counts its own copy before it is durable"},
    {Bug::kAckSentUnsynced, "ack-sent-unsynced", "raft:quick", 20'000,
     "an acknowledgement is sent before its entries are durable"},
    {Bug::kVoteSentUnsynced, "vote-sent-unsynced", "raft:boot", 20'000,
     "a vote is sent before it is durable"},
    {Bug::kAppliesUndurable, "applies-undurable", "raft:quick", 20'000,
     "an entry is applied that is not durable on the node itself"},
    {Bug::kVotesForShorterLog, "votes-for-shorter-log", "raft:deviate2", 200'000,
     "a vote does not look at the logs"},
    {Bug::kTermWrittenLater, "term-written-later", "raft:deviate2", 200'000,
     "entries are written without the term that they came with"},
    {Bug::kLeaseAfterTimeoutNow, "lease-after-timeout-now", "raft:transfer", 200'000,
     "a leader takes its lease up again after it sent TimeoutNow"},
    {Bug::kDurableNotRolledBack, "durable-not-rolled-back", "raft:deviate2", 200'000,
     "the durable index stays behind an overwritten suffix"},
    {Bug::kStaleAckMovesMatch, "stale-ack-moves-match", "raft:deviate2", 200'000,
     "an old acknowledgement takes back what a newer one said"},
    {Bug::kVoteForgotten, "vote-forgotten", "raft:deviate3", 20'000, "a vote is never written"},
    {Bug::kTruncatesWhatMatches, "truncates-what-matches", "raft:deviate3", 50'000,
     "an append that comes again truncates what it has brought before"},
    {Bug::kIgnoresPastTerms, "ignores-past-terms", "raft:deviate3", 400'000,
     "whoever is behind in terms is not told so"},
    {Bug::kLateCompletionCounts, "late-completion-counts", "raft:deviate3", 800'000,
     "the completion of a write that was truncated since makes its index durable"},
    {Bug::kStartsEarly, "starts-early", "dispatch:short2", 1'000,
     "a claim is started as soon as it is made"},
    {Bug::kStartsWithoutLease, "starts-without-lease", "dispatch:short2", 15'000,
     "a leader starts runs without a look at its lease"},
    {Bug::kCommandsDoNotWait, "commands-do-not-wait", "dispatch:deviate1", 10'000,
     "a cancel does not wait for claims of an earlier leader"},
    {Bug::kTokenFalls, "token-falls", "dispatch:deviate1", 2'000,
     "a later claim has a smaller token"},
    {Bug::kRedeliveryEntersNext, "redelivery-enters-next", "dispatch:recur1", 20'000,
     "a redelivery enters the next occurrence a second time"},
    {Bug::kRunNotInSlotKey, "run-not-in-slot-key", "dispatch:short2", 1'000,
     "two rows of one job at one instant overwrite each other"},
    {Bug::kWithdrawnNotGivenBack, "withdrawn-not-given-back", "dispatch:copies2", 50'000,
     "what a refused command withdrew is lost"},
    {Bug::kTurnPassedEarly, "turn-passed-early", "dispatch:deviate1", 1'000,
     "the turn passes before the dispatcher knows the claim"},
    {Bug::kSessionNeverReopens, "session-never-reopens", "dispatch:deviate1", 1'000,
     "a closed session of a living node never opens again"},
    {Bug::kOutcomeForgotten, "outcome-forgotten", "dispatch:deviate1", 3'000,
     "a node keeps no outcome until it is told that it was applied"},
    {Bug::kClosingForgetsRuns, "closing-forgets-runs", "dispatch:deviate1", 2'000,
     "a session closes and its runs are not put back"},
    {Bug::kDeliveryNotCounted, "delivery-not-counted", "dispatch:deviate1", 2'000,
     "a run that died with its node does not count as delivered"},
    {Bug::kDedupForgotten, "dedup-forgotten", "dispatch:copies2", 50'000,
     "a write that is retried is done again"},
    {Bug::kPausedRunEnters, "paused-run-enters", "dispatch:pause1", 1'000,
     "a run of a paused job finds its way back into the slots"},
};

// Not among them: a Start that is taken twice, refused or of an earlier leader. As long as runs are
// placed on the leader's own node alone, a Start goes through that node's memory, and no history
// can show these; the worker's own tests do.

}  // namespace

std::span<const PlantedBug> PlantedBugs() { return kPlanted; }

}  // namespace scheduled::explore
