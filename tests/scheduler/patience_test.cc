// Requests that have to wait for their job: they end in time, and so many wait as there is room
// for.
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

// Three nodes, where a new leader does not know yet what became of the run of "a" that an old one
// started, so that a cancel, a pause or a replace of "a" waits.
struct Waiting {
  explicit Waiting(absl::Duration request_timeout)
      : world(3, [&](NodeOptions* options) { options->request_timeout = request_timeout; }) {
    world.OnWork(world.KeepDone());
    REQUIRE(world.Schedule(Work("a", absl::Seconds(2))).ok());
    REQUIRE(world.RunUntil([&] { return world.seen().size() == 1; }));
    NodeBox& old = world.leader();
    world.Isolate(old);
    REQUIRE(world.RunUntil([&] {
      for (int i = 1; i <= world.count(); ++i) {
        NodeBox& box = world.node(i);
        if (&box != &old && box.leads() && box.node().HasLease()) next = &box;
      }
      return next != nullptr;
    }));
  }
  ~Waiting() { world.kept().clear(); }

  World world;
  NodeBox* next = nullptr;
};

TEST_CASE("a request that waits for its job ends when its time is over, as not carried out") {
  Waiting waiting(absl::Milliseconds(500));
  World& world = waiting.world;
  auto cancel = world.Begin(*waiting.next, JobVerb::kCancel, "a");
  auto behind = world.Begin(*waiting.next, JobVerb::kPause, "a");
  world.Run(absl::Milliseconds(400));
  CHECK_FALSE(cancel->has_value());
  world.Run(absl::Milliseconds(350));
  REQUIRE(cancel->has_value());
  REQUIRE(behind->has_value());
  CHECK(absl::IsUnavailable((*cancel)->status()));
  CHECK(absl::IsUnavailable((*behind)->status()));
  // Whoever comes later finds nothing that stands in its way.
  REQUIRE(world.RunUntil([&] { return world.seen().size() == 2; }));
  CHECK(world.Do(*waiting.next, JobVerb::kCancel, "a").ok());
}

TEST_CASE("a request of another node that waits for its job ends at the leader too") {
  Waiting waiting(absl::Milliseconds(500));
  World& world = waiting.world;
  NodeBox* other = nullptr;
  for (int i = 1; i <= 3; ++i) {
    NodeBox& box = world.node(i);
    if (&box != waiting.next && box.status().leader == waiting.next->id()) other = &box;
  }
  REQUIRE(other != nullptr);
  int answers = 0;
  world.network().DropApplication(
      [&](const NodeId& from, const NodeId& to, const std::string& frame) {
        const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
        const auto* answer = message.ok() ? std::get_if<ForwardAnswerMessage>(&*message) : nullptr;
        if (answer == nullptr || from != waiting.next->id() || to != other->id()) return false;
        ++answers;
        CHECK(absl::IsUnavailable(answer->answer.status()));
        return false;
      });
  auto cancel = world.Begin(*other, JobVerb::kCancel, "a");
  world.Run(absl::Milliseconds(750));
  CHECK(answers > 0);
  REQUIRE(cancel->has_value());
  CHECK_FALSE((*cancel)->ok());
}

TEST_CASE("a leader's own clients can make no more requests wait than there is room for") {
  Waiting waiting(absl::Seconds(1));
  World& world = waiting.world;
  const std::string payload(200'000, 'p');
  int refused = 0;
  int ended = 0;
  constexpr int kCalls = 450;
  for (int i = 0; i < kCalls; ++i) {
    absl::StatusOr<pb::Command> replace =
        MakeReplace(Work("a", absl::Hours(1)).Payload(payload), std::nullopt);
    REQUIRE(replace.ok());
    waiting.next->node().Write(*std::move(replace), ReplyTo::kWaiter, [&](WriteResult result) {
      ++ended;
      refused += absl::IsResourceExhausted(result.status());
    });
    if (i % 50 == 49) world.Run(absl::Milliseconds(1));
  }
  CHECK(refused > kCalls - 64 * 1024 * 1024 / 200'000 - 1);
  CHECK(refused < kCalls);
  world.Run(absl::Seconds(3));
  CHECK(ended == kCalls);
}

}  // namespace
}  // namespace scheduled::test
