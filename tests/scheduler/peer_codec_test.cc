// Peer messages: what goes out comes back in, and nothing else does.
#include "scheduler/peer_codec.h"

#include <google/protobuf/stubs/logging.h>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "proto/peer.pb.h"
#include "scheduled/reason.h"

namespace scheduled {
namespace {

RunKey Key(uint64_t run) { return {JobId("job"), RunNumber(run), FencingToken(run + 1)}; }

template <typename T>
T RoundTrip(const T& message) {
  absl::StatusOr<PeerMessage> decoded = DecodePeerMessage(EncodePeerMessage(message));
  INFO(decoded.status().ToString());
  REQUIRE(decoded.ok());
  REQUIRE(std::holds_alternative<T>(*decoded));
  return std::get<T>(*std::move(decoded));
}

bool IsRefused(const pb::PeerFrame& frame) {
  return DecodePeerMessage(frame.SerializeAsString()).status().code() ==
         absl::StatusCode::kInvalidArgument;
}

pb::PeerFrame Frame() {
  pb::PeerFrame frame;
  frame.set_version(kPeerFrameVersion);
  return frame;
}

TEST_CASE("a heartbeat says the same on the other side") {
  HeartbeatMessage beat;
  beat.boot = BootCounter(3);
  beat.session = SessionId(77);
  beat.sequence = 12;
  beat.wall = absl::FromUnixMicros(1'234'567);
  beat.term = Term(5);
  beat.taken = 9;
  beat.rooms = {{"email", 64}, {"noop", 4096}};
  beat.draining = true;
  beat.level = 1;
  const HeartbeatMessage back = RoundTrip(beat);
  CHECK(back.boot == beat.boot);
  CHECK(back.session == beat.session);
  CHECK(back.sequence == beat.sequence);
  CHECK(back.wall == beat.wall);
  CHECK(back.term == beat.term);
  CHECK(back.taken == beat.taken);
  REQUIRE(back.rooms.size() == 2);
  CHECK(back.rooms[0].executor == "email");
  CHECK(back.rooms[0].runs == 64);
  CHECK(back.draining);
  CHECK(back.level == 1);
}

TEST_CASE("each verdict survives the way") {
  using Verdict = HeartbeatAnswerMessage::Verdict;
  for (Verdict verdict : {Verdict::kAcknowledged, Verdict::kOpened, Verdict::kClosed}) {
    const HeartbeatAnswerMessage back =
        RoundTrip(HeartbeatAnswerMessage{Term(4), SessionId(6), BootCounter(2), 8, verdict});
    CHECK(back.term == Term(4));
    CHECK(back.session == SessionId(6));
    CHECK(back.boot == BootCounter(2));
    CHECK(back.sequence == 8);
    CHECK(back.verdict == verdict);
  }
}

TEST_CASE("a channel carries each kind of message in order") {
  StartRequest start;
  start.key = Key(5);
  start.attempt = 2;
  start.delivery = 3;
  start.due = absl::FromUnixSeconds(100);
  start.ready = absl::FromUnixSeconds(101);
  start.missed = 4;
  start.job = std::make_shared<const Job>(
      Job::At(absl::FromUnixSeconds(100)).Id("job").Executor("email").Payload("bytes"));
  const ChannelMessages back = RoundTrip(ChannelMessages{Term(2),
                                                         SessionId(3),
                                                         {{1, ReconcileRequest{}},
                                                          {2, start},
                                                          {3, CancelRequest{Key(6)}},
                                                          {4, OutcomeToldRequest{Key(7), true}}}});
  REQUIRE(back.items.size() == 4);
  CHECK(std::holds_alternative<ReconcileRequest>(back.items[0].body));
  const auto& started = std::get<StartRequest>(back.items[1].body);
  CHECK(started.key == start.key);
  CHECK(started.attempt == 2);
  CHECK(started.delivery == 3);
  CHECK(started.due == start.due);
  CHECK(started.ready == start.ready);
  CHECK(started.missed == 4);
  CHECK(started.job->payload == "bytes");
  CHECK(started.job->executor == "email");
  CHECK(std::get<CancelRequest>(back.items[2].body).key == Key(6));
  CHECK(std::get<OutcomeToldRequest>(back.items[3].body).applied);
  CHECK(back.items[3].number == 4);
}

TEST_CASE("a report carries runs and outcomes, the wait of zero included") {
  OutcomeMessage outcome;
  outcome.key = Key(9);
  outcome.status = JobStatus::kFailed;
  outcome.retryable = true;
  outcome.retry_after = absl::ZeroDuration();
  outcome.uncounted = true;
  outcome.record.set_error_message("\xff not text");
  const ReportMessage back =
      RoundTrip(ReportMessage{Term(2), SessionId(3), 17, true, {Key(1), Key(2)}, {outcome}});
  CHECK(back.taken == 17);
  CHECK(back.reconcile);
  CHECK(back.runs == std::vector<RunKey>{Key(1), Key(2)});
  REQUIRE(back.outcomes.size() == 1);
  CHECK(back.outcomes[0].key == Key(9));
  CHECK(back.outcomes[0].retryable);
  REQUIRE(back.outcomes[0].retry_after.has_value());
  CHECK(*back.outcomes[0].retry_after <= absl::Microseconds(1));
  CHECK(back.outcomes[0].uncounted);
  CHECK(back.outcomes[0].record.error_message() == "\xff not text");
}

TEST_CASE("forwarded requests and both kinds of answer survive the way") {
  pb::Command command;
  command.mutable_cancel()->set_job_id("job");
  const std::string id(kRequestIdBytes, 'r');
  CHECK(RoundTrip(ForwardRequestMessage{id, command}).command.cancel().job_id() == "job");
  pb::Answer answer;
  answer.set_reason("conflict");
  CHECK(RoundTrip(ForwardAnswerMessage{id, answer}).answer->reason() == "conflict");
  const ForwardAnswerMessage refused =
      RoundTrip(ForwardAnswerMessage{id, absl::UnavailableError("not here")});
  CHECK(refused.answer.status() == absl::UnavailableError("not here"));
  const ForwardAnswerMessage told = RoundTrip(
      ForwardAnswerMessage{id, WithReason(absl::ResourceExhaustedError("too many"), "overloaded")});
  CHECK(StatusReason(told.answer.status()) == "overloaded");
}

TEST_CASE("a frame of another version, without a body or with parts that cannot be is refused") {
  pb::PeerFrame frame = Frame();
  CHECK(IsRefused(frame));  // no body
  frame.mutable_heartbeat();
  CHECK_FALSE(IsRefused(frame));
  frame.set_version(kPeerFrameVersion + 1);
  CHECK(IsRefused(frame));

  frame = Frame();
  frame.mutable_heartbeat_answer()->set_term(1);
  frame.mutable_heartbeat_answer()->set_session(1);
  CHECK(IsRefused(frame));  // no verdict

  frame = Frame();
  frame.mutable_channel()->set_term(1);
  frame.mutable_channel()->set_session(1);
  frame.mutable_channel()->add_messages()->mutable_reconcile();
  CHECK(IsRefused(frame));  // no number
  frame.mutable_channel()->mutable_messages(0)->set_number(1);
  CHECK_FALSE(IsRefused(frame));

  frame = Frame();
  frame.mutable_report()->set_session(1);
  pb::Outcome* outcome = frame.mutable_report()->add_outcomes();
  outcome->mutable_run()->set_job_id("job");
  outcome->mutable_run()->set_run(1);
  outcome->mutable_run()->set_token(1);
  outcome->set_status(static_cast<int>(JobStatus::kPaused));
  CHECK(IsRefused(frame));
  outcome->set_status(static_cast<int>(JobStatus::kTimeout));
  CHECK_FALSE(IsRefused(frame));

  frame = Frame();
  frame.mutable_forward()->set_request_id("short");
  frame.mutable_forward()->mutable_command()->mutable_cancel();
  CHECK(IsRefused(frame));
  frame.mutable_forward()->set_request_id(std::string(kRequestIdBytes, 'r'));
  CHECK_FALSE(IsRefused(frame));
  // What only a leader may propose.
  frame.mutable_forward()->mutable_command()->mutable_retain();
  CHECK(IsRefused(frame));
}

TEST_CASE("damaged frames are refused or read, and never more than that") {
  const google::protobuf::LogSilencer silence;
  Random random(11);
  const std::string good =
      EncodePeerMessage(ReportMessage{Term(2), SessionId(3), 17, true, {Key(1), Key(2)}, {}});
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good.substr(0, random.Uniform(good.size() + 1));
    for (uint64_t flips = random.Uniform(4); flips > 0 && !bad.empty(); --flips) {
      bad[random.Uniform(bad.size())] = static_cast<char>(random.Next());
    }
    refused += !DecodePeerMessage(bad).ok();
  }
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace scheduled
