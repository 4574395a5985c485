// See peer_codec.h. One pair of functions for each message, in the order of peer.proto.
#include "scheduler/peer_codec.h"

#include <utility>

#include "jobs/job_model.h"
#include "jobs/limits.h"
#include "proto/peer.pb.h"
#include "scheduled/reason.h"

namespace scheduled {
namespace {

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(absl::StrCat("a peer's frame has ", what));
}

bool IsRef(const pb::RunRef& ref) {
  return !ref.job_id().empty() && ref.run() != 0 && ref.token() != 0;
}

// --- Encoding -----------------------------------------------------------------------------------

void Fill(const HeartbeatMessage& in, pb::PeerFrame* frame) {
  pb::Heartbeat* out = frame->mutable_heartbeat();
  out->set_boot(in.boot.value);
  out->set_session(in.session.value);
  out->set_sequence(in.sequence);
  out->set_wall_us(absl::ToUnixMicros(in.wall));
  out->set_term(in.term.value);
  out->set_taken(in.taken);
  for (const ExecutorRoom& room : in.rooms) {
    pb::ExecutorCapacity* capacity = out->add_capacities();
    capacity->set_executor(room.executor);
    capacity->set_runs(room.runs);
  }
  out->set_draining(in.draining);
  out->set_level(in.level);
}

void Fill(const HeartbeatAnswerMessage& in, pb::PeerFrame* frame) {
  pb::HeartbeatAnswer* out = frame->mutable_heartbeat_answer();
  out->set_term(in.term.value);
  out->set_session(in.session.value);
  out->set_boot(in.boot.value);
  out->set_sequence(in.sequence);
  out->set_verdict(static_cast<pb::HeartbeatAnswer::Verdict>(in.verdict));
}

void FillStart(const StartRequest& in, pb::Start* out) {
  *out->mutable_run() = ToRunRef(in.key);
  out->set_attempt(in.attempt);
  out->set_delivery(in.delivery);
  out->set_due_us(absl::ToUnixMicros(in.due));
  out->set_ready_us(absl::ToUnixMicros(in.ready));
  out->set_missed(in.missed);
  out->set_definition(jobs::MakeDefinition(*in.job).SerializeAsString());
}

void Fill(const ChannelMessages& in, pb::PeerFrame* frame) {
  pb::ChannelFrame* out = frame->mutable_channel();
  out->set_term(in.term.value);
  out->set_session(in.session.value);
  for (const ChannelItem& item : in.items) {
    pb::ChannelMessage* message = out->add_messages();
    message->set_number(item.number);
    if (const auto* start = std::get_if<StartRequest>(&item.body)) {
      FillStart(*start, message->mutable_start());
    } else if (const auto* cancel = std::get_if<CancelRequest>(&item.body)) {
      *message->mutable_cancel()->mutable_run() = ToRunRef(cancel->key);
    } else if (const auto* told = std::get_if<OutcomeToldRequest>(&item.body)) {
      *message->mutable_told()->mutable_run() = ToRunRef(told->key);
      message->mutable_told()->set_applied(told->applied);
    } else {
      message->mutable_reconcile();
    }
  }
}

void Fill(const ReportMessage& in, pb::PeerFrame* frame) {
  pb::SessionReport* out = frame->mutable_report();
  out->set_term(in.term.value);
  out->set_session(in.session.value);
  out->set_taken(in.taken);
  out->set_reconcile(in.reconcile);
  for (const RunKey& key : in.runs) *out->add_runs() = ToRunRef(key);
  for (const OutcomeMessage& outcome : in.outcomes) {
    pb::Outcome* to = out->add_outcomes();
    *to->mutable_run() = ToRunRef(outcome.key);
    to->set_status(static_cast<int>(outcome.status));
    to->set_retryable(outcome.retryable);
    if (outcome.retry_after) {
      // 0 stands for none, so that "at once" becomes the smallest wait.
      to->set_retry_after_us(std::max<int64_t>(1, absl::ToInt64Microseconds(*outcome.retry_after)));
    }
    to->set_uncounted(outcome.uncounted);
    *to->mutable_record() = outcome.record;
  }
}

void Fill(const ForwardRequestMessage& in, pb::PeerFrame* frame) {
  frame->mutable_forward()->set_request_id(in.request_id);
  *frame->mutable_forward()->mutable_command() = in.command;
}

void Fill(const ForwardAnswerMessage& in, pb::PeerFrame* frame) {
  pb::ForwardAnswer* out = frame->mutable_forwarded();
  out->set_request_id(in.request_id);
  if (in.answer.ok()) {
    *out->mutable_answer() = *in.answer;
    return;
  }
  out->set_code(static_cast<int>(in.answer.status().code()));
  out->set_message(std::string(in.answer.status().message()));
  out->set_reason(StatusReason(in.answer.status()));
}

// --- Decoding -----------------------------------------------------------------------------------

absl::StatusOr<PeerMessage> From(const pb::Heartbeat& in) {
  HeartbeatMessage out;
  out.boot = BootCounter(in.boot());
  out.session = SessionId(in.session());
  out.sequence = in.sequence();
  out.wall = absl::FromUnixMicros(in.wall_us());
  out.term = Term(in.term());
  out.taken = in.taken();
  for (const pb::ExecutorCapacity& capacity : in.capacities()) {
    if (capacity.executor().empty() || capacity.runs() < 0) return Malformed("a bad capacity");
    out.rooms.push_back({capacity.executor(), capacity.runs()});
  }
  out.draining = in.draining();
  out.level = in.level();
  return out;
}

absl::StatusOr<PeerMessage> From(const pb::HeartbeatAnswer& in) {
  if (in.term() == 0 || in.session() == 0) return Malformed("an answer without term or session");
  if (in.verdict() < pb::HeartbeatAnswer::ACKNOWLEDGED ||
      in.verdict() > pb::HeartbeatAnswer::CLOSED) {
    return Malformed("an unknown verdict");
  }
  return HeartbeatAnswerMessage{Term(in.term()), SessionId(in.session()), BootCounter(in.boot()),
                                in.sequence(),
                                static_cast<HeartbeatAnswerMessage::Verdict>(in.verdict())};
}

absl::StatusOr<StartRequest> StartFrom(const pb::Start& in) {
  if (!IsRef(in.run())) return Malformed("a start without a run");
  pb::Definition definition;
  if (!definition.ParseFromString(in.definition()))
    return Malformed("a definition that is damaged");
  StartRequest out;
  out.key = FromRunRef(in.run());
  out.attempt = in.attempt();
  out.delivery = in.delivery();
  out.due = absl::FromUnixMicros(in.due_us());
  out.ready = absl::FromUnixMicros(in.ready_us());
  out.missed = in.missed();
  out.job = std::make_shared<const Job>(jobs::MakeJob(out.key.job_id.value, definition));
  return out;
}

absl::StatusOr<PeerMessage> From(const pb::ChannelFrame& in) {
  if (in.term() == 0 || in.session() == 0) return Malformed("a channel without term or session");
  ChannelMessages out{Term(in.term()), SessionId(in.session()), {}};
  for (const pb::ChannelMessage& message : in.messages()) {
    if (message.number() == 0) return Malformed("a message without a number");
    ChannelItem item{message.number(), {}};
    switch (message.body_case()) {
      case pb::ChannelMessage::kReconcile:
        item.body = ReconcileRequest{};
        break;
      case pb::ChannelMessage::kStart: {
        absl::StatusOr<StartRequest> start = StartFrom(message.start());
        if (!start.ok()) return start.status();
        item.body = *std::move(start);
        break;
      }
      case pb::ChannelMessage::kCancel:
        if (!IsRef(message.cancel().run())) return Malformed("a cancellation without a run");
        item.body = CancelRequest{FromRunRef(message.cancel().run())};
        break;
      case pb::ChannelMessage::kTold:
        if (!IsRef(message.told().run())) return Malformed("a receipt without a run");
        item.body = OutcomeToldRequest{FromRunRef(message.told().run()), message.told().applied()};
        break;
      case pb::ChannelMessage::BODY_NOT_SET:
        return Malformed("a message without a body");
    }
    out.items.push_back(std::move(item));
  }
  return out;
}

absl::StatusOr<OutcomeMessage> OutcomeFrom(const pb::Outcome& in) {
  const auto status = static_cast<JobStatus>(in.status());
  if (!IsRef(in.run())) return Malformed("an outcome of no run");
  if (status != JobStatus::kCompleted && status != JobStatus::kFailed &&
      status != JobStatus::kTimeout && status != JobStatus::kCancelled) {
    return Malformed("an outcome of unknown status");
  }
  OutcomeMessage out;
  out.key = FromRunRef(in.run());
  out.status = status;
  out.retryable = in.retryable();
  if (in.retry_after_us() > 0) out.retry_after = absl::Microseconds(in.retry_after_us());
  out.uncounted = in.uncounted();
  out.record = in.record();
  CutTexts(&out.record);
  if (out.key.job_id.value.size() + out.record.ByteSizeLong() > kMaxOutcomeBytes) {
    return Malformed("an outcome that is too large");
  }
  return out;
}

absl::StatusOr<PeerMessage> From(const pb::SessionReport& in) {
  if (in.session() == 0) return Malformed("a report without a session");
  if (static_cast<size_t>(in.runs_size()) > ReportMessage::kMaxRuns ||
      static_cast<size_t>(in.outcomes_size()) > ReportMessage::kMaxOutcomes) {
    return Malformed("more runs or outcomes than a report has");
  }
  ReportMessage out{Term(in.term()), SessionId(in.session()), in.taken(), in.reconcile(), {}, {}};
  for (const pb::RunRef& ref : in.runs()) {
    if (!IsRef(ref)) return Malformed("a report of no run");
    out.runs.push_back(FromRunRef(ref));
  }
  for (const pb::Outcome& outcome : in.outcomes()) {
    absl::StatusOr<OutcomeMessage> one = OutcomeFrom(outcome);
    if (!one.ok()) return one.status();
    out.outcomes.push_back(*std::move(one));
  }
  return out;
}

absl::StatusOr<PeerMessage> From(const pb::ForwardRequest& in) {
  if (in.request_id().size() != kRequestIdBytes) return Malformed("a request without an id");
  if (!IsClientCommand(in.command())) return Malformed("a request that is no client's");
  return ForwardRequestMessage{in.request_id(), in.command()};
}

absl::StatusOr<PeerMessage> From(const pb::ForwardAnswer& in) {
  if (in.request_id().size() != kRequestIdBytes) return Malformed("an answer without an id");
  if (in.code() == 0) return ForwardAnswerMessage{in.request_id(), in.answer()};
  if (in.code() < 0 || in.code() > 16) return Malformed("an unknown code");
  absl::Status status(static_cast<absl::StatusCode>(in.code()), in.message());
  if (!in.reason().empty()) status = WithReason(std::move(status), in.reason());
  return ForwardAnswerMessage{in.request_id(), std::move(status)};
}

}  // namespace

