// A node's side of its session, against a leader that is played by the test: rules 8, 9 and 13 of
// dispatch.md, message by message.
#include "scheduler/worker.h"

#include <catch2/catch.hpp>
#include <set>

#include "base/virtual_runtime.h"
#include "scheduler/peer_codec.h"

namespace scheduled {
namespace {

using Verdict = HeartbeatAnswerMessage::Verdict;

const NodeId kLeader("leader");

class FakeExecutor : public Executor {
 public:
  explicit FakeExecutor(std::vector<std::pair<std::shared_ptr<const RunContext>, Done>>* runs)
      : runs_(*runs) {}
  void Run(std::shared_ptr<const RunContext> run, Done done) override {
    runs_.emplace_back(std::move(run), std::move(done));
  }

 private:
  std::vector<std::pair<std::shared_ptr<const RunContext>, Done>>& runs_;
};

struct WorkerStage {
  WorkerStage() {
    runtime = loop.NewRuntime("node");
    lane = runtime->NewLane("dispatch");
    WorkerParts parts;
    parts.runtime = runtime.get();
    parts.dispatch = lane.get();
    parts.statistics = &statistics;
    parts.send = [this](const NodeId& to, PeerMessage message) {
      REQUIRE(to == kLeader);
      sent.push_back(std::move(message));
    };
    parts.run_id = [](RunNumber run) { return "run-" + std::to_string(run.value); };
    worker = std::make_unique<Worker>(
        WorkerOptions{NodeId("node"), BootCounter(4), /*alone=*/false, false, 1}, std::move(parts));
    REQUIRE(worker->Register("work", std::make_unique<FakeExecutor>(&runs)).ok());
    On([this] { worker->SetLeader(kLeader, Term(9)); });
  }
  ~WorkerStage() {
    runs.clear();
    lane->Stop();
  }

  void On(std::function<void()> work) {
    lane->Post([work = std::move(work)] { work(); });
    loop.RunReady();
    worker->CheckInvariants();
  }
  void Run(absl::Duration duration) {
    loop.RunUntil(loop.now() + duration);
    worker->CheckInvariants();
  }

  // The last message of a kind that was sent.
  template <typename T>
  const T& Last() {
    for (auto it = sent.rbegin(); it != sent.rend(); ++it) {
      if (const T* message = std::get_if<T>(&*it)) return *message;
    }
    FAIL("such a message was sent");
    throw 0;
  }

  void Answer(Verdict verdict, SessionId session, Term term = Term(7), uint64_t sequence = 0) {
    if (sequence == 0) sequence = Last<HeartbeatMessage>().sequence;
    On([=, this] {
      worker->OnHeartbeatAnswer(kLeader, {term, session, BootCounter(4), sequence, verdict});
    });
  }
  // Until it may take runs.
  void Open(SessionId session = SessionId(50)) {
    Answer(Verdict::kOpened, session);
    Answer(Verdict::kAcknowledged, session);
    REQUIRE(worker->CanTake());
  }
  ChannelItem Reconcile() { return {1, ReconcileRequest{}}; }
  ChannelItem Start(uint64_t number, uint64_t run, std::string executor = "work") {
    StartRequest start;
    start.key = Key(run);
    start.due = start.ready = runtime->clock().WallNow();
    start.job = std::make_shared<const Job>(
        Job::In(absl::Seconds(1)).Id("job").Executor(std::move(executor)));
    return {number, start};
  }
  static RunKey Key(uint64_t run) { return {JobId("job"), RunNumber(run), FencingToken(90)}; }
  void Say(std::vector<ChannelItem> items, Term term = Term(7), SessionId session = SessionId(50)) {
    On([=, this] { worker->OnChannel(kLeader, {term, session, items}); });
  }
  uint64_t taken() { return Last<ReportMessage>().taken; }
  size_t Reports() {
    return std::count_if(sent.begin(), sent.end(), [](const PeerMessage& message) {
      return std::holds_alternative<ReportMessage>(message);
    });
  }

