// Tables that cannot be read: the node stops, so that another leads, rather than lead and do
// nothing (table_store.h: after such an error the node must stop).
#include <catch2/catch.hpp>

#include "jobs/tables.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

int NumberOf(World& world, const NodeBox& box) {
  for (int i = 1; i <= world.count(); ++i) {
    if (&world.node(i) == &box) return i;
  }
  return 0;
}

bool HasStopped(NodeBox& box) { return !box.status().failure.empty(); }

TEST_CASE("a leader that cannot read a job that is due stops, and the job runs at the next one") {
  World world(3);
  NodeBox& old = world.leader();
  REQUIRE(world.Schedule(old, Work("a", absl::Seconds(2))).ok());
  world.tables(NumberOf(world, old))->FailReads([](std::string_view key) {
    return key == jobs::EncodeJobKey("a");
  });
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
  CHECK(HasStopped(old));
  CHECK(world.seen()[0].node != old.id());
  CHECK(&world.leader() != &old);
}

TEST_CASE("a node that cannot read what it needs to lead stops, and another one leads") {
  World world(3);
  NodeBox& follower = world.follower();
  world.tables(NumberOf(world, follower))->FailReads([](std::string_view key) {
    return key.starts_with(jobs::TablePrefix(jobs::kInflightTag));
  });
  world.leader().node().Transfer(follower.id(), ReplyTo::kWaiter, [](const absl::Status&) {});
  REQUIRE(world.RunUntil([&] { return HasStopped(follower); }));
  CHECK(&world.leader() != &follower);
  CHECK(world.Schedule(Work("a")).ok());
}

TEST_CASE("a node that cannot see what is to be removed stops") {
  const char tag = GENERATE(jobs::kDoneTag, jobs::kDedupExpiryTag);
  World world(1, [](NodeOptions* options) { options->sweep_interval = absl::Seconds(30); });
  world.tables(1)->FailReads(
      [tag](std::string_view key) { return key.starts_with(jobs::TablePrefix(tag)); });
  world.Run(absl::Minutes(1));
  CHECK(HasStopped(world.node(1)));
}

TEST_CASE("a replace that cannot read its job stops the node, and says that nothing was done") {
  World world;
  REQUIRE(world.Schedule(Work("a", absl::Hours(1))).ok());
  world.tables(1)->FailReads([](std::string_view key) { return key == jobs::EncodeJobKey("a"); });
  CHECK_FALSE(world.Replace(Work("a", absl::Hours(2))).ok());
  world.tables(1)->FailReads(nullptr);
  CHECK(HasStopped(world.node(1)));
}

TEST_CASE("a caller that finds the tables unreadable stops the node, one that finds nothing not") {
  World world;
  Node& node = world.node(1).node();
  REQUIRE(world.Schedule(Work("a", absl::Hours(1))).ok());
  node.AfterRead(node.queries()->Get("a").status());
  node.AfterRead(node.queries()->Get("nobody").status());
  node.AfterRead(node.queries()->List({}, {.value = "of another list"}).status());
  world.Run(absl::Seconds(1));
  CHECK_FALSE(HasStopped(world.node(1)));
  CHECK(world.StatusOf("a") == JobStatus::kPending);
  world.tables(1)->FailReads([](std::string_view key) { return key == jobs::EncodeJobKey("a"); });
  node.AfterRead(node.queries()->Get("a").status());
  CHECK(HasStopped(world.node(1)));
}

}  // namespace
}  // namespace scheduled::test
