// The public Scheduler: over RocksDB and threads, and over memory and a ManualClock.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "scheduled/inproc_transport.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

const absl::Time kBegin = absl::FromUnixSeconds(1767225600);

class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "scheduled-XXXXXX").string();
    path_ = ::mkdtemp(path.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string path(const std::string& name = "data") const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Counts up, and lets a test wait for a number.
class Tally {
 public:
  void Add() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool WaitFor(int count, std::chrono::seconds limit = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return count_ >= count; });
  }
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

std::unique_ptr<Scheduler> OpenManual(std::shared_ptr<ManualClock> clock) {
  Options options;
  options.clock = std::move(clock);
  absl::StatusOr<std::unique_ptr<Scheduler>> scheduler = Scheduler::Open(std::move(options));
  INFO(scheduler.status().ToString());
  REQUIRE(scheduler.ok());
  return *std::move(scheduler);
}

std::unique_ptr<Scheduler> OpenOnDisk(const std::string& data_dir) {
  Options options;
  options.data_dir = data_dir;
  options.drain_timeout = absl::Seconds(5);
  if (std::getenv("SCHEDULED_TEST_LOG") != nullptr) {
    options.log = TextLogSink(stderr, LogLevel::kDebug);
  }
  absl::StatusOr<std::unique_ptr<Scheduler>> scheduler = Scheduler::Open(std::move(options));
  INFO(scheduler.status().ToString());
  REQUIRE(scheduler.ok());
  return *std::move(scheduler);
}

// --- ManualClock --------------------------------------------------------------------------------

TEST_CASE("a day of a job each minute passes under a manual clock, on a pool of real threads") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  std::atomic<int> runs{0};
  REQUIRE(scheduler
              ->Register("work", CallbackExecutor([&runs](const RunContext&) {
                           ++runs;
                           return absl::OkStatus();
                         }))
              .ok());
  REQUIRE(scheduler->Schedule(Job::Cron("* * * * *").Id("minutely").Executor("work")).ok());
  clock->Advance(absl::Hours(24));
  CHECK(runs == 24 * 60);
  CHECK(clock->WallNow() == kBegin + absl::Hours(24));
}

TEST_CASE("nothing runs before the manual clock says so") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  int runs = 0;
  class Counter : public Executor {
   public:
    explicit Counter(int* runs) : runs_(*runs) {}
    void Run(std::shared_ptr<const RunContext>, Done done) override {
      ++runs_;
      done(absl::OkStatus());
    }

   private:
    int& runs_;
  };
  REQUIRE(scheduler->Register("count", std::make_unique<Counter>(&runs)).ok());
  REQUIRE(scheduler->Schedule(Job::In(absl::Minutes(5)).Id("a").Executor("count")).ok());
  clock->Advance(absl::Minutes(5) - absl::Microseconds(1));
  CHECK(runs == 0);
  clock->Advance(absl::Microseconds(1));
  CHECK(runs == 1);
  CHECK(scheduler->Get(JobId("a"))->status == JobStatus::kCompleted);
}

TEST_CASE("each call of the facade does what its name says") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  const JobId id("a");
  const absl::StatusOr<JobInfo> created = scheduler->Schedule(
      Job::In(absl::Hours(1))
          .Id("a")
          .Webhook(
              WebhookTarget{.url = "http://localhost/x", .secret = "s3", .bearer_token = "t"}));
  REQUIRE(created.ok());
  CHECK(created->job.executor == "webhook");
  CHECK(created->job.webhook.secret.empty());
  CHECK(created->job.webhook.bearer_token.empty());
  CHECK(scheduler->Pause(id)->status == JobStatus::kPaused);
  CHECK(scheduler->Resume(id)->status == JobStatus::kPending);
  const absl::StatusOr<JobInfo> replaced =
      scheduler->Replace(Job::In(absl::Hours(2)).Id("a"), created->revision);
  REQUIRE(replaced.ok());
  CHECK(replaced->revision > created->revision);
  CHECK(absl::IsAborted(
      scheduler->Replace(Job::In(absl::Hours(3)).Id("a"), created->revision).status()));
  CHECK(scheduler->Trigger(id).ok());
  clock->Advance(absl::Seconds(1));
  CHECK(scheduler->Get(id)->status == JobStatus::kCompleted);
  CHECK(scheduler->Attempts(id)->back().status == JobStatus::kCompleted);
  CHECK(absl::IsFailedPrecondition(scheduler->Cancel(id).status()));
  CHECK(scheduler->counts().completed == 1);
  CHECK(scheduler->List({}, {})->jobs.size() == 1);
  CHECK(scheduler->List({.status = JobStatus::kCompleted}, {}, Consistency::kLinearizable)
            ->jobs.size() == 1);
  CHECK(scheduler->Delete(id).ok());
  CHECK(absl::IsNotFound(scheduler->Get(id).status()));
  CHECK(scheduler->cluster().role == Role::kLeader);
  CHECK(scheduler->statistics().created == 1);
  CHECK(scheduler->statistics().deleted == 1);
}

