// Executors that say too much: what is recorded is cut, and no text of theirs keeps a run from
// ending.
#include <catch2/catch.hpp>

#include "jobs/limits.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

TEST_CASE("a run ends whatever its executor says, and what is recorded of it is cut") {
  World world;
  world.OnWork([](const SeenRun&, Done done) {
    RunResult result(absl::InternalError(std::string(size_t{5} << 20, 'm')));
    result.error_type = std::string(size_t{5} << 20, 't');
    result.response = std::string(size_t{5} << 20, 'r');
    done(std::move(result));
  });
  REQUIRE(world.Schedule(Work("a").Retry({.max_attempts = 1})).ok());
  world.Run(absl::Seconds(2));
  CHECK(world.StatusOf("a") == JobStatus::kFailed);
  const std::vector<Attempt> attempts = world.Attempts("a");
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].error_type == std::string(jobs::kMaxErrorTypeBytes, 't'));
}

TEST_CASE("an outcome that no entry can hold ends its run without its texts, and holds up none") {
  World world;
  world.OnWork(world.KeepDone());
  REQUIRE(world.Schedule(Work("large").Retry({.max_attempts = 1})).ok());
  REQUIRE(world.Schedule(Work("small").Retry({.max_attempts = 1})).ok());
  world.Run(absl::Seconds(2));
  REQUIRE(world.seen().size() == 2);
  const absl::StatusOr<std::vector<jobs::InflightEntry>> inflight =
      jobs::ReadInflight(*world.tables(1), std::nullopt, 10);
  REQUIRE(inflight.ok());
  NodeBox& box = world.node(1);
  ReportMessage report{box.status().term, box.node().worker().session(), 0, false, {}, {}};
  for (const jobs::InflightEntry& entry : *inflight) {
    OutcomeMessage outcome;
    outcome.key = {JobId(entry.key.job_id), RunNumber(entry.key.run),
                   FencingToken(entry.row.token())};
    outcome.record.set_status(static_cast<int>(JobStatus::kFailed));
    outcome.record.set_node_id("n1");
    if (entry.key.job_id == "large") outcome.record.set_error_type(std::string(5 << 20, 'x'));
    report.outcomes.push_back(std::move(outcome));
  }
  box.node().leader()->sessions().OnReport(box.id(), report);
  world.Run(absl::Milliseconds(100));
  CHECK(world.StatusOf("large") == JobStatus::kFailed);
  CHECK(world.StatusOf("small") == JobStatus::kFailed);
  world.kept().clear();
}

}  // namespace
}  // namespace scheduled::test
