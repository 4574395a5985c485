// One node, from a create to its recorded end, in virtual time.
#include <catch2/catch.hpp>

#include "scheduler/world.h"

namespace scheduled::test {
namespace {

TEST_CASE("a job that is due in a second runs then, and is completed") {
  World world;
  const absl::StatusOr<JobInfo> created = world.Schedule(Work("a"));
  INFO(created.status().ToString());
  REQUIRE(created.ok());
  CHECK(created->status == JobStatus::kPending);
  CHECK(created->next_run_at == kBegin + absl::Seconds(1));

  world.Run(absl::Milliseconds(990));
  CHECK(world.seen().empty());
  world.Run(absl::Milliseconds(20));
  REQUIRE(world.seen().size() == 1);
  const RunContext& run = *world.seen()[0].run;
  CHECK(run.job_id == JobId("a"));
  CHECK(run.attempt == 1);
  CHECK(run.delivery == 1);
  CHECK(run.due == kBegin + absl::Seconds(1));
  CHECK(world.seen()[0].started == run.due);
  CHECK(run.late_by == absl::ZeroDuration());
  CHECK(run.fencing_token.value > 0);

  const absl::StatusOr<JobInfo> info = world.Get("a");
  REQUIRE(info.ok());
  CHECK(info->status == JobStatus::kCompleted);
  CHECK(info->attempt_count == 1);
  const std::vector<Attempt> attempts = world.Attempts("a");
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].status == JobStatus::kCompleted);
  CHECK(attempts[0].run_id == run.run_id);
  CHECK(attempts[0].node == NodeId("n1"));
}

}  // namespace
}  // namespace scheduled::test