  VirtualLoop loop;
  std::unique_ptr<VirtualRuntime> runtime;
  std::unique_ptr<Lane> lane;
  RunStatistics statistics;
  std::vector<PeerMessage> sent;
  std::vector<std::pair<std::shared_ptr<const RunContext>, Done>> runs;
  std::unique_ptr<Worker> worker;
};

TEST_CASE("a node without a session asks for one until it gets it") {
  WorkerStage stage;
  CHECK(stage.Last<HeartbeatMessage>().session == SessionId());
  CHECK(stage.Last<HeartbeatMessage>().boot == BootCounter(4));
  stage.sent.clear();
  stage.Run(absl::Milliseconds(250));
  CHECK(stage.Last<HeartbeatMessage>().session == SessionId());
  stage.Answer(Verdict::kOpened, SessionId(50));
  CHECK(stage.worker->session() == SessionId(50));
  CHECK(stage.Last<HeartbeatMessage>().session == SessionId(50));  // at once
}

TEST_CASE("no Start is taken before the first acknowledged heartbeat of the session") {
  WorkerStage stage;
  stage.Answer(Verdict::kOpened, SessionId(50));
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  CHECK(stage.taken() == 1);
  CHECK(stage.runs.empty());
  stage.Answer(Verdict::kAcknowledged, SessionId(50));
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  CHECK(stage.taken() == 2);
  CHECK(stage.runs.size() == 1);
}

TEST_CASE("an acknowledgement of a heartbeat that was sent for another session counts nothing") {
  WorkerStage stage;
  const uint64_t old = stage.Last<HeartbeatMessage>().sequence;
  stage.Answer(Verdict::kOpened, SessionId(50));
  stage.Answer(Verdict::kAcknowledged, SessionId(50), Term(7), old);
  CHECK_FALSE(stage.worker->CanTake());
}

TEST_CASE("no Start is taken once the last acknowledged heartbeat was sent 1.5 s ago") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()});
  stage.Run(absl::Milliseconds(1490));
  CHECK(stage.worker->CanTake());
  stage.Run(absl::Milliseconds(20));
  CHECK_FALSE(stage.worker->CanTake());
  stage.Say({stage.Start(2, 1)});
  CHECK(stage.taken() == 1);
  CHECK(stage.runs.empty());
  // It counts from when the heartbeat was sent, not from when its answer came.
  stage.sent.clear();
  stage.Run(absl::Milliseconds(200));
  const uint64_t sequence = stage.Last<HeartbeatMessage>().sequence;
  stage.Run(absl::Milliseconds(1250));
  stage.Answer(Verdict::kAcknowledged, SessionId(50), Term(7), sequence);
  CHECK(stage.worker->CanTake());
  stage.Run(absl::Milliseconds(300));
  CHECK_FALSE(stage.worker->CanTake());
}

TEST_CASE("messages are taken in order, each once, and none behind a gap") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  stage.Say({stage.Start(2, 1)});  // again
  CHECK(stage.runs.size() == 1);
  stage.Say({stage.Start(4, 3)});  // a gap
  CHECK(stage.taken() == 2);
  CHECK(stage.runs.size() == 1);
  stage.Say({stage.Start(3, 2), stage.Start(4, 3)});
  CHECK(stage.taken() == 4);
  CHECK(stage.runs.size() == 3);
}

TEST_CASE("a channel that does not begin with Reconcile is not taken") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Start(1, 1)});
  CHECK(stage.taken() == 0);
  CHECK(stage.runs.empty());
}

TEST_CASE("what is for another session or of a smaller term is not even answered") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()}, Term(9));
  const size_t reports = stage.Reports();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)}, Term(8));
  stage.Say({stage.Reconcile(), stage.Start(2, 1)}, Term(9), SessionId(51));
  CHECK(stage.Reports() == reports);
  CHECK(stage.runs.empty());
}

TEST_CASE("a Start of the old leader is refused once the new one has asked, before its answer") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)}, Term(7));
  stage.Say({stage.Reconcile()}, Term(8));
  CHECK(stage.Last<ReportMessage>().term == Term(8));
  REQUIRE(stage.Last<ReportMessage>().runs.size() == 1);
  stage.Say({stage.Start(3, 2)}, Term(7));
  CHECK(stage.runs.size() == 1);
}

