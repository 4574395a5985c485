// What gathers for a lane while it is busy: handed over in order and at once, and bounded.
#include "scheduler/inbox.h"

#include <catch2/catch.hpp>

#include "base/virtual_runtime.h"

namespace scheduled {
namespace {

struct InboxStage {
  InboxStage() : runtime(loop.NewRuntime("node")), lane(runtime->NewLane("dispatch")) {}
  ~InboxStage() { lane->Stop(); }
  bool Bring(int value, size_t bytes) {
    return inbox.Reserve(bytes) && inbox.Push(std::move(value), bytes);
  }

  VirtualLoop loop;
  std::unique_ptr<VirtualRuntime> runtime;
  std::unique_ptr<Lane> lane;
  std::vector<std::vector<int>> taken;
  Inbox<int> inbox{lane.get(), 100,
                   [this](std::vector<int> values) { taken.push_back(std::move(values)); }};
};

TEST_CASE("what gathers is handed over at once, in its order") {
  InboxStage stage;
  REQUIRE(stage.Bring(1, 10));
  REQUIRE(stage.Bring(2, 10));
  stage.loop.RunReady();
  REQUIRE(stage.Bring(3, 10));
  stage.loop.RunReady();
  CHECK(stage.taken == std::vector<std::vector<int>>{{1, 2}, {3}});
}

TEST_CASE("an inbox takes no more than it may hold until its lane has taken that") {
  InboxStage stage;
  REQUIRE(stage.Bring(1, 60));
  CHECK_FALSE(stage.Bring(2, 50));
  CHECK(stage.Bring(3, 40));
  CHECK_FALSE(stage.Bring(4, 1));
  stage.loop.RunReady();
  CHECK(stage.Bring(5, 100));
  stage.loop.RunReady();
  CHECK(stage.taken == std::vector<std::vector<int>>{{1, 3}, {5}});
}

TEST_CASE("one value that is larger than the bound passes alone") {
  InboxStage stage;
  CHECK(stage.Bring(1, 1000));
  CHECK_FALSE(stage.Bring(2, 1));
  stage.loop.RunReady();
  CHECK(stage.Bring(3, 1));
}

TEST_CASE("room that was asked for and not used yet counts") {
  InboxStage stage;
  REQUIRE(stage.inbox.Reserve(90));
  CHECK_FALSE(stage.Bring(1, 20));
  REQUIRE(stage.Bring(2, 10));
  stage.loop.RunReady();
  CHECK_FALSE(stage.Bring(3, 20));
  CHECK(stage.inbox.Push(4, 90));
  stage.loop.RunReady();
  CHECK(stage.Bring(5, 20));
}

TEST_CASE("a closed inbox leaves a value to whoever brought it") {
  InboxStage stage;
  REQUIRE(stage.Bring(1, 10));
  CHECK(stage.inbox.Close() == std::vector<int>{1});
  CHECK_FALSE(stage.Bring(2, 10));
  stage.loop.RunReady();
  CHECK(stage.taken.empty());
}

}  // namespace
}  // namespace scheduled
