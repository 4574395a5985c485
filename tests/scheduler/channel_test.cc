// Session channels: numbered, in order, kept until taken.
#include "scheduler/channel.h"

#include <catch2/catch.hpp>

namespace scheduled {
namespace {

constexpr MonoTime kStart{1'000'000'000};

StartRequest StartOf(const std::string& job, size_t payload = 0) {
  StartRequest start;
  start.key = {JobId(job), RunNumber(1), FencingToken(1)};
  auto definition = std::make_shared<Job>();
  definition->payload.assign(payload, 'x');
  start.job = definition;
  return start;
}

TEST_CASE("a channel begins with Reconcile, number 1") {
  Channel channel(Term(3), SessionId(9), kStart);
  const ChannelMessages sent = channel.TakeUnsent(kStart);
  CHECK(sent.term == Term(3));
  CHECK(sent.session == SessionId(9));
  REQUIRE(sent.items.size() == 1);
  CHECK(sent.items[0].number == 1);
  CHECK(std::holds_alternative<ReconcileRequest>(sent.items[0].body));
  channel.CheckInvariants();
}

TEST_CASE("messages are sent once, and again only after a while without an answer") {
  Channel channel(Term(3), SessionId(9), kStart);
  channel.Add(StartOf("a"), kStart);
  CHECK(channel.TakeUnsent(kStart).items.size() == 2);
  CHECK(channel.TakeUnsent(kStart).items.empty());
  CHECK(channel.Resend(kStart + absl::Milliseconds(99), absl::Milliseconds(100)).items.empty());
  const ChannelMessages again =
      channel.Resend(kStart + absl::Milliseconds(100), absl::Milliseconds(100));
  REQUIRE(again.items.size() == 2);
  CHECK(again.items[0].number == 1);
  CHECK(again.items[1].number == 2);
  // The second sending counts anew.
  CHECK(channel.Resend(kStart + absl::Milliseconds(150), absl::Milliseconds(100)).items.empty());
}

TEST_CASE("what is taken is not sent again, and what was never sent is not taken") {
  Channel channel(Term(3), SessionId(9), kStart);
  channel.Add(StartOf("a"), kStart);
  channel.Taken(2);
  CHECK(channel.unanswered() == 2);  // nothing was sent yet
  channel.TakeUnsent(kStart);
  channel.Add(StartOf("b"), kStart + absl::Seconds(1));
  channel.Taken(99);
  CHECK(channel.taken_through() == 2);
  CHECK(channel.unanswered() == 1);
  CHECK(channel.unanswered_since() == kStart + absl::Seconds(1));
  channel.TakeUnsent(kStart);
  channel.Taken(3);
  CHECK(channel.unanswered() == 0);
  CHECK_FALSE(channel.unanswered_since().has_value());
  channel.CheckInvariants();
}

TEST_CASE("an old answer takes nothing back") {
  Channel channel(Term(3), SessionId(9), kStart);
  channel.Add(StartOf("a"), kStart);
  channel.TakeUnsent(kStart);
  channel.Taken(2);
  channel.Taken(1);
  CHECK(channel.taken_through() == 2);
}

TEST_CASE("large payloads go out in several batches, each with at least one message") {
  Channel channel(Term(3), SessionId(9), kStart);
  channel.TakeUnsent(kStart);
  for (int i = 0; i < 3; ++i) channel.Add(StartOf("a", Channel::kMaxBytes), kStart);
  for (int i = 0; i < 3; ++i) CHECK(channel.TakeUnsent(kStart).items.size() == 1);
  CHECK_FALSE(channel.has_unsent());
}

TEST_CASE("many messages go out in batches of a bounded number") {
  Channel channel(Term(3), SessionId(9), kStart);
  for (size_t i = 0; i < 2 * Channel::kMaxMessages; ++i) channel.Add(StartOf("a"), kStart);
  CHECK(channel.TakeUnsent(kStart).items.size() == Channel::kMaxMessages);
  CHECK(channel.TakeUnsent(kStart).items.size() == Channel::kMaxMessages);
  CHECK(channel.TakeUnsent(kStart).items.size() == 1);
}

}  // namespace
}  // namespace scheduled