TEST_CASE("the completion overloads say the same") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  std::vector<std::string> said;
  const auto note = [&said](const char* what, const absl::Status& status) {
    said.push_back(std::string(what) + (status.ok() ? " ok" : " refused"));
  };
  const JobId id("a");
  scheduler->Schedule(Job::In(absl::Hours(1)).Id("a"), [&](auto r) { note("create", r.status()); });
  clock->Advance(absl::ZeroDuration());
  scheduler->Schedule(Job::In(absl::Hours(1)).Id("a"), [&](auto r) {
    note("again", r.status());
    CHECK(r->status == JobStatus::kPending);
  });
  clock->Advance(absl::ZeroDuration());
  scheduler->Pause(id, [&](auto r) { note("pause", r.status()); });
  scheduler->Resume(id, [&](auto r) { note("resume", r.status()); });
  scheduler->Get(id, Consistency::kLinearizable, [&](auto r) { note("get", r.status()); });
  clock->Advance(absl::ZeroDuration());
  scheduler->Cancel(id, "because", [&](auto r) {
    note("cancel", r.status());
    CHECK(r->cancellation_reason == "because");
  });
  clock->Advance(absl::ZeroDuration());
  scheduler->Delete(id, [&](absl::Status s) { note("delete", s); });
  clock->Advance(absl::ZeroDuration());
  scheduler->Trigger(id, [&](auto r) { note("trigger", r.status()); });
  scheduler->Schedule(Job(), [&](auto r) { note("nothing", r.status()); });
  clock->Advance(absl::ZeroDuration());
  std::sort(said.begin(), said.end());
  CHECK(said == std::vector<std::string>{"again ok", "cancel ok", "create ok", "delete ok",
                                         "get ok", "nothing refused", "pause ok", "resume ok",
                                         "trigger refused"});
}

TEST_CASE(
    "the idempotency key of a deleted job is answered as its create was, alone or in a batch") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  const auto keyed = [] { return Job::In(absl::Hours(1)).IdempotencyKey("k"); };
  const absl::StatusOr<JobInfo> first = scheduler->Schedule(keyed());
  REQUIRE(first.ok());
  REQUIRE(scheduler->Delete(first->job.id).ok());
  const auto check = [&](const absl::StatusOr<JobInfo>& again) {
    INFO(again.status().ToString());
    REQUIRE(again.ok());
    CHECK(again->job.id == first->job.id);
    CHECK(again->revision == first->revision);
    CHECK(again->created_at == first->created_at);
    CHECK(again->status == JobStatus::kPending);
  };
  const auto batch = [&] {
    std::vector<Job> jobs;
    jobs.push_back(keyed());
    jobs.push_back(Job::In(absl::Hours(1)));
    return jobs;
  };
  check(scheduler->Schedule(keyed()));
  const absl::StatusOr<std::vector<JobInfo>> infos = scheduler->ScheduleBatch(batch());
  REQUIRE(infos.ok());
  check(infos->front());
  int answers = 0;
  scheduler->Schedule(keyed(), [&](absl::StatusOr<JobInfo> again) { check(again), ++answers; });
  scheduler->ScheduleBatch(batch(), [&](absl::StatusOr<std::vector<JobInfo>> again) {
    REQUIRE(again.ok());
    check(again->front());
    ++answers;
  });
  clock->Advance(absl::ZeroDuration());
  CHECK(answers == 2);
  CHECK(scheduler->counts().jobs == 2);
  // Nor is a job that was made under its id since then taken for it.
  clock->Advance(absl::Seconds(1));
  REQUIRE(scheduler->Schedule(Job::In(absl::Hours(2)).Id(first->job.id.value)).ok());
  check(scheduler->Schedule(keyed()));
}

TEST_CASE("after a barrier a stale read has what was acknowledged before") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  REQUIRE(scheduler->Schedule(Job::In(absl::Hours(1)).Id("a")).ok());
  CHECK(scheduler->Barrier().ok());
  CHECK(scheduler->List({}, {})->jobs.size() == 1);
  bool reached = false;
  scheduler->Barrier([&](const absl::Status& status) { reached = status.ok(); });
  CHECK_FALSE(reached);
  clock->Advance(absl::ZeroDuration());
  CHECK(reached);
}

