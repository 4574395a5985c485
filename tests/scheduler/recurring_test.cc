// Recurring jobs on one node, in virtual time: each occurrence at its time, what is skipped while
// another runs or waits, and what was missed.
#include <catch2/catch.hpp>
#include <string_view>

#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// Job "a", first ten seconds from the begin.
Job EveryTenSeconds() {
  return Job::Every(absl::Seconds(10))
      .Id("a")
      .Executor("work")
      .StartingAt(kBegin + absl::Seconds(10));
}

TEST_CASE("a recurring job runs at each of its times, and ends after its last date") {
  World world;
  REQUIRE(world.Schedule(EveryTenSeconds().Until(kBegin + absl::Seconds(45))).ok());
  world.Run(absl::Minutes(2));
  REQUIRE(world.seen().size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    CHECK(world.seen()[i].run->due == kBegin + absl::Seconds(10) * static_cast<int>(i + 1));
    CHECK(world.seen()[i].started == world.seen()[i].run->due);
  }
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("an occurrence that is due while the one before still runs is recorded as skipped") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(EveryTenSeconds()).ok());
  world.Run(absl::Seconds(25));  // the first still runs as the second is due
  CHECK(world.seen().size() == 1);
  world.kept().at("a")(absl::OkStatus());
  world.kept().clear();
  world.Run(absl::Seconds(6));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->due == kBegin + absl::Seconds(30));
  int skipped = 0;
  for (const Attempt& attempt : world.Attempts("a")) {
    if (attempt.status == JobStatus::kSkipped) {
      ++skipped;
      CHECK(attempt.error_type == "overlap");
    }
  }
  CHECK(skipped == 1);
  CHECK(world.node(1).node().statistics().skipped == 1);
  world.kept().clear();
}

TEST_CASE("an occurrence that waits for a retry counts as running") {
  World world;
  world.OnWork(
      [](const SeenRun& seen, Done done) { done(seen.run->attempt == 1 ? Fails() : RunResult()); });
  REQUIRE(
      world.Schedule(EveryTenSeconds().Retry({.initial = absl::Seconds(15), .jitter = 0})).ok());
  world.Run(absl::Seconds(26));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->attempt == 2);
  CHECK(world.seen()[1].run->due == kBegin + absl::Seconds(10));
}

TEST_CASE("an occurrence that waits after an attempt that does not count counts as running") {
  World world;
  world.OnWork([n = 0](const SeenRun&, Done done) mutable {
    done(++n == 1 ? RunResult::Snooze(absl::Seconds(15), "its host is down") : RunResult());
  });
  REQUIRE(world.Schedule(EveryTenSeconds()).ok());
  world.Run(absl::Seconds(26));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->due == kBegin + absl::Seconds(10));
}

TEST_CASE("a run that fails while the job is read for its next occurrence stands in its way") {
  World world;
  bool slow = false;
  world.tables(1)->FailReads([&](std::string_view) {
    if (slow && world.loop().last_lane() == "n1/read") {
      world.node(1).runtime().Spend(absl::Milliseconds(5));
    }
    return false;
  });
  world.OnWork(world.KeepDone());
  REQUIRE(
      world.Schedule(EveryTenSeconds().Retry({.initial = absl::Seconds(15), .jitter = 0})).ok());
  world.Run(kBegin + absl::Seconds(20) - absl::Milliseconds(51) - world.now());
  slow = true;
  world.Run(absl::Milliseconds(2));  // its next occurrence is about to be claimed
  world.kept().at("a")(Fails());
  world.kept().clear();
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 1);
}

TEST_CASE("occurrences that were missed become one run that says how many it stands for") {
  World world;
  REQUIRE(world.Schedule(EveryTenSeconds()).ok());
  world.node(1).Crash();
  world.Run(absl::Seconds(55));
  REQUIRE(world.node(1).Start().ok());
  world.Run(absl::Seconds(1));
  REQUIRE(world.seen().size() == 1);
  CHECK(world.seen()[0].run->due == kBegin + absl::Seconds(50));
  CHECK(world.seen()[0].run->missed == 4);
  world.Run(absl::Seconds(5));
  REQUIRE(world.seen().size() == 2);
  CHECK(world.seen()[1].run->due == kBegin + absl::Seconds(60));
  CHECK(world.seen()[1].run->missed == 0);
}

}  // namespace
}  // namespace scheduled::test
