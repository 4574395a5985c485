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
};

}  // namespace

std::span<const PlantedBug> PlantedBugs() { return kPlanted; }

}  // namespace scheduled::explore
