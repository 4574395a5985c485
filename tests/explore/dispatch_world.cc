// See dispatch_world.h: the steps. What is judged is in dispatch_checks.cc.
#include "explore/dispatch_world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "explore/finding.h"
#include "scheduler/client_commands.h"
#include "scheduler/peer_codec.h"

namespace scheduled::explore {
namespace {

constexpr char kQueue[] = "work";

// As long as Apply wants it.
std::string RequestId(uint64_t number) { return absl::StrCat(absl::Hex(number, absl::kZeroPad16)); }

std::string JobOfOp(ClientOp op) { return op == ClientOp::kCancelB ? "b" : "a"; }

pb::Command CommandOf(ClientOp op) {
  const JobVerb verb = op == ClientOp::kPauseA    ? JobVerb::kPause
                       : op == ClientOp::kResumeA ? JobVerb::kResume
                                                  : JobVerb::kCancel;
  return *MakeVerb(verb, JobId(JobOfOp(op)));
}

// A newer heartbeat, or answer to one, says all that an older one said: the older one counts as
// lost on the way.
bool Replaces(const PeerMessage& newer, const PeerMessage& older) {
  if (std::holds_alternative<HeartbeatMessage>(newer)) {
    return std::holds_alternative<HeartbeatMessage>(older);
  }
  const auto* a = std::get_if<HeartbeatAnswerMessage>(&newer);
  const auto* b = std::get_if<HeartbeatAnswerMessage>(&older);
  return a != nullptr && b != nullptr && a->verdict == b->verdict && a->session == b->session &&
         a->term == b->term && a->boot == b->boot;
}

}  // namespace

// Takes every run and ends it when the explorer says so.
class DispatchWorld::Recorder final : public Executor {
 public:
  Recorder(DispatchWorld* world, int node) : world_(*world), node_(node) {}
  void Run(std::shared_ptr<const RunContext> run, Done done) override {
    world_.OnStart(node_, std::move(run), std::move(done));
  }