TEST_CASE("an executor that could not be made is refused with what stood in its way") {
  std::unique_ptr<Scheduler> scheduler = OpenManual(std::make_shared<ManualClock>(kBegin));
  const auto callback = [](const RunContext&) { return absl::OkStatus(); };
  const absl::Status refused =
      scheduler->Register("work", CallbackExecutor(callback, {.threads = 0}));
  CHECK(refused == absl::InvalidArgumentError("threads is 0; it needs to be 1 to 4096"));
  CHECK(absl::IsInvalidArgument(scheduler->Register("work", nullptr)));
  CHECK(scheduler->Register("work", CallbackExecutor(callback)).ok());
}

TEST_CASE("a batch is all or nothing, and is bounded") {
  auto clock = std::make_shared<ManualClock>(kBegin);
  std::unique_ptr<Scheduler> scheduler = OpenManual(clock);
  std::vector<Job> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back(Job::In(absl::Seconds(1)));
  const absl::StatusOr<std::vector<JobInfo>> infos = scheduler->ScheduleBatch(jobs);
  REQUIRE(infos.ok());
  CHECK(infos->size() == 1000);
  CHECK(scheduler->counts().jobs == 1000);
  jobs.resize(3);
  jobs[1].timeout = -absl::Seconds(1);
  const absl::Status refused = scheduler->ScheduleBatch(jobs).status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK(refused.message().find("job 1") != absl::string_view::npos);
  CHECK(scheduler->counts().jobs == 1000);
  jobs.assign(10'001, Job::In(absl::Seconds(1)));
  CHECK(absl::IsResourceExhausted(scheduler->ScheduleBatch(jobs).status()));
  jobs.assign(5, Job::In(absl::Seconds(1)).Payload(std::string(1 << 20, 'x')));
  CHECK(absl::IsResourceExhausted(scheduler->ScheduleBatch(jobs).status()));
  clock->Advance(absl::Seconds(2));
  CHECK(scheduler->counts().completed == 1000);
}

TEST_CASE("options are refused by field, value and bound") {
  const auto refused = [](std::function<void(Options*)> change) {
    Options options;
    options.data_dir = "/nowhere";
    change(&options);
    return std::string(options.Validate().message());
  };
  CHECK(refused([](Options*) {}).empty());
  CHECK(refused([](Options* o) { o->data_dir.clear(); }).find("data_dir") == 0);
  CHECK(refused([](Options* o) { o->node_id = NodeId("a b"); }).find("node_id") == 0);
  CHECK(refused([](Options* o) { o->peers[NodeId("n2")] = "x"; }).find("peers") == 0);
  CHECK(refused([](Options* o) { o->claim_ahead = absl::Seconds(2); }).find("claim_ahead is 2s") ==
        0);
  CHECK(refused([](Options* o) {
          o->election_timeout = absl::Milliseconds(200);
        }).find("election_timeout") == 0);
  CHECK(refused([](Options* o) {
          o->heartbeat_interval = absl::Seconds(1);
        }).find("heartbeat_interval") == 0);
  CHECK(refused([](Options* o) {
          o->clock = std::make_shared<ManualClock>();
        }).find("data_dir has to be empty") == 0);
}

// --- On disk ------------------------------------------------------------------------------------

TEST_CASE("a job runs on threads, on time, and is there after a restart") {
  TempDir dir;
  Tally ran;
  absl::Duration late;
  {
    std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
    REQUIRE(scheduler
                ->Register("work", CallbackExecutor([&](const RunContext& run) {
                             late = absl::Now() - run.due;
                             ran.Add();
                             return absl::OkStatus();
                           }))
                .ok());
    CHECK(absl::IsAlreadyExists(scheduler->Register(
        "noop", CallbackExecutor([](const auto&) { return absl::OkStatus(); }))));
    REQUIRE(scheduler->Schedule(Job::In(absl::Milliseconds(200)).Id("a").Executor("work")).ok());
    REQUIRE(ran.WaitFor(1));
    CHECK(late >= absl::ZeroDuration());
    REQUIRE(scheduler->Schedule(Job::In(absl::Hours(1)).Id("later")).ok());
  }
  std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
  CHECK(scheduler->Get(JobId("a"))->status == JobStatus::kCompleted);
  CHECK(scheduler->Get(JobId("later"))->status == JobStatus::kPending);
  CHECK(ran.count() == 1);
}

TEST_CASE("closing waits for what runs") {
  TempDir dir;
  std::atomic<bool> ended{false};
  std::promise<void> closing;
  Tally began;
  {
    std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
    REQUIRE(scheduler
                ->Register("work", CallbackExecutor([&](const RunContext&) {
                             began.Add();
                             closing.get_future().wait();
                             // Long enough for a close that does not wait to be through before,
                             // and well within the time that one waits.
                             const absl::Time enough = absl::Now() + absl::Seconds(1);
                             for (int i = 0; i < 2'000 && absl::Now() < enough; ++i) {
                               std::this_thread::yield();
                             }
                             ended = true;
                             return absl::OkStatus();
                           }))
                .ok());
    REQUIRE(scheduler->Schedule(Job::In(absl::ZeroDuration()).Id("a").Executor("work")).ok());
    REQUIRE(began.WaitFor(1));
    closing.set_value();
  }
  CHECK(ended);
  std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
  CHECK(scheduler->Get(JobId("a"))->status == JobStatus::kCompleted);
}

TEST_CASE("a second scheduler on the same directory is refused") {
  TempDir dir;
  std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
  Options options;
  options.data_dir = dir.path();
  CHECK(absl::IsFailedPrecondition(Scheduler::Open(std::move(options)).status()));
}

TEST_CASE("a directory of another node is refused") {
  TempDir dir;
  OpenOnDisk(dir.path()).reset();
  Options options;
  options.data_dir = dir.path();
  options.node_id = NodeId("another");
  CHECK(absl::IsFailedPrecondition(Scheduler::Open(std::move(options)).status()));
}

TEST_CASE("many callers at once all get their answers, and every job runs") {
  TempDir dir;
  Tally ran;
  std::unique_ptr<Scheduler> scheduler = OpenOnDisk(dir.path());
  REQUIRE(scheduler
              ->Register("work", CallbackExecutor(
                                     [&](const RunContext&) {
                                       ran.Add();
                                       return absl::OkStatus();
                                     },
                                     {.threads = 4, .capacity = 256}))
              .ok());
  constexpr int kCallers = 8;
  constexpr int kEach = 50;
  std::atomic<int> refused{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        refused += !scheduler->Schedule(Job::In(absl::Milliseconds(50)).Executor("work")).ok();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(refused == 0);
  CHECK(ran.WaitFor(kCallers * kEach));
}

TEST_CASE("two schedulers in one process do not know each other") {
  TempDir dir;
  std::unique_ptr<Scheduler> a = OpenOnDisk(dir.path("a"));
  std::unique_ptr<Scheduler> b = OpenOnDisk(dir.path("b"));
  REQUIRE(a->Schedule(Job::In(absl::Hours(1)).Id("x")).ok());
  CHECK(absl::IsNotFound(b->Get(JobId("x")).status()));
}

TEST_CASE("three replicas in one process: any of them takes a job, and survives the leader") {
  TempDir dir;
  InprocNetwork network;
  const std::map<NodeId, std::string> peers = {
      {NodeId("a"), "a"}, {NodeId("b"), "b"}, {NodeId("c"), "c"}};
  Tally ran;
  std::map<NodeId, std::unique_ptr<Scheduler>> nodes;
  for (const auto& [id, address] : peers) {
    Options options;
    options.data_dir = dir.path(id.value);
    options.node_id = id;
    options.peers = peers;
    options.transport = network.NewTransport();
    options.drain_timeout = absl::Seconds(2);
    absl::StatusOr<std::unique_ptr<Scheduler>> node = Scheduler::Open(std::move(options));
    INFO(node.status().ToString());
    REQUIRE(node.ok());
    nodes[id] = *std::move(node);
    REQUIRE(nodes[id]
                ->Register("work", CallbackExecutor([&](const RunContext&) {
                             ran.Add();
                             return absl::OkStatus();
                           }))
                .ok());
  }
  int number = 0;
  for (auto& [id, node] : nodes) {
    const absl::StatusOr<JobInfo> created = node->Schedule(
        Job::In(absl::Milliseconds(100)).Id("job-" + std::to_string(number++)).Executor("work"));
    INFO(created.status().ToString());
    REQUIRE(created.ok());
  }
  REQUIRE(ran.WaitFor(3));
  const NodeId leader = nodes.begin()->second->cluster().leader;
  REQUIRE(nodes.contains(leader));
  nodes.erase(leader);
  for (auto& [id, node] : nodes) {
    REQUIRE(node->Schedule(Job::In(absl::Milliseconds(100)).Executor("work")).ok());
    CHECK(node->Get(JobId("job-0"))->status == JobStatus::kCompleted);
  }
  CHECK(ran.WaitFor(5));
}

}  // namespace
}  // namespace scheduled
