// Rule 16: whose clock is believed.
#include "scheduler/clock_agreement.h"

#include <catch2/catch.hpp>

namespace scheduled {
namespace {

using ClockVerdict = ClockAgreement::Verdict;

const absl::Time kWall = absl::FromUnixSeconds(1'000'000);
constexpr MonoTime kMono{5'000'000'000};

ClockAgreement OfThree() {
  ClockAgreement clocks(NodeId("a"), absl::Milliseconds(500));
  clocks.SetVoters({NodeId("a"), NodeId("b"), NodeId("c")});
  return clocks;
}

TEST_CASE("a group of one agrees with itself") {
  ClockAgreement clocks(NodeId("a"), absl::Milliseconds(500));
  clocks.SetVoters({NodeId("a")});
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kAgrees);
}

TEST_CASE("without readings a leader knows nothing; one of two others is enough") {
  ClockAgreement clocks = OfThree();
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kUnknown);
  clocks.Note(NodeId("b"), kWall + absl::Milliseconds(499), kMono);
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kAgrees);
}

TEST_CASE("one mad clock among three is outvoted, two are a disagreement") {
  ClockAgreement clocks = OfThree();
  clocks.Note(NodeId("b"), kWall + absl::Hours(1), kMono);
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kUnknown);
  clocks.Note(NodeId("c"), kWall, kMono);
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kAgrees);
  clocks.Note(NodeId("c"), kWall - absl::Hours(1), kMono);
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kDisagrees);
}

TEST_CASE("a step of one's own wall clock shows before the next heartbeat") {
  ClockAgreement clocks = OfThree();
  clocks.Note(NodeId("b"), kWall, kMono);
  clocks.Note(NodeId("c"), kWall, kMono);
  const MonoTime later = kMono + absl::Seconds(1);
  CHECK(clocks.Look({kWall + absl::Seconds(1), later}) == ClockVerdict::kAgrees);
  CHECK(clocks.Look({kWall + absl::Hours(24 * 365), later}) == ClockVerdict::kDisagrees);
}

TEST_CASE("an old reading says nothing") {
  ClockAgreement clocks = OfThree();
  clocks.Note(NodeId("b"), kWall, kMono);
  clocks.Note(NodeId("c"), kWall + absl::Hours(1), kMono);
  const MonoTime later = kMono + ClockAgreement::kFresh + absl::Milliseconds(1);
  CHECK(clocks.Look({kWall, later}) == ClockVerdict::kUnknown);
}

TEST_CASE("what is no voter's clock does not count") {
  ClockAgreement clocks = OfThree();
  clocks.Note(NodeId("z"), kWall, kMono);
  clocks.Note(NodeId("a"), kWall, kMono);
  CHECK(clocks.Look({kWall, kMono}) == ClockVerdict::kUnknown);
}

}  // namespace
}  // namespace scheduled