 private:
  DispatchWorld& world_;
  const int node_;
};

DispatchWorld::DispatchWorld(const DispatchSet& set) : set_(set) {
  log_.on_send = [this](int from, int to, std::string bytes) {
    OnSend(Frame{from, to, std::move(bytes)});
  };
  log_.on_applied = [this](int node, const std::string& command, const std::string& answer) {
    OnApplied(node, command, answer);
  };
  for (int number = 0; number < kPair; ++number) {
    auto made = std::make_unique<Box>();
    made->port = std::make_unique<LogPort>(&log_, number);
    boxes_[static_cast<size_t>(number)] = std::move(made);
    Boot(number);
  }
  log_.Elect(0, 0);
  loop_.RunReady();
  log_.Hear(1);
  loop_.RunReady();
  Settle();
  CreateJobs();
  calls_.reserve(set_.ops.size() + kPatience);  // whoever is answered holds a reference
  for (const ClientOp op : set_.ops) calls_.push_back(Call{.op = op, .under_way = {}});
}

DispatchWorld::~DispatchWorld() {
  for (int number = 0; number < kPair; ++number) {
    if (IsUp(number)) CrashNode(number);
  }
}

void DispatchWorld::Boot(int number) {
  Box& b = box(number);
  b.runtime = std::make_unique<StepRuntime>(&loop_);
  b.history = 0;
  NodeOptions options;
  options.node_id = AbstractLog::Name(number);
  options.peers = {{NodeId("n1"), "n1"}, {NodeId("n2"), "n2"}};
  options.boot = BootCounter(++b.boot);
  NodeParts parts;
  parts.runtime = b.runtime.get();
  parts.log_store = b.port.get();
  parts.tables = &b.tables;
  auto opened = Node::Open(std::move(options), std::move(parts));
  if (!opened.ok()) throw Finding{opened.status().ToString()};
  b.node = *std::move(opened);
  const absl::Status served = b.node->Register(kQueue, std::make_unique<Recorder>(this, number));
  Require(served.ok(), "an executor is registered");
  loop_.RunReady();
}

size_t DispatchWorld::NumberOfRequest(const std::string& request_id) {
  uint64_t number = 0;
  Require(absl::SimpleHexAtoi(request_id, &number) && number > 0, "the id of a call");
  return number - 1;
}

// Nothing is said on the way out. What ran dies with the node.
void DispatchWorld::CrashNode(int number) {
  for (Call& call : calls_) call.lost |= call.sent && !call.ended && call.entered == number;
  Box& b = box(number);
  b.node->FallSilent();
  for (Running& running : running_) {
    // A Done that is dropped answers for itself: it must find nobody.
    if (running.node == number) dying_.push_back(std::move(running.done));
  }
  std::erase_if(running_, [number](const Running& running) { return running.node == number; });
  b.node.reset();
  dying_.clear();
  b.runtime.reset();
}

// Until nothing but time would change anything: then both nodes have their sessions.
void DispatchWorld::Settle() {
  const auto is_ready = [this](int number) { return box(number).node->worker().CanTake(); };
  for (int pauses = 0; pauses < 10; ++pauses) {
    for (Step next = NextOfSchedule(); next.kind != StepKind::kSecond; next = NextOfSchedule()) {
      Take(next);
    }
    if (is_ready(0) && is_ready(1) && pauses > 3) return;
    loop_.Advance(absl::Milliseconds(200));
  }
  throw Finding{"both nodes come to have a session"};
}

void DispatchWorld::CreateJobs() {
  const absl::Time now = StepLoop::kBegin + (loop_.now() - MonoTime{});
  RetryPolicy retry;
  retry.max_attempts = 2;
  retry.initial = absl::Milliseconds(500);
  retry.jitter = 0;
  const auto at = [now](int seconds) {
    return now + absl::Seconds(seconds) + absl::Milliseconds(20);
  };
  const auto with_rest = [&retry](Job job, const char* id) {
    return std::move(job).Id(id).Executor(kQueue).Timeout(absl::Hours(1)).Retry(retry);
  };
  std::vector<Job> jobs = {
      with_rest(Job::At(at(1)), "a"),
      with_rest(set_.recurs ? Job::Every(absl::Seconds(2)).StartingAt(at(2)).Until(at(6))
                            : Job::At(at(2)),
                "b")};
  pb::Command command = *MakeCreate(jobs, [] { return std::string(); });
  command.set_request_id(RequestId(0));
  std::string refusal = "no answer";
  box(0).node->Write(std::move(command), ReplyTo::kWaiter, [&refusal](WriteResult result) {
    refusal = result.ok() ? result->message() : result.status().ToString();
  });
  loop_.RunReady();
  for (Step next = NextOfSchedule(); next.kind != StepKind::kSecond; next = NextOfSchedule()) {
    Take(next);
  }
  if (!refusal.empty()) throw Finding{"the jobs are not created: " + refusal};
}

// --- What happens --------------------------------------------------------------------------------

void DispatchWorld::OnSend(Frame frame) {
  if (cut_for_ > 0) return;
  const absl::StatusOr<PeerMessage> message = DecodePeerMessage(frame.bytes);
  Require(message.ok(), "what a node sends can be read");
  std::erase_if(frames_, [&](const Frame& older) {
    if (older.from != frame.from || older.to != frame.to) return false;
    return Replaces(*message, *DecodePeerMessage(older.bytes));
  });
  const auto at = std::lower_bound(frames_.begin(), frames_.end(), frame);
  if (at == frames_.end() || *at != frame) frames_.insert(at, std::move(frame));
}

void DispatchWorld::OnStart(int node, std::shared_ptr<const RunContext> run, Done done) {
  Start start{run->job_id.value,  run->run_id,
              run->fencing_token, box(node).node->worker().session(),
              run->delivery,      run->due};
  CheckStart(node, start, *run);
  starts_.push_back(std::move(start));
  const std::string run_id = run->run_id;
  const FencingToken token = run->fencing_token;
  const auto at = std::find_if(running_.begin(), running_.end(), [&](const Running& other) {
    return std::pair(other.node, other.token) > std::pair(node, token);
  });
  running_.insert(at, Running{node, run_id, token, std::move(run), std::move(done)});
}

void DispatchWorld::Deliver(size_t which, bool keep) {
  const Frame frame = frames_.at(which);
  if (!keep) frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(which));
  log_.seat(frame.to)->on_frame(AbstractLog::Name(frame.from), frame.bytes);
}

