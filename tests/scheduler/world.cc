// See world.h.
#include "scheduler/world.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace scheduled::test {

World::World(int count, std::function<void(NodeOptions*)> change, uint64_t seed)
    : loop_({.seed = seed, .wall_start = kBegin}), network_(&loop_) {
  std::map<NodeId, std::string> peers;
  for (int i = 1; i <= count && count > 1; ++i) {
    const NodeId id("n" + std::to_string(i));
    peers[id] = id.value;
  }
  for (int i = 1; i <= count; ++i) {
    logs_.push_back(std::make_unique<MemoryLogStore>());
    tables_.push_back(std::make_unique<FaultyTables>());
    NodeOptions options;
    options.node_id = NodeId("n" + std::to_string(i));
    options.peers = peers;
    options.boot = BootCounter(0);
    if (change) change(&options);
    patience_ = absl::Seconds(10) + 5 * options.election_timeout;
    NodeBox::Parts parts{&loop_, logs_.back().get(), tables_.back().get(), nullptr};
    if (count > 1) {
      parts.new_transport = [this](VirtualRuntime*) { return network_.NewTransport(); };
    }
    boxes_.push_back(std::make_unique<NodeBox>(std::move(options), std::move(parts)));
    boxes_.back()->Serve("work",
                         [this](const SeenRun& seen, Done done) { Handle(seen, std::move(done)); });
  }
  loop_.SetAfterEvent([this] {
    for (auto& box : boxes_) {
      if (box->is_up()) box->node().CheckInvariants();
    }
  });
  for (auto& box : boxes_) REQUIRE(box->Start().ok());
  REQUIRE(RunUntil([this] { return HasLeader(); }));
  for (auto& box : boxes_) {
    REQUIRE(RunUntil([&box] { return box->node().worker().CanTake(); }));
  }
}

World::~World() {
  loop_.SetAfterEvent(nullptr);
  for (auto& box : boxes_) box->Crash();
}

bool World::HasLeader() {
  for (auto& box : boxes_) {
    if (box->leads() && !box->runtime().paused() && box->node().HasLease() &&
        box->node().worker().CanTake()) {
      return true;
    }
  }
  return false;
}

NodeBox& World::leader() {
  REQUIRE(RunUntil([this] { return HasLeader(); }));
  for (auto& box : boxes_) {
    if (box->leads() && !box->runtime().paused() && box->node().HasLease()) return *box;
  }
  FAIL("somebody leads");
  return *boxes_.front();
}

NodeBox& World::follower() {
  NodeBox& leads = leader();
  for (auto& box : boxes_) {
    if (box.get() != &leads && box->is_up()) return *box;
  }
  FAIL("somebody follows");
  return *boxes_.front();
}

void World::Isolate(NodeBox& box) {
  for (auto& other : boxes_) {
    if (other.get() != &box) network_.Cut(box.id(), other->id());
  }
}

bool World::SomebodyElseLeads(const NodeBox& old) {
  return std::any_of(boxes_.begin(), boxes_.end(), [&old](const auto& box) {
    return box.get() != &old && box->leads() && box->node().HasLease();
  });
}

std::map<std::string, int> World::CountSeen() const {
  std::map<std::string, int> counts;
  for (const SeenRun& run : seen_) ++counts[run.run->job_id.value];
  return counts;
}

bool World::RunUntil(const std::function<bool()>& holds, absl::Duration limit) {
  const MonoTime end = loop_.now() + limit;
  while (!holds()) {
    const std::optional<MonoTime> next = loop_.next_event_time();
    if (!next || *next > end) {
      loop_.RunUntil(end);
      return holds();
    }
    loop_.RunOne();
  }
  return true;
}

void World::Handle(const SeenRun& seen, Done done) {
  seen_.push_back(seen);
  if (handler_) {
    handler_(seen, std::move(done));
  } else {
    done(absl::OkStatus());
  }
}