// Fault 45: the answer would be that it has taken nothing, and then it took something.
TEST_CASE("a Start of the old leader right behind the new one's Reconcile is refused, too") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()}, Term(7));
  stage.On([&] {
    stage.worker->OnChannel(kLeader, {Term(8), SessionId(50), {stage.Reconcile()}});
    stage.worker->OnChannel(kLeader, {Term(7), SessionId(50), {stage.Start(2, 1)}});
  });
  CHECK(stage.Last<ReportMessage>().term == Term(8));
  CHECK(stage.Last<ReportMessage>().runs.empty());
  CHECK(stage.runs.empty());
}

TEST_CASE("Reconcile lists every Start that was taken and the outcomes that are kept") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1), stage.Start(3, 2)});
  stage.runs[0].second(absl::OkStatus());
  stage.loop.RunReady();
  stage.Say({stage.Reconcile()}, Term(8));
  ReportMessage report = stage.Last<ReportMessage>();
  CHECK(report.reconcile);
  CHECK(report.runs == std::vector<RunKey>{WorkerStage::Key(1), WorkerStage::Key(2)});
  REQUIRE(report.outcomes.size() == 1);
  CHECK(report.outcomes[0].key == WorkerStage::Key(1));
  // Its answer was lost: it comes again, and so does the list, with what was taken since.
  stage.Say({stage.Reconcile(), stage.Start(2, 3)}, Term(8));
  stage.Say({stage.Reconcile()}, Term(8));
  report = stage.Last<ReportMessage>();
  CHECK(report.reconcile);
  CHECK(report.runs.size() == 3);
}

TEST_CASE("an outcome is kept and sent again until the leader says that it is in the log") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  stage.sent.clear();
  stage.runs[0].second(absl::InternalError("it failed"));
  stage.loop.RunReady();
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK_FALSE(stage.worker->IsQuiet());
  stage.sent.clear();
  stage.Run(absl::Milliseconds(700));
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK(stage.Last<ReportMessage>().outcomes[0].key == WorkerStage::Key(1));
  stage.Answer(Verdict::kAcknowledged, SessionId(50));
  stage.Say({{3, OutcomeToldRequest{WorkerStage::Key(1), false}}});
  CHECK(stage.worker->IsQuiet());
  stage.sent.clear();
  stage.Run(absl::Milliseconds(700));
  CHECK(stage.Reports() == 0);
}

TEST_CASE("a closed session stops what runs, drops what was kept and is never taken up again") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1), stage.Start(3, 2)});
  stage.runs[1].second(absl::OkStatus());
  stage.loop.RunReady();
  stage.Answer(Verdict::kClosed, SessionId(50));
  CHECK(stage.runs[0].first->cancelled());
  CHECK(stage.worker->IsQuiet());
  CHECK(stage.worker->session() == SessionId());
  CHECK(stage.Last<HeartbeatMessage>().session == SessionId());  // asks for the next at once
  stage.Answer(Verdict::kOpened, SessionId(50));                 // a late answer
  CHECK(stage.worker->session() == SessionId());
  stage.Answer(Verdict::kOpened, SessionId(60));
  CHECK(stage.worker->session() == SessionId(60));
  // The run of the lost session ends: nobody is told.
  stage.sent.clear();
  stage.runs[0].second(absl::OkStatus());
  stage.loop.RunReady();
  CHECK(stage.Reports() == 0);
}

TEST_CASE("answers of smaller terms and of other boots are ignored") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()}, Term(9));
  stage.Answer(Verdict::kClosed, SessionId(50), Term(8));
  CHECK(stage.worker->session() == SessionId(50));
  stage.On([&] {
    stage.worker->OnHeartbeatAnswer(kLeader,
                                    {Term(9), SessionId(50), BootCounter(3), 1, Verdict::kClosed});
  });
  CHECK(stage.worker->session() == SessionId(50));
}

