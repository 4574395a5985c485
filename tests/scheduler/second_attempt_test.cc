// A request that a node sends a second time, since the first attempt was not answered: what is
// said of the second alone is no answer to the request (see Forwarding).
#include <catch2/catch.hpp>

#include "scheduler/peer_codec.h"
#include "scheduler/world.h"

namespace scheduled::test {
namespace {

bool IsForwardAnswer(const std::string& frame) {
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame);
  return message.ok() && std::holds_alternative<ForwardAnswerMessage>(*message);
}

TEST_CASE("a refusal of the second attempt does not hide that the first was carried out") {
  World world(3);
  NodeBox& follower = world.follower();
  bool deaf = true;
  world.network().DropApplication([&](const NodeId&, const NodeId& to, const std::string& frame) {
    return deaf && to == follower.id() && IsForwardAnswer(frame);
  });
  // Its last occurrence has passed by the time that an answer comes through.
  auto create = world.BeginSchedule(
      follower,
      Job::Cron("* * * * * *").Id("a").Executor("work").Until(world.now() + absl::Seconds(2)));
  world.Run(absl::Seconds(3));
  CHECK_FALSE(create->has_value());
  deaf = false;
  REQUIRE(world.RunUntil([&] { return create->has_value(); }, absl::Seconds(15)));
  CHECK((*create)->ok());
  CHECK(world.Get("a").ok());
}

TEST_CASE("a request that the network doubles is answered as it was carried out") {
  World world(3);
  NodeBox& follower = world.follower();
  // The answer to the first of the two is lost; the second is carried out after the last
  // occurrence.
  bool lost = false;
  world.network().DropApplication([&](const NodeId&, const NodeId& to, const std::string& frame) {
    if (to != follower.id() || !IsForwardAnswer(frame)) return false;
    return !std::exchange(lost, true);
  });
  const Job job =
      Job::Cron("* * * * * *").Id("a").Executor("work").Until(world.now() + absl::Seconds(2));
  auto create = world.BeginSchedule(follower, job);
  REQUIRE(world.RunUntil([&] { return lost; }, absl::Seconds(2)));
  world.Run(absl::Seconds(3));
  // What a client does that heard nothing, whichever attempt of the node is heard first.
  auto again = world.BeginSchedule(world.leader(), job);
  REQUIRE(
      world.RunUntil([&] { return create->has_value() && again->has_value(); }, absl::Seconds(15)));
  CHECK((*create)->ok());
  CHECK((*again)->ok());
}

}  // namespace
}  // namespace scheduled::test
