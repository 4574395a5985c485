// The world of two nodes as text, for a finding. See dispatch_world.h.
#include "absl/strings/str_cat.h"
#include "explore/dispatch_world.h"
#include "scheduler/peer_codec.h"

namespace scheduled::explore {
namespace {

std::string TextOf(const std::string& bytes) {
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(bytes);
  if (!message.ok()) return "?";
  if (const auto* beat = std::get_if<HeartbeatMessage>(&*message)) {
    return absl::StrCat("heartbeat ", beat->sequence, " of session ", beat->session.value);
  }
  if (const auto* answer = std::get_if<HeartbeatAnswerMessage>(&*message)) {
    return absl::StrCat("answer ", static_cast<int>(answer->verdict), " to heartbeat ",
                        answer->sequence, " of session ", answer->session.value, ", term ",
                        answer->term.value);
  }
  if (const auto* channel = std::get_if<ChannelMessages>(&*message)) {
    std::string text =
        absl::StrCat("term ", channel->term.value, " session ", channel->session.value, ":");
    for (const ChannelItem& item : channel->items) {
      constexpr const char* kNames[] = {"reconcile", "start", "cancel", "outcome told"};
      absl::StrAppend(&text, " ", item.number, " ", kNames[item.body.index()]);
    }
    return text;
  }
  if (const auto* report = std::get_if<ReportMessage>(&*message)) {
    return absl::StrCat("report of term ", report->term.value, ", taken ", report->taken,
                        report->reconcile ? ", reconcile" : "", ", runs ", report->runs.size(),
                        ", outcomes ", report->outcomes.size());
  }
  return std::holds_alternative<ForwardRequestMessage>(*message) ? "forwarded call"
                                                                 : "answer to a forwarded call";
}

}  // namespace

const char* NameOf(ClientOp op) {
  constexpr const char* kNames[] = {"cancel a", "cancel b", "pause a", "resume a"};
  return kNames[static_cast<size_t>(op)];
}

std::string DispatchWorld::Describe(Step step) const {
  const std::string node = AbstractLog::Name(step.node).value;
  const auto frame = [&] { return TextOf(frames_.at(step.which).bytes); };
  switch (step.kind) {
    case StepKind::kDeliver:
      return absl::StrCat("to ", node, ": ", frame());
    case StepKind::kDouble:
      return absl::StrCat("to ", node, " and kept: ", frame());
    case StepKind::kLose:
      return absl::StrCat("lost on the way to ", node, ": ", frame());
    case StepKind::kCut:
      return "all messages are lost from here on";
    case StepKind::kCommit:
      return "the oldest proposal is committed";
    case StepKind::kFinish:
      return absl::StrCat("run ", running_.at(step.which).token.value, " at ", node, " ends");
    case StepKind::kFail:
      return absl::StrCat("run ", running_.at(step.which).token.value, " at ", node, " fails");
    case StepKind::kSecond:
      return "a second passes";
    case StepKind::kElect:
      return absl::StrCat(node, " is elected; of its predecessor's proposals survive ",
                          static_cast<int>(step.which));
    case StepKind::kHear:
      return absl::StrCat(node, " hears who leads");
    case StepKind::kCrash:
      return absl::StrCat(node, " crashes");
    case StepKind::kRestart:
      return absl::StrCat(node, " starts again");
    case StepKind::kClient:
      return absl::StrCat("a client calls ", node, ": ", NameOf(calls_.at(step.which).op));
  }
  return "?";
}

std::string DispatchWorld::Describe() const {
  std::string text = absl::StrCat("  ", (loop_.now() - MonoTime{}) / absl::Milliseconds(1),
                                  " ms, term ", log_.term().value, ", leader ",
                                  log_.leader() < 0 ? "-" : AbstractLog::Name(log_.leader()).value,
                                  ", log of ", log_.entries().size(), "\n");
  for (const Frame& frame : frames_) {
    absl::StrAppend(&text, "  in flight to ", AbstractLog::Name(frame.to).value, ": ",
                    TextOf(frame.bytes), "\n");
  }
  for (const Start& start : starts_) {
    absl::StrAppend(&text, "  started: job ", start.job, " token ", start.token.value, " session ",
                    start.session.value, " delivery ", start.delivery,
                    start.failed ? ", failed" : "", "\n");
  }
  for (const Call& call : calls_) {
    absl::StrAppend(&text, "  call ", NameOf(call.op), ": ",
                    !call.sent          ? "to come"
                    : call.acknowledged ? "acknowledged"
                    : call.ended        ? "refused"
                    : call.lost         ? "lost with its node"
                                        : "under way",
                    "\n");
  }
  return text;
}

}  // namespace scheduled::explore
