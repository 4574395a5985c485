// Elections over the small world: who may lead, when, and who may not.
#include <catch2/catch.hpp>

#include "raft/cluster_harness.h"

namespace scheduled::raft {
namespace {

TEST_CASE("a sole voter leads as soon as its vote is durable") {
  World world({.nodes = 1});
  REQUIRE(world.RunUntil([&] { return world.Leader() == 1; }, absl::Milliseconds(5)));
  REQUIRE(world.Commit(1, "a"));
  CHECK(world.AppliedCommands(1) == std::vector<std::string>{"a"});
  CHECK(world.core(1).LeaseUntil() == MonoTime::Infinite());
}

TEST_CASE("a sole voter has nothing to wake up for once all is done") {
  World world({.nodes = 1});
  world.AwaitLeader();
  REQUIRE(world.Commit(1, "b"));
  CHECK(world.core(1).Drain().next_deadline == MonoTime::Infinite());
}

TEST_CASE("three nodes elect one leader within two election timeouts") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world({.nodes = 3, .seed = seed});
    world.AwaitLeader(absl::Milliseconds(1200));
    REQUIRE(world.Commit(world.Leader(), "a"));
    REQUIRE(world.AwaitApplied(LogIndex(2)));
    for (int node = 1; node <= 3; ++node) {
      CHECK(world.AppliedCommands(node) == std::vector<std::string>{"a"});
    }
  }
}

TEST_CASE("a killed leader is replaced within a second") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    World world({.nodes = 3, .seed = seed});
    const int old = world.AwaitLeader();
    REQUIRE(world.Commit(old, "a"));
    const absl::Duration killed = world.elapsed();
    world.Crash(old);
    const int next = world.AwaitLeader();
    CHECK(next != old);
    INFO("seed " << seed << " took " << absl::FormatDuration(world.elapsed() - killed));
    CHECK(world.elapsed() - killed < absl::Seconds(1));
    REQUIRE(world.Commit(next, "b"));
    world.Restart(old);
    REQUIRE(world.AwaitApplied(world.core(next).commit()));
    CHECK(world.AppliedCommands(old) == std::vector<std::string>{"a", "b"});
  }
}

TEST_CASE("26: a leader whose disk hangs hands over") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world({.nodes = 3, .seed = seed});
    const int old = world.AwaitLeader();
    REQUIRE(world.Commit(old, "a"));
    world.StallDisk(old);
    world.Propose(old, "b");
    REQUIRE(world.RunUntil([&] { return world.Leader() != old && world.Leader() != 0; },
                           absl::Milliseconds(1500)));
    const int next = world.AwaitLeader();
    REQUIRE(world.Commit(next, "c"));
    world.Run(absl::Seconds(2));
    CHECK(world.Leader() == next);  // the mute one does not come back
    world.ResumeDisk(old);
    REQUIRE(world.AwaitApplied(world.core(next).commit()));
    CHECK(world.AppliedCommands(old) == std::vector<std::string>{"a", "b", "c"});
  }
}

}  // namespace
}  // namespace scheduled::raft
