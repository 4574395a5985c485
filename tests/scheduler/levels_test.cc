// Programs of two versions in one group: when its feature level is raised, and what becomes of a
// program that cannot follow it.
#include <catch2/catch.hpp>

#include "jobs/stored_row.h"
#include "jobs/tables.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

constexpr uint32_t kNewer = kFeatureLevel + 1;

uint32_t LevelAt(World& world, int number) {
  pb::GroupRow group;
  const absl::StatusOr<bool> found = jobs::ReadRow(*world.tables(number), jobs::kGroupKey, &group);
  REQUIRE(found.ok());
  return *found ? group.level() : jobs::kFirstLevel;
}

// The node stops and comes back, with the program that can follow `level`.
absl::Status RestartWith(NodeBox& box, uint32_t level) {
  box.Crash();
  box.options().feature_level = level;
  return box.Start();
}

void RestartAllWith(World& world, uint32_t level) {
  for (int i = 1; i <= world.count(); ++i) {
    REQUIRE(RestartWith(world.node(i), level).ok());
    world.Run(absl::Seconds(3));
  }
}

TEST_CASE("the feature level stays while one voter runs the older program, and is raised then") {
  World world(3);
  for (int i = 1; i <= 2; ++i) {
    REQUIRE(RestartWith(world.node(i), kNewer).ok());
    world.Run(absl::Seconds(3));
    CHECK(LevelAt(world, i) == kFeatureLevel);
  }
  REQUIRE(RestartWith(world.node(3), kNewer).ok());
  REQUIRE(world.RunUntil([&] { return LevelAt(world, 3) == kNewer; }));
  REQUIRE(world.Schedule(Work("a")).ok());
}

TEST_CASE("a node goes back to the older program while the group's level is the older one") {
  World world(3);
  REQUIRE(RestartWith(world.node(1), kNewer).ok());
  world.Run(absl::Seconds(3));
  REQUIRE(RestartWith(world.node(1), kFeatureLevel).ok());
  for (int i = 2; i <= 3; ++i) REQUIRE(RestartWith(world.node(i), kNewer).ok());
  world.Run(absl::Seconds(5));
  for (int i = 1; i <= 3; ++i) CHECK(LevelAt(world, i) == kFeatureLevel);
  REQUIRE(world.Schedule(world.node(1), Work("a")).ok());
}

TEST_CASE("what a node has told of its level counts no more once its session is closed") {
  World world(3, [](NodeOptions* options) {
    if (options->node_id != NodeId("n3")) options->feature_level = kNewer;
  });
  NodeBox& gone = world.node(world.leader().id() == NodeId("n1") ? 2 : 1);
  gone.Crash();
  world.Run(absl::Seconds(3));
  // Comes back with the older program, and nobody hears of it.
  world.Isolate(gone);
  REQUIRE(RestartWith(gone, kFeatureLevel).ok());
  REQUIRE(RestartWith(world.node(3), kNewer).ok());
  world.Run(absl::Seconds(3));
  CHECK(LevelAt(world, 3) == kFeatureLevel);
}

TEST_CASE("a program older than the group's level does not start, and the newer one goes on") {
  World world(3);
  RestartAllWith(world, kNewer);
  REQUIRE(world.RunUntil([&] { return LevelAt(world, 1) == kNewer; }));
  const absl::Status refused = RestartWith(world.node(1), kFeatureLevel);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(refused.message().find("run the newer program") != std::string::npos);
  CHECK(LevelAt(world, 1) == kNewer);
  REQUIRE(RestartWith(world.node(1), kNewer).ok());
  REQUIRE(world.RunUntil([&] { return world.node(1).node().worker().CanTake(); }));
}

TEST_CASE("a node that cannot follow a level applies nothing of it, and stops") {
  World world(3, [](NodeOptions* options) { options->feature_level = kNewer; });
  REQUIRE(world.RunUntil([&] { return LevelAt(world, 1) == kNewer; }));
  NodeBox& behind = world.follower();
  const int number = behind.id() == NodeId("n1") ? 1 : behind.id() == NodeId("n2") ? 2 : 3;
  REQUIRE(world.RunUntil([&] { return LevelAt(world, number) == kNewer; }));
  // As a leader would that knows of a level more.
  for (int i = 1; i <= 3; ++i) {
    if (i != number) REQUIRE(RestartWith(world.node(i), kNewer + 1).ok());
  }
  pb::Command command;
  command.mutable_set_group()->set_level(kNewer + 1);
  NodeBox& leads = world.leader();
  REQUIRE(leads.id() != behind.id());
  leads.node().raft().Propose(command.SerializeAsString(), [](absl::StatusOr<Applied>) {}, {});
  REQUIRE(world.RunUntil([&] { return !behind.status().failure.empty(); }));
  CHECK(behind.status().failure.find("run the newer program") != std::string::npos);
  CHECK(LevelAt(world, number) == kNewer);
  REQUIRE(RestartWith(behind, kNewer + 1).ok());
  REQUIRE(world.RunUntil([&] { return LevelAt(world, number) == kNewer + 1; }));
}

}  // namespace
}  // namespace scheduled::test
