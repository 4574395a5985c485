// Timeouts that a user may choose: whatever Options::Validate admits opens, elects and fires; and
// over a slow network a group works once its timeouts are longer.
#include <catch2/catch.hpp>

#include "scheduled/inproc_transport.h"
#include "scheduled/scheduler.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

TEST_CASE("every election timeout and heartbeat that is admitted opens and fires") {
  const absl::Duration election =
      GENERATE(absl::Milliseconds(300), absl::Milliseconds(900), absl::Minutes(1));
  const bool slow_heartbeat = GENERATE(false, true);
  const int nodes = GENERATE(1, 3);
  const absl::Duration heartbeat = slow_heartbeat ? election / 3 : absl::Milliseconds(10);
  Options options;
  options.data_dir = "data";
  options.election_timeout = election;
  options.heartbeat_interval = heartbeat;
  REQUIRE(options.Validate().ok());
  INFO("election " << absl::FormatDuration(election) << ", heartbeat "
                   << absl::FormatDuration(heartbeat));
  World world(nodes, [&](NodeOptions* node) {
    node->election_timeout = election;
    node->heartbeat_interval = heartbeat;
  });
  REQUIRE(world.Schedule(Work("a")).ok());
  world.Run(absl::Seconds(2));
  CHECK(world.seen().size() == 1);
  CHECK(world.StatusOf("a") == JobStatus::kCompleted);
}

TEST_CASE("a group whose round trip is longer than the default lease fires with longer timeouts") {
  World world(3, [](NodeOptions* node) {
    node->election_timeout = absl::Milliseconds(1500);
    node->heartbeat_interval = absl::Milliseconds(250);
  });
  world.network().SetDelay(absl::Milliseconds(250));
  REQUIRE(world.Schedule(Work("a", absl::Seconds(10))).ok());
  world.Run(absl::Seconds(12));
  CHECK(world.seen().size() == 1);
}

TEST_CASE("sessions live over a network as slow as the longest timeouts allow for") {
  World world(3, [](NodeOptions* node) {
    node->election_timeout = absl::Minutes(1);
    node->heartbeat_interval = absl::Seconds(2);
    node->max_clock_skew = absl::Seconds(10);
  });
  world.network().SetDelay(absl::Seconds(3));
  NodeBox& leader = world.leader();
  REQUIRE(world.Schedule(leader, Work("a", absl::Minutes(2))).ok());
  std::vector<SessionId> sessions;
  for (int i = 1; i <= 3; ++i) sessions.push_back(world.node(i).node().worker().session());
  world.Run(absl::Minutes(3));
  CHECK(world.seen().size() == 1);
  for (int i = 1; i <= 3; ++i) {
    CHECK(world.node(i).node().worker().session() == sessions[static_cast<size_t>(i - 1)]);
    CHECK(world.node(i).node().worker().CanTake());
  }
}

}  // namespace
}  // namespace scheduled::test
