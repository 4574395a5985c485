// What becomes of the proposals of a leader that was deposed and leads again: the later ones may
// stand at smaller indices than those that were truncated in between.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "raft/lone_core.h"

namespace scheduled::raft {
namespace {

std::optional<ProposalFailure> FailureOf(const LoneCore& core, ProposalId id) {
  const auto found = std::find_if(core.proposals_failed.begin(), core.proposals_failed.end(),
                                  [id](const ProposalFailed& each) { return each.id == id; });
  if (found == core.proposals_failed.end()) return std::nullopt;
  return found->failure;
}

// It proposes 3 to 8 in term 2, all of which are truncated, and leads again in term 4, which its
// no-op at 3 opens.
struct LeadsAgain {
  LeadsAgain() {
    a.AutoPersist(true);
    a.Lead();
    for (int i = 0; i < 6; ++i) lost.push_back(a.Propose("lost"));
    a.Receive("b", 3, AppendRequest{At(1, 1), {}, false, {CommandEntry(2, 3)}});
    a.Lead();
    again = a.Propose("again");
    REQUIRE(a.proposed.back().at == At(4, 4));
  }

  LoneCore a{{.term = 1, .log = {1}}};
  std::vector<ProposalId> lost;
  ProposalId again;
};

TEST_CASE("14: a proposal is superseded as soon as another entry is committed at its index") {
  LeadsAgain it;
  it.a.Receive(
      "c", 5,
      AppendRequest{At(2, 3), LogIndex(4), false, {CommandEntry(3, 5), CommandEntry(4, 5)}});
  CHECK(FailureOf(it.a, it.lost[0]) == ProposalFailure::kSuperseded);
  CHECK(FailureOf(it.a, it.lost[1]) == ProposalFailure::kSuperseded);
  CHECK(FailureOf(it.a, it.again) == ProposalFailure::kSuperseded);
  CHECK_FALSE(FailureOf(it.a, it.lost[2]));
}

TEST_CASE("14: a proposal that was committed and then cut from the log is not refused") {
  LeadsAgain it;
  it.a.Propose("behind it");
  it.a.Ack("b", 5);
  REQUIRE(it.a.status().commit == LogIndex(5));
  it.a.Applied(5);
  it.a.Step(LogCut{LogIndex(5)});
  for (int i = 0; i < 3; ++i) it.a.Propose("later");
  it.a.Ack("b", 8);
  REQUIRE(it.a.status().commit == LogIndex(8));
  for (const ProposalId lost : it.lost) {
    CHECK(FailureOf(it.a, lost) == ProposalFailure::kSuperseded);
  }
  CHECK(it.a.proposals_failed.size() == it.lost.size());
}

TEST_CASE("14: of a proposal that a snapshot jumped over nothing is known") {
  LeadsAgain it;
  it.a.Receive("c", 5, Heartbeat{Round(1)});
  const SnapshotMeta meta{At(6, 5), it.a.status().configuration, LogIndex()};
  it.a.Step(SnapshotReceived{NodeId("c"), Term(5), TransferId(1), meta});
  REQUIRE(it.a.installs.size() == 1);
  it.a.Step(SnapshotInstalled{meta});
  CHECK(FailureOf(it.a, it.again) == ProposalFailure::kUnknown);
  CHECK(FailureOf(it.a, it.lost[3]) == ProposalFailure::kUnknown);
  CHECK_FALSE(FailureOf(it.a, it.lost[4]));
  it.a.Receive(
      "c", 5,
      AppendRequest{At(6, 5), LogIndex(8), false, {CommandEntry(7, 5), CommandEntry(8, 5)}});
  CHECK(FailureOf(it.a, it.lost[4]) == ProposalFailure::kSuperseded);
  CHECK(it.a.proposals_failed.size() == it.lost.size() + 1);
}

}  // namespace
}  // namespace scheduled::raft