TEST_CASE("a cancellation reaches the run that it names") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1), stage.Start(3, 2)});
  bool called = false;
  stage.runs[1].first->OnCancel([&called] { called = true; });
  stage.Say({{4, CancelRequest{WorkerStage::Key(2)}}});
  CHECK_FALSE(stage.runs[0].first->cancelled());
  CHECK(stage.runs[1].first->cancelled());
  CHECK(called);
  stage.runs[1].second(absl::CancelledError("stopped"));
  stage.loop.RunReady();
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK(stage.Last<ReportMessage>().outcomes[0].status == JobStatus::kCancelled);
}

TEST_CASE("an answer that came in time counts, although the run's deadline is looked at first") {
  WorkerStage stage;
  stage.Open();
  ChannelItem start = stage.Start(2, 1);
  const absl::Duration timeout = std::get<StartRequest>(start.body).job->timeout;
  // It was there before the deadline's timer, and what it tells comes behind that.
  const std::unique_ptr<Lane> beside = stage.runtime->NewLane("beside");
  beside->PostAt(stage.runtime->clock().MonoNow() + timeout,
                 [&] { stage.runs[0].second(absl::OkStatus()); });
  stage.Say({stage.Reconcile(), std::move(start)});
  stage.Run(timeout);
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK(stage.Last<ReportMessage>().outcomes[0].status == JobStatus::kCompleted);
  beside->Stop();
}

TEST_CASE("a run that has ended is not handed back, although its answer still waits") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  stage.On([&] {
    stage.runs[0].second(absl::OkStatus());
    stage.worker->HandBack();
  });
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK(stage.Last<ReportMessage>().outcomes[0].status == JobStatus::kCompleted);
}

TEST_CASE("a Start for an executor that is not here is taken, and handed back uncounted") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1, "elsewhere"), stage.Start(3, 2)});
  CHECK(stage.taken() == 3);
  CHECK(stage.runs.size() == 1);
  const auto outcome = std::find_if(stage.sent.begin(), stage.sent.end(), [](const PeerMessage& m) {
    const auto* report = std::get_if<ReportMessage>(&m);
    return report != nullptr && !report->outcomes.empty();
  });
  REQUIRE(outcome != stage.sent.end());
  CHECK(std::get<ReportMessage>(*outcome).outcomes[0].uncounted);
  CHECK(std::get<ReportMessage>(*outcome).outcomes[0].retryable);
}

TEST_CASE("a run whose answer was dropped has failed") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  stage.runs.clear();
  stage.loop.RunReady();
  REQUIRE(stage.Last<ReportMessage>().outcomes.size() == 1);
  CHECK(stage.Last<ReportMessage>().outcomes[0].status == JobStatus::kFailed);
  CHECK(stage.Last<ReportMessage>().outcomes[0].retryable);
}

TEST_CASE("what a node says that does not lead changes nothing, whatever term it claims") {
  WorkerStage stage;
  stage.Open();
  const size_t reports = stage.Reports();
  const NodeId other("other");
  const Term huge(uint64_t{1} << 62);
  stage.On([&] { stage.worker->OnChannel(other, {huge, SessionId(50), {stage.Reconcile()}}); });
  stage.On([&] {
    stage.worker->OnHeartbeatAnswer(other,
                                    {huge, SessionId(50), BootCounter(4), 0, Verdict::kClosed});
  });
  CHECK(stage.Reports() == reports);
  CHECK(stage.worker->session() == SessionId(50));
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  CHECK(stage.taken() == 2);
  CHECK(stage.runs.size() == 1);
}

TEST_CASE("a channel of a term that Raft has not told of yet is taken once it has") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()}, Term(10));
  CHECK(stage.Reports() == 0);
  stage.On([&] { stage.worker->SetLeader(kLeader, Term(10)); });
  stage.Say({stage.Reconcile()}, Term(10));
  CHECK(stage.taken() == 1);
}