void DispatchWorld::Finish(size_t which, bool fails) {
  Running running = std::move(running_.at(which));
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(which));
  RunResult result;
  if (running.run->cancelled()) {
    result = RunResult(absl::CancelledError("told to stop"));
  } else if (fails) {
    result = RunResult(absl::InternalError("it failed"));
    result.retryable = true;
    for (Start& start : starts_) start.failed |= start.token == running.token;
  }
  running.done(std::move(result));
}

void DispatchWorld::Send(Call& call, int node) {
  call.sent = true;
  call.entered = node;
  pb::Command command = CommandOf(call.op);
  command.set_request_id(RequestId(1 + static_cast<uint64_t>(&call - calls_.data())));
  box(node).node->Write(std::move(command), ReplyTo::kWaiter,
                        [this, &call](WriteResult result) { OnAnswer(call, result); });
}

void DispatchWorld::OnAnswer(Call& call, const WriteResult& result) {
  if (call.lost) return;
  call.ended = true;
  call.acknowledged = result.ok() && result->code() == 0;
  if (!call.acknowledged || call.op == ClientOp::kResumeA) return;
  for (const pb::RunRef& ref : result->inflight()) call.under_way.insert(ref.token());
}

// What a node's closures were made of.
void DispatchWorld::Remember(const Step& step) {
  std::string what;
  bool of_both = false;
  switch (step.kind) {
    case StepKind::kDeliver:
    case StepKind::kDouble:
      what = frames_.at(step.which).bytes;
      break;
    case StepKind::kFinish:
    case StepKind::kFail:
      what = absl::StrCat(running_.at(step.which).token.value);
      break;
    case StepKind::kCommit:
      of_both = true;
      what = log_.proposals().front().command;
      break;
    case StepKind::kSecond:
      of_both = true;
      break;
    default:
      break;
  }
  absl::StrAppend(&what, " ", step.Pack() >> 8);
  for (const int number : {0, 1}) {
    uint64_t& history = box(number).history;
    if (of_both || step.node == number) history = Checksum64(what, history);
  }
}

void DispatchWorld::Take(Step step) {
  Remember(step);
  switch (step.kind) {
    case StepKind::kDeliver:
      Deliver(step.which, /*keep=*/false);
      break;
    case StepKind::kDouble:
      ++faults_;
      Deliver(step.which, /*keep=*/true);
      break;
    case StepKind::kLose:
      ++faults_;
      frames_.erase(frames_.begin() + step.which);
      break;
    case StepKind::kCut:
      ++cuts_;
      cut_for_ = kCutSeconds;
      frames_.clear();
      break;
    case StepKind::kCommit:
      log_.Commit();
      break;
    case StepKind::kFinish:
      Finish(step.which, false);
      break;
    case StepKind::kFail:
      ++failures_;
      Finish(step.which, true);
      break;
    case StepKind::kSecond:
      ++seconds_;
      loop_.Advance(absl::Seconds(1));
      cut_for_ = std::max(0, cut_for_ - 1);
      break;
    case StepKind::kElect:
      ++elections_;
      log_.Elect(step.node, step.which);
      break;
    case StepKind::kHear:
      log_.Hear(step.node);
      break;
    case StepKind::kCrash:
      ++crashes_;
      CrashNode(step.node);
      break;
    case StepKind::kRestart:
      Boot(step.node);
      break;
    case StepKind::kClient:
      Send(calls_.at(step.which), step.node);
      break;
  }
  loop_.RunReady();
}

}  // namespace scheduled::explore