Handler World::KeepDone() {
  return [this](const SeenRun& seen, Done done) {
    kept_.insert_or_assign(seen.run->job_id.value, std::move(done));
  };
}

std::shared_ptr<std::optional<WriteResult>> World::BeginWrite(NodeBox& at, pb::Command command) {
  auto result = std::make_shared<std::optional<WriteResult>>();
  at.node().Write(std::move(command), ReplyTo::kWaiter,
                  [result](WriteResult r) { result->emplace(std::move(r)); });
  return result;
}

WriteResult World::Finish(const std::shared_ptr<std::optional<WriteResult>>& result) {
  REQUIRE(RunUntil([&] { return result->has_value(); }, absl::Seconds(30)));
  if ((*result)->ok() && (**result)->code() != 0) return ToStatus(***result);
  return **result;
}

absl::StatusOr<JobInfo> World::Schedule(NodeBox& at, Job job) {
  absl::StatusOr<std::vector<JobInfo>> infos = ScheduleBatch(at, {std::move(job)});
  if (!infos.ok()) return infos.status();
  return infos->front();
}

absl::StatusOr<std::vector<JobInfo>> World::ScheduleBatch(NodeBox& at, std::vector<Job> jobs) {
  absl::StatusOr<pb::Command> command =
      MakeCreate(jobs, [&at] { return at.node().NewId().ToString(); });
  if (!command.ok()) return command.status();
  const WriteResult result = Finish(BeginWrite(at, *std::move(command)));
  if (!result.ok()) return result.status();
  std::vector<JobInfo> infos;
  for (size_t i = 0; i < jobs.size(); ++i) {
    infos.push_back(ToInfo(jobs[i], result->jobs(static_cast<int>(i))));
  }
  return infos;
}

std::shared_ptr<std::optional<WriteResult>> World::BeginSchedule(NodeBox& at, Job job) {
  std::vector<Job> jobs = {std::move(job)};
  absl::StatusOr<pb::Command> command =
      MakeCreate(jobs, [&at] { return at.node().NewId().ToString(); });
  REQUIRE(command.ok());
  return BeginWrite(at, *std::move(command));
}

WriteResult World::Do(NodeBox& at, JobVerb verb, std::string_view id) {
  return Finish(Begin(at, verb, id));
}

std::shared_ptr<std::optional<WriteResult>> World::Begin(NodeBox& at, JobVerb verb,
                                                         std::string_view id) {
  absl::StatusOr<pb::Command> command = MakeVerb(verb, JobId(std::string(id)), "test");
  REQUIRE(command.ok());
  return BeginWrite(at, *std::move(command));
}

WriteResult World::Replace(Job job, std::optional<Revision> if_match) {
  absl::StatusOr<pb::Command> command = MakeReplace(job, if_match);
  if (!command.ok()) return command.status();
  return Finish(BeginWrite(leader(), *std::move(command)));
}

absl::StatusOr<JobInfo> World::Get(std::string_view id) {
  NodeBox& at = leader();
  auto reached = std::make_shared<std::optional<absl::Status>>();
  at.node().Barrier(ReplyTo::kWaiter,
                    [reached](absl::Status s) { reached->emplace(std::move(s)); });
  REQUIRE(RunUntil([&] { return reached->has_value(); }));
  if (!(*reached)->ok()) return **reached;
  return at.node().queries()->Get(id);
}

JobStatus World::StatusOf(std::string_view id) {
  const absl::StatusOr<JobInfo> info = Get(id);
  INFO(info.status().ToString());
  REQUIRE(info.ok());
  return info->status;
}

std::vector<Attempt> World::Attempts(std::string_view id) {
  const absl::StatusOr<JobInfo> barrier = Get(id);
  INFO(barrier.status().ToString());
  absl::StatusOr<std::vector<Attempt>> attempts = leader().node().queries()->Attempts(id);
  INFO(attempts.status().ToString());
  REQUIRE(attempts.ok());
  return *std::move(attempts);
}

}  // namespace scheduled::test