TEST_CASE("many outcomes go out in reports that a transport can take, the list of runs in one") {
  constexpr uint64_t kRuns = 900;
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile()});
  for (uint64_t run = 1; run <= kRuns; ++run) stage.Say({stage.Start(run + 1, run)});
  REQUIRE(stage.runs.size() == kRuns);
  stage.On([&] { stage.worker->SetLeader(NodeId(), Term(9)); });
  for (auto& [run, done] : stage.runs) {
    RunResult failed(absl::InternalError(std::string(5000, 'm')));
    failed.response = std::string(5000, 'r');
    done(std::move(failed));
  }
  stage.runs.clear();
  stage.Run(absl::Milliseconds(10));
  stage.sent.clear();

  const auto look = [&stage] {
    std::set<RunKey> outcomes;
    for (const PeerMessage& message : stage.sent) {
      const auto* report = std::get_if<ReportMessage>(&message);
      if (report == nullptr) continue;
      CHECK(report->outcomes.size() <= 256);
      const std::string frame = EncodePeerMessage(message);
      CHECK(frame.size() <= (size_t{5} << 20) / 4);
      CHECK(DecodePeerMessage(frame).ok());
      for (const OutcomeMessage& outcome : report->outcomes) outcomes.insert(outcome.key);
    }
    return outcomes.size();
  };
  SECTION("in answer to Reconcile") {
    stage.On([&] { stage.worker->SetLeader(kLeader, Term(9)); });
    stage.sent.clear();
    stage.Say({stage.Reconcile()}, Term(8));
    CHECK(look() == kRuns);
    const auto answer = std::find_if(stage.sent.begin(), stage.sent.end(), [](const auto& message) {
      return std::holds_alternative<ReportMessage>(message);
    });
    REQUIRE(answer != stage.sent.end());
    // A run that has ended stands in the list until its outcome is in the log: one whose outcome
    // is lost on the way was started all the same.
    CHECK(std::get<ReportMessage>(*answer).reconcile);
    CHECK(std::get<ReportMessage>(*answer).runs.size() == kRuns);
  }
  SECTION("again after a while") {
    stage.On([&] { stage.worker->SetLeader(kLeader, Term(9)); });
    stage.sent.clear();
    stage.Run(Worker::kOutcomeResend + Worker::kHeartbeatInterval);
    CHECK(look() == kRuns);
  }
}

TEST_CASE("what an executor says is recorded, long answers cut") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  RunResult result(absl::UnavailableError(std::string(5000, 'm')));
  result.http_status = 503;
  result.error_type = "http_error";
  result.response = std::string(5000, 'r');
  result.retry_after = absl::Seconds(7);
  stage.runs[0].second(std::move(result));
  stage.loop.RunReady();
  const OutcomeMessage outcome = stage.Last<ReportMessage>().outcomes.at(0);
  CHECK(outcome.retry_after == absl::Seconds(7));
  CHECK(outcome.record.http_status() == 503);
  CHECK(outcome.record.error_type() == "http_error");
  CHECK(outcome.record.error_message().size() == 1024);
  CHECK(outcome.record.response().size() == 1024);
  CHECK(outcome.record.node_id() == "node");
}

TEST_CASE("an executor's name is one that a job can have") {
  WorkerStage stage;
  std::vector<std::pair<std::shared_ptr<const RunContext>, Done>> runs;
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("\xff"), std::string(129, 'x')}) {
    CHECK(absl::IsInvalidArgument(
        stage.worker->Register(name, std::make_unique<FakeExecutor>(&runs))));
  }
  CHECK(stage.worker->Register(std::string(128, 'x'), std::make_unique<FakeExecutor>(&runs)).ok());
}

TEST_CASE("an answer after the worker is gone goes nowhere") {
  WorkerStage stage;
  stage.Open();
  stage.Say({stage.Reconcile(), stage.Start(2, 1)});
  const size_t reports = stage.Reports();
  stage.worker.reset();
  CHECK(stage.runs[0].first->cancelled());
  stage.runs[0].second(absl::OkStatus());
  stage.runs.clear();
  stage.loop.RunReady();
  CHECK(stage.Reports() == reports);
}

}  // namespace
}  // namespace scheduled