void CutTexts(pb::RunRow* record) {
  const auto cut = [](std::string* text, size_t max) {
    if (text->size() > max) text->resize(max);
  };
  cut(record->mutable_error_type(), jobs::kMaxErrorTypeBytes);
  cut(record->mutable_error_message(), jobs::kMaxMessageBytes);
  cut(record->mutable_response(), jobs::kMaxResponseBytes);
}

bool IsClientCommand(const pb::Command& command) {
  switch (command.body_case()) {
    case pb::Command::kCreate:
    case pb::Command::kReplace:
    case pb::Command::kDeleteJob:
    case pb::Command::kCancel:
    case pb::Command::kPause:
    case pb::Command::kResume:
    case pb::Command::kTrigger:
    case pb::Command::kRedrive:
      return true;
    default:
      return false;
  }
}

pb::RunRef ToRunRef(const RunKey& key) {
  pb::RunRef ref;
  ref.set_job_id(key.job_id.value);
  ref.set_run(key.run.value);
  ref.set_token(key.token.value);
  return ref;
}

RunKey FromRunRef(const pb::RunRef& ref) {
  return {JobId(ref.job_id()), RunNumber(ref.run()), FencingToken(ref.token())};
}

std::string EncodePeerMessage(const PeerMessage& message) {
  pb::PeerFrame frame;
  frame.set_version(kPeerFrameVersion);
  std::visit([&frame](const auto& body) { Fill(body, &frame); }, message);
  return frame.SerializeAsString();
}

absl::StatusOr<PeerMessage> DecodePeerMessage(std::string_view bytes) {
  pb::PeerFrame frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Malformed("bytes that do not parse");
  }
  if (frame.version() != kPeerFrameVersion) {
    return absl::InvalidArgumentError(absl::StrCat("a peer's frame has version ", frame.version(),
                                                   ", this program knows ", kPeerFrameVersion));
  }
  switch (frame.body_case()) {
    case pb::PeerFrame::kHeartbeat:
      return From(frame.heartbeat());
    case pb::PeerFrame::kHeartbeatAnswer:
      return From(frame.heartbeat_answer());
    case pb::PeerFrame::kChannel:
      return From(frame.channel());
    case pb::PeerFrame::kReport:
      return From(frame.report());
    case pb::PeerFrame::kForward:
      return From(frame.forward());
    case pb::PeerFrame::kForwarded:
      return From(frame.forwarded());
    case pb::PeerFrame::BODY_NOT_SET:
      return Malformed("no body");
  }
  return Malformed("no body");
}

}  // namespace scheduled
