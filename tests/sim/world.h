// The machines of one simulation, on one virtual loop: each has clocks, a disk that outlives its
// node, and a node that boots, crashes, is paused and boots again. Which node that is, the workload
// says (workload.h); what goes wrong, the faults (faults.h). One generator of random numbers, one
// digest of everything that has an effect.
#ifndef SCHEDULED_TESTS_SIM_WORLD_H_
#define SCHEDULED_TESTS_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/virtual_runtime.h"
#include "jobs/limits.h"
#include "raft/configuration.h"
#include "scheduled/log.h"
#include "scheduled/raft_node.h"
#include "sim/sim_log_store.h"
#include "sim/sim_network.h"
#include "sim/sim_table_store.h"
#include "storage/memory_snapshot_files.h"

namespace scheduled::sim {

// The two versions of the program that there are: the newer one can follow a feature level more,
// at which nothing else changes.
inline constexpr uint32_t kProgram = jobs::kLastLevel;
inline constexpr uint32_t kNewerProgram = kProgram + 1;

class World;
class Workload;
class RaftChecks;

// One life of a node: destroyed by its crash, after its lanes have been killed.
class Member {
 public:
  virtual ~Member() = default;
  virtual RaftNode& raft() = 0;
  // Its lanes are about to be killed.
  virtual void BeforeKill() {}
  // What this life can check of itself after a task of `lane`.
  virtual void AfterTask(std::string_view lane) { (void)lane; }
};

struct Machine {
  int number = 0;  // from 0
  NodeId id;
  raft::DiskId disk;
  uint64_t boots = 0;           // lives, of whatever disk
  uint64_t boot_counter = 0;    // as DataDirectory keeps it on the disk
  uint32_t program = kProgram;  // the feature level that what runs on it can follow
  bool wiped = false;           // since it was last a voter: what its disk had promised is void
  LogIndex lost_through;        // of the logs that went with its disks
  std::unique_ptr<VirtualRuntime> runtime;
  std::unique_ptr<SyncModel> sync;
  std::unique_ptr<SimLogStore> log;
  std::unique_ptr<MemorySnapshotFiles> snapshots;
  std::unique_ptr<SimTableStore> tables;
  std::unique_ptr<Lane> boot_lane;
  std::unique_ptr<Member> member;  // null while it is down, or boots
  absl::Time ever_shown =
      absl::InfinitePast();  // the largest reading of its wall clock, once moved

  bool up() const { return member != nullptr; }
  bool paused() const { return runtime->paused(); }
};

struct WorldOptions {
  uint64_t seed = 1;
  int nodes = 3;
  bool trace = false;
  bool trace_tasks = false;  // each task of each lane as well
};

class World {
 public:
  World(const WorldOptions& options, Workload* workload);
  ~World();

  VirtualLoop& loop() { return loop_; }
  Random& random() { return random_; }
  SimNetwork& network() { return *network_; }
  RaftChecks& checks() { return *checks_; }
  // Where faults and clients act: no machine's, always on time.
  Lane& driver() { return *driver_; }
  MonoTime now() const { return loop_.now(); }
  int size() const { return static_cast<int>(machines_.size()); }
  int NumberOf(const NodeId& id) const;
  Machine& machine(int number) { return *machines_[number]; }
  const std::map<NodeId, std::string>& peers() const { return peers_; }

  // Runs `task` on the driver's lane in `wait`.
  void After(absl::Duration wait, Task task);
  // Runs `act` right behind a task of the machine's lane of that name, or of any if it is empty,
  // the `count`th from now on, before anything that the task has posted: between any two steps of a
  // node, however close. Replaces what was asked of the machine before.
  void Behind(int number, std::string lane, int count, Task act);

  // Driver lane. Each does nothing where it makes no sense.
  void Boot(int number);
  void Crash(int number);
  // Crashes, and comes back with another disk, which has nothing on it.
  void Wipe(int number);
  void Pause(int number);
  void Resume(int number);
  // The newest term's leader that is up; -1 if there is none.
  int Leader();
  // The machines that must come to their end together: all of them, but while a majority heals
  // before the others.
  void SetCore(std::vector<bool> core) { core_ = std::move(core); }
  bool IsInCore(int number) const { return core_[number]; }

  // ---- What has gone wrong, for checks that depend on it. Told by the faults.

  // Since `since` or shortly before, a node may have died or been cut off so long that its session
  // was closed.
  bool MayHaveLost(MonoTime since) const;
  // Since `since` a process may have stood still between two of its steps.
  bool MayLag(MonoTime since) const { return lags_ || (paused_ever_ && last_pause_ >= since); }
  // The task that runs does not return for a while; once all is healed it does.
  void Stall(absl::Duration lasting);
  int crashes() const { return crashes_; }
  bool clocks_were_moved() const { return clocks_moved_; }
  // The machine's wall clock agrees with those of a majority, as far as nodes need to know; true
  // also where clocks have been moved too recently to be sure.
  bool MajorityAgrees(int number) const;
  // The largest reading that the machine's wall clock has ever had.
  absl::Time EverShown(const Machine& machine) const;
  void BeginHarm() { ++harms_, last_harm_ = now(); }
  void EndHarm() { --harms_, last_harm_ = now(); }
  // The network or the machines lose heartbeats all the time; nothing of it is left once healed.
  void SetHarshWeather(bool harsh, bool lags);
  void BeforeClockMove(int number);
  void AllHealed();
  bool healed() const { return healed_; }

  bool tracing() const { return options_.trace; }
  // One line of what happened, if somebody looks: the caller asks tracing() before it formats.
  void Trace(std::string_view who, std::string_view what);
  // What the product itself says, as lines of the trace.
  LogSink LogSinkOf(int number);
  void Digest(uint64_t value);
  void Digest(std::string_view bytes);
  uint64_t digest() const;

  // One line for each node.
  std::string State();

 private:
  struct Behindhand {
    std::string lane;  // empty: any
    int count = 0;
    Task act;
  };

  // A lane of a machine's, or of nobody's.
  struct MachineLane {
    Machine* machine = nullptr;
    std::string_view task;
  };

  static bool IsBehind(const Behindhand& behind, std::string_view task) {
    return behind.lane.empty() || behind.lane == task;
  }
  static void CheckWhyStopped(const Machine& machine);
  void AddMachine(int number, int nodes);
  void AfterEvent();
  MachineLane LaneOfName(std::string_view full_name) const;

  const WorldOptions options_;
  Workload& workload_;
  Random random_;
  VirtualLoop loop_;
  std::unique_ptr<VirtualRuntime> outside_;
  std::unique_ptr<Lane> driver_;
  std::map<NodeId, std::string> peers_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<bool> core_;
  std::unique_ptr<SimNetwork> network_;
  std::unique_ptr<RaftChecks> checks_;
  std::map<int, Behindhand> behind_;                     // by machine
  absl::flat_hash_map<const char*, MachineLane> lanes_;  // by where the loop keeps the name
  uint64_t digest_ = 0;
  int crashes_ = 0;
  int harms_ = 0;
  MonoTime last_harm_{INT64_MIN / 2};
  MonoTime last_pause_;
  bool paused_ever_ = false;
  bool healed_ = false;
  bool harsh_ = false;
  bool lags_ = false;
  bool clocks_moved_ = false;
  MonoTime last_clock_move_{INT64_MIN / 2};
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_WORLD_H_
