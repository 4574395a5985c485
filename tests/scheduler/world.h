// A small world: one node or three on a virtual loop, over memory stores and a virtual network,
// with one executor, "work", whose runs it records. Tests speak in its verbs; time passes only in
// Run and in calls that wait. After every event the invariants of every node are checked.
#ifndef SCHEDULED_TESTS_SCHEDULER_WORLD_H_
#define SCHEDULED_TESTS_SCHEDULER_WORLD_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/virtual_loop.h"
#include "scheduler/faulty_tables.h"
#include "scheduler/node_box.h"
#include "scheduler/virtual_network.h"
#include "storage/memory_log_store.h"

namespace scheduled::test {

inline absl::Time kBegin = absl::FromUnixSeconds(1767225600);  // 2026-01-01

class World {
 public:
  // Nodes n1 to n<count>; all started: one of them leads when it returns, each has a session.
  explicit World(int count = 1, std::function<void(NodeOptions*)> change = nullptr,
                 uint64_t seed = 1);
  ~World();

  VirtualLoop& loop() { return loop_; }
  VirtualNetwork& network() { return network_; }
  NodeBox& node(int number) { return *boxes_.at(number - 1); }
  NodeBox& leader();
  NodeBox& follower();  // the first of those that do not lead
  FaultyTables* tables(int number) { return tables_.at(number - 1).get(); }
  LogStore* log(int number) { return logs_.at(number - 1).get(); }
  int count() const { return static_cast<int>(boxes_.size()); }
  // Cuts a node off from all others.
  void Isolate(NodeBox& box);

  absl::Time now() const { return loop_.WallNow(); }
  void Run(absl::Duration duration) { loop_.RunUntil(loop_.now() + duration); }
  // Runs until it holds; false if it does not within `limit`; by default, what the slowest election
  // takes and some more.
  bool RunUntil(const std::function<bool()>& holds) { return RunUntil(holds, patience_); }
  bool RunUntil(const std::function<bool()>& holds, absl::Duration limit);
  bool HasLeader();
  // Another one than `old` leads, with a lease.
  bool SomebodyElseLeads(const NodeBox& old);

  // Clients: each call runs the world until it is answered.
  absl::StatusOr<JobInfo> Schedule(Job job) { return Schedule(leader(), std::move(job)); }
  absl::StatusOr<JobInfo> Schedule(NodeBox& at, Job job);
  absl::StatusOr<std::vector<JobInfo>> ScheduleBatch(NodeBox& at, std::vector<Job> jobs);
  WriteResult Do(JobVerb verb, std::string_view id) { return Do(leader(), verb, id); }
  WriteResult Do(NodeBox& at, JobVerb verb, std::string_view id);
  WriteResult Replace(Job job, std::optional<Revision> if_match = std::nullopt);
  // Begins a command without waiting for its answer.
  std::shared_ptr<std::optional<WriteResult>> Begin(NodeBox& at, JobVerb verb, std::string_view id);
  std::shared_ptr<std::optional<WriteResult>> BeginSchedule(NodeBox& at, Job job);
  absl::StatusOr<JobInfo> Get(std::string_view id);
  JobStatus StatusOf(std::string_view id);
  std::vector<Attempt> Attempts(std::string_view id);

  // What the executor "work" does; by default it completes at once. `seen` gathers every delivery.
  void OnWork(Handler handler) { handler_ = std::move(handler); }
  std::vector<SeenRun>& seen() { return seen_; }
  std::map<std::string, int> CountSeen() const;  // by job id
  // Answers of runs that OnWork keeps: see KeepDone.
  Handler KeepDone();
  std::map<std::string, Done>& kept() { return kept_; }  // by job id

 private:
  void Handle(const SeenRun& seen, Done done);
  std::shared_ptr<std::optional<WriteResult>> BeginWrite(NodeBox& at, pb::Command command);
  WriteResult Finish(const std::shared_ptr<std::optional<WriteResult>>& result);

  VirtualLoop loop_;
  absl::Duration patience_ = absl::Seconds(10);
  VirtualNetwork network_;
  std::vector<std::unique_ptr<MemoryLogStore>> logs_;
  std::vector<std::unique_ptr<FaultyTables>> tables_;
  std::vector<SeenRun> seen_;
  std::map<std::string, Done> kept_;
  Handler handler_;
  std::vector<std::unique_ptr<NodeBox>> boxes_;
};

inline Job Work(std::string id, absl::Duration delay = absl::Seconds(1)) {
  return Job::In(delay).Id(std::move(id)).Executor("work");
}

inline RunResult Fails(absl::StatusCode code = absl::StatusCode::kInternal) {
  return absl::Status(code, "it failed");
}

}  // namespace scheduled::test

#endif  // SCHEDULED_TESTS_SCHEDULER_WORLD_H_
